// Settling: how much of the local disk there is for files; what has come back of evicted ones, and what may.
#include <fmt/format.h>

#include <algorithm>

#include "base/bytes.h"
#include "base/log.h"
#include "io/reactor.h"
#include "vfs/settling.h"

namespace firn::vfs {

namespace {
constexpr size_t kPage = 512;
// Never all of the disk: the metadata, and what is being written, need room too.
constexpr uint64_t kReservePercent = 5;
constexpr uint64_t kHardReservePercent = 1;  // and this no writer may take
}  // namespace

HotUse Settling::use_of_setting(uint64_t used) const {
  if (options_.hot_max_bytes == 0) return {.used = used};
  const uint64_t metadata = metadata_bytes();
  const uint64_t limit = left_for_files(options_.hot_max_bytes, metadata);
  const uint64_t hard =
      options_.hot_hard_max_bytes ? left_for_files(options_.hot_hard_max_bytes, metadata) : limit + limit / 10;
  return {.used = used, .limit = limit, .hard = std::max(limit, hard)};
}

HotUse Settling::use_of_disk(const io::DiskUsage& disk) {
  const uint64_t percent = disk.capacity_bytes() / 100;
  return {.used = disk.used_bytes(),
          .limit = percent * (100 - kReservePercent),
          .hard = percent * (100 - kHardReservePercent)};
}

io::Task<Result<void>> Settling::could_hold(uint64_t bytes) {
  if (!parts_.evict) co_return Result<void>();
  uint64_t most = use_of_setting(0).hard;
  const Result<io::DiskUsage> disk = co_await parts_.data.usage();
  if (disk) most = std::min(most, use_of_disk(*disk).hard);
  if (bytes <= most) co_return Result<void>();
  const std::string why =
      fmt::format("a file of {} cannot come back: the local disk may hold {}", human_size(bytes), human_size(most));
  if (room_.refuse({.bytes = bytes, .most = most, .now_ns = parts_.clock.monotonic_ns()}))
    log::error("{}: opening it for writing, and warming it, fail", why);
  co_return fail(Code::kNoSpace, why);
}

bool Settling::may_keep(BackingId backing) const {
  const bool has_room = has_room_ && room_.has_left();
  if (local_.is_wanted_whole(backing)) return has_room || parts_.evict;  // make_room() has seen to it
  return has_room && local_.open_part_bytes() < most_open_parts_;
}

// As one who writes, but what has become evictable since the last look goes before he is refused.
io::Task<Result<void>> Settling::make_room(uint64_t bytes, io::CancelToken* token) {
  constexpr int64_t kPauseNs = 10'000'000;
  if (!parts_.evict || room_.note(bytes)) co_return Result<void>();
  const uint64_t begun = looks_begun_;
  const int64_t until_ns = parts_.clock.monotonic_ns() + Room::kLongestWaitNs;
  room_alarm_.ring();
  while (looks_ended_ <= begun && parts_.clock.monotonic_ns() < until_ns)
    if (!co_await io::sleep_for(kPauseNs, token)) co_return fail(Code::kInterrupted);
  co_return co_await room_.admit(bytes, token);
}

void Settling::note_returned(BackingId backing, uint64_t bytes) {
  note_hydrated(bytes);
  if (!may_keep(backing)) return;
  local_.note_part(backing, bytes);
  if (!local_.is_wanted_whole(backing)) (void)room_.note(bytes);  // else make_room() has
}

io::Task<void> Settling::close_part(BackingId backing) {
  if (co_await local_.close_part(backing) > 0) more_can_go_ = true;
}

void Settling::note_whole(InodeId inode, BackingId backing, uint64_t bytes) {
  local_.forget_part(backing);
  local_.note_whole(inode, static_cast<int64_t>(bytes));
}

void Settling::note_emptied(BackingId backing) {
  local_.forget_part(backing);
  if (room_.state() != RoomState::kFree) room_alarm_.ring();
}

io::Task<void> Settling::count_parts(io::CancelToken* token) {
  local_.begin_count();
  for (InodeId after;;) {
    LocalUse::Finding finding(local_);
    const auto page = co_await parts_.meta.list_inodes(after, kPage);
    if (!page || !page->last || token->cancelled()) co_return;
    after = page->last;
    for (const meta::Attr& attr : page->inodes) {
      const meta::Content& content = attr.content;
      if (!content.settled || !content.evicted || !content.backing || local_.knows_part(content.backing)) continue;
      const Result<io::FileStat> stat = co_await parts_.data.stat(content.backing);
      if (stat) finding.found_part(content.backing, stat->allocated_bytes);
    }
    co_await io::yield();
  }
}

}  // namespace firn::vfs
