// From the library's status to ours.
#pragma once

#include <rocksdb/status.h>

#include <string_view>

#include "base/status.h"

namespace firn::kv::rocks {

// kOk for an ok status. NoSpace → kNoSpace, Corruption → kCorrupt, lock held → kBusy, the rest of I/O → kIo.
Status to_status(const rocksdb::Status& status, std::string_view what);

}  // namespace firn::kv::rocks
