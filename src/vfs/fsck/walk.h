// How fsck reads all records of a kind.
#pragma once

#include <string_view>
#include <vector>

#include "kv/kv.h"
#include "meta/keys.h"
#include "vfs/fsck/fsck.h"

namespace firn::vfs::internal {

inline constexpr size_t kRecordsPerPage = 1024;

// Calls `visit(pair)` for every key with this prefix, in order. Each page is a snapshot of its own: nobody else writes.
template <class Visit>
io::Task<Result<void>> for_each(kv::Engine& engine, meta::Prefix prefix, const FsckOptions& options,
                                std::string_view phase, Visit& visit) {
  kv::Range range{std::string(1, static_cast<char>(prefix)), std::string(1, static_cast<char>(prefix))};
  range.end = kv::prefix_end(range.begin);
  uint64_t count = 0;
  for (;;) {
    auto transaction = engine.begin();
    std::vector<kv::Pair> page = CO_TRY(co_await transaction->scan(range, kRecordsPerPage, kv::Isolation::kSnapshot));
    for (const kv::Pair& pair : page) visit(pair);
    count += page.size();
    if (options.progress) options.progress(phase, count);
    if (page.size() < kRecordsPerPage) co_return Result<void>();
    range.begin = page.back().key + '\0';
  }
}

}  // namespace firn::vfs::internal
