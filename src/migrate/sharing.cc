#include "migrate/sharing.h"

#include <fcntl.h>

#include <algorithm>

namespace firn::migrate {

namespace {

const meta::Credentials kRoot{};

}  // namespace

std::string Sharing::reason() const {
  const std::lock_guard lock(reason_mutex_);
  return reason_;
}

void Sharing::note_failure(std::string reason) {
  const std::lock_guard lock(reason_mutex_);
  if (reason_.empty()) reason_ = std::move(reason);
}

io::Task<void> Sharing::share(vfs::Handle* handle, ContentHash content, SourceEntry& entry) {
  const InodeId inode = vfs::Volume::inode_of(handle);
  std::string reason;
  for (InodeId known = known_.find_or_add(content, inode); known != inode;) {
    entry.is_equal = true;
    if (!can_share_) co_return;
    const Result<uint64_t> shared = co_await share_with(known, handle);
    entry.shared_bytes = std::min(shared.value_or(0), entry.shown_bytes);
    if (entry.shared_bytes > 0 || progress_.stop.cancelled()) co_return;
    if (!shared && shared.error() == Code::kNotSupported) {
      can_share_ = false;
      co_return note_failure("the disk cannot share blocks");
    }
    if (!shared && shared.error() == Code::kStale) {
      entry.is_equal = false;
    } else {
      reason = shared ? "the other file has changed since" : shared.error().to_string();
    }
    known = known_.replace(content, known, inode);
  }
  if (!reason.empty()) note_failure(std::move(reason));
  co_await notes_.content(content, inode);
}

io::Task<Result<uint64_t>> Sharing::share_with(InodeId known, vfs::Handle* handle) {
  const vfs::Opened opened = CO_TRY(co_await parts_.volume.open(kRoot, known, {.flags = O_RDONLY | O_NOATIME}));
  const std::shared_ptr<io::File> source = parts_.volume.backing(opened.handle);
  const std::shared_ptr<io::File> target = parts_.volume.backing(handle);
  uint64_t shared = 0;
  Result<void> done = fail(Code::kUnavailable, "the other file is not on the local disk");
  if (source && target) done = co_await share_data(*source, *target, shared);
  (void)co_await parts_.volume.release(opened.handle);
  // What is shared already stays so, whatever became of the rest.
  if (!done && shared == 0) co_return fail(done.error());
  co_return shared;
}

// By the target's own extents: they begin and end at its file system's blocks.
io::Task<Result<void>> Sharing::share_data(io::File& source, io::File& target, uint64_t& shared) {
  for (uint64_t at = 0;;) {
    const Result<uint64_t> begin = co_await target.seek(io::Seek::kData, at);
    if (!begin && begin.error() == Code::kNoDevice) co_return Result<void>();
    if (!begin) co_return fail(begin.error());
    at = CO_TRY(co_await target.seek(io::Seek::kHole, *begin));
    const uint64_t before = shared;
    CO_TRY(co_await share_extent(source, target, {*begin, at}, shared));
    if (shared - before < at - *begin) co_return Result<void>();
  }
}

io::Task<Result<void>> Sharing::share_extent(io::File& source, io::File& target, Extent extent, uint64_t& shared) {
  for (uint64_t at = extent.begin; at < extent.end && !progress_.stop.cancelled();) {
    const uint64_t bytes = std::min(kStepBytes, extent.end - at);
    const uint64_t done = CO_TRY(co_await target.share_blocks_of(source, at, at, bytes));
    shared += done;
    at += done;
    if (done < bytes) break;
  }
  co_return Result<void>();
}

}  // namespace firn::migrate
