// Settling: what has come back of evicted files, and what may.
#include "io/reactor.h"
#include "vfs/settling.h"

namespace firn::vfs {

namespace {
constexpr size_t kPage = 512;
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
    const auto page = co_await parts_.meta.list_inodes(after, kPage);
    if (!page || !page->last || token->cancelled()) co_return;
    after = page->last;
    for (const meta::Attr& attr : page->inodes) {
      const meta::Content& content = attr.content;
      if (!content.settled || !content.evicted || !content.backing || local_.knows_part(content.backing)) continue;
      const Result<io::FileStat> stat = co_await parts_.data.stat(content.backing);
      if (stat) local_.found_part(content.backing, stat->allocated_bytes);
    }
    co_await io::yield();
  }
}

}  // namespace firn::vfs
