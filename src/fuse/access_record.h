// What the access log tells of a request.
#pragma once

#include <memory>
#include <string>

#include "fuse/decode.h"
#include "vfs/access_log.h"

namespace firn::fuse {

// Before the operation: its reply overwrites the request.
std::unique_ptr<vfs::AccessRecord> access_record_of(const Request& request);
// "OK" of 0, "ENOENT" of that errno.
std::string result_name(int error);

}  // namespace firn::fuse
