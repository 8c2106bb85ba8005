// The library's options, with the reason for each that is not its default.
#pragma once

#include <rocksdb/options.h>

#include <memory>

#include "kv/rocksdb/rocksdb_engine.h"

namespace firn::kv::rocks {

rocksdb::Options tuned_options(const RocksdbOptions& options, std::shared_ptr<rocksdb::Logger> logger);

}  // namespace firn::kv::rocks
