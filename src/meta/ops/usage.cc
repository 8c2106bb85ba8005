#include <algorithm>

#include "meta/core.h"
#include "meta/keys.h"
#include "meta/local_service.h"

namespace firn::meta {

namespace {

io::Task<Result<uint64_t>> read_counter(kv::Transaction& transaction, std::string_view name) {
  const auto stored = CO_TRY(co_await transaction.get(counter_key(name), kv::Isolation::kSnapshot));
  if (!stored) co_return uint64_t{0};
  const uint64_t value = CO_TRY(decode_counter(*stored));
  // A damaged volume may have subtracted too much; fsck puts that right.
  co_return uint64_t(std::max<int64_t>(int64_t(value), 0));
}

}  // namespace

io::Task<Result<Usage>> LocalService::usage() {
  const auto transaction = core_->engine.begin();
  co_return Usage{.inodes = CO_TRY(co_await read_counter(*transaction, kInodesCounter)),
                  .bytes = CO_TRY(co_await read_counter(*transaction, kBytesCounter)),
                  .pinned_files = CO_TRY(co_await read_counter(*transaction, kPinnedFilesCounter)),
                  .pinned_bytes = CO_TRY(co_await read_counter(*transaction, kPinnedBytesCounter)),
                  .local_files = CO_TRY(co_await read_counter(*transaction, kLocalFilesCounter)),
                  .local_bytes = CO_TRY(co_await read_counter(*transaction, kLocalBytesCounter))};
}

}  // namespace firn::meta
