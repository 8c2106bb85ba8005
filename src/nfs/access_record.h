// What the access log tells of a call.
#pragma once

#include "nfs/service.h"
#include "vfs/access_log.h"

namespace firn::nfs {

// Before the call is carried out. `op` is the procedure's name.
vfs::AccessRecord access_record_of(const Service& service, const Request& request, std::string_view op);
// Once it is answered: adds what came of it, and returns "OK" or the status' name in RFC 1813; "EBADRPC" where there is
// none.
std::string_view note_result(const Request& request, vfs::AccessRecord& record);

}  // namespace firn::nfs
