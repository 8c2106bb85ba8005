// Reading and writing through the volume: what does not go past it by passthrough.
#include <fcntl.h>

#include <algorithm>
#include <cstring>

#include "vfs/volume_impl.h"

namespace firn::vfs {

// relatime: an access counts when it is the first since the last change, or a day after the last one that counted.
bool VolumeImpl::access_counts(const Attr& attr) const {
  constexpr int64_t kDaySeconds = 24 * 60 * 60;
  if (options_.read_only || options_.no_atime) return false;
  return attr.atime <= attr.mtime || attr.atime <= attr.ctime ||
         options_.clock.now().seconds - attr.atime.seconds >= kDaySeconds;
}

// For what has no close to wait for: directories and symbolic links.
io::Task<void> VolumeImpl::note_access(InodeId inode) {
  Result<Attr> attr = co_await meta_.getattr(inode);
  if (!attr || !access_counts(*attr)) co_return;
  meta::ContentUpdate update;
  update.atime = options_.clock.now();
  (void)co_await meta_.update_content(inode, update);
}

io::Task<void> VolumeImpl::note_access(InodeId inode, Timestamp time) {
  if (options_.read_only) co_return;
  if (accesses_.note(inode, time)) (void)co_await accesses_.save();
}

void VolumeImpl::note_read(Node& node, const Attr& attr) {
  if (!access_counts(attr)) return;
  const Timestamp now = options_.clock.now();
  std::lock_guard lock(node.state_mutex);
  if (node.open && !node.open->pending_atime) node.open->pending_atime = now;
}

data::ObjectRef VolumeImpl::object_of(Node& node) {
  std::lock_guard lock(node.state_mutex);
  return node.open->object;
}

io::Task<Result<size_t>> VolumeImpl::read(Handle* handle, uint64_t offset, std::span<std::byte> buffer,
                                          io::LentBytes* lent) {
  Node& node = *handle->node;
  if (followed_) {
    if (std::shared_ptr<tier::ColdFile> cold = CO_TRY(cold_of_opened(*handle)))
      co_return co_await read_followed(std::move(cold), offset, buffer, lent);
  }
  while (const data::ObjectRef object = followed_ ? nullptr : object_of(node)) {
    if (const std::shared_ptr<tier::ColdFile> cold = cold_of(node)) {
      Result<size_t> got = co_await cold->read(offset, buffer, lent);
      if (got || !cold->closed()) co_return got;
      if (lent != nullptr) lent->clear();
      // All of it has come back meanwhile; or somebody empties it, and the backing is holes until that is done.
      if (!cold->resident()) {
        CO_TRY(co_await outlast(node, cold));
        continue;
      }
    }
    auto* memory = dynamic_cast<MemoryObject*>(object.get());
    if (memory && !options_.no_atime && (handle->flags & O_NOATIME) == 0) memory->touch_atime();
    co_return co_await object->file().read(offset, buffer);
  }
  Attr attr = CO_TRY(co_await meta_.getattr(node.inode));
  if (offset >= attr.size) co_return size_t{0};
  accesses_.overlay(attr);
  std::string content = CO_TRY(co_await meta_.read_inline(node.inode));
  if (followed_ && content.size() < attr.size) CO_TRY(co_await check_hole(attr));
  const size_t count = std::min<uint64_t>(buffer.size(), attr.size - offset);
  if ((handle->flags & O_NOATIME) == 0) note_read(node, attr);
  // Past the inline value the file is a hole.
  const size_t held = offset < content.size() ? std::min(count, content.size() - offset) : 0;
  if (held > 0) std::memcpy(buffer.data(), content.data() + offset, held);
  std::memset(buffer.data() + held, 0, count - held);
  co_return count;
}

std::shared_ptr<io::File> VolumeImpl::backing(Handle* handle) {
  Node& node = *handle->node;
  std::lock_guard lock(node.state_mutex);
  if (!node.open || !node.open->object || node.open->cold || node.open->memory) return nullptr;
  const data::ObjectRef& object = node.open->object;
  return {object, &object->file()};
}

io::Task<Result<uint64_t>> VolumeImpl::store(Node& node, uint64_t offset, std::span<const std::byte> data,
                                             WriteOptions options) {
  bool in_memory = false;
  data::ObjectRef object;
  {
    std::lock_guard lock(node.state_mutex);
    in_memory = node.open->memory != nullptr;
    object = node.open->object;
  }
  if (!in_memory && !options.append) {
    while (!node.writes.enter()) auto lock = co_await node.mutex.lock();
    const WritePass pass(node.writes);
    const bool in_place = !options.ends_there || CO_TRY(co_await object->file().stat()).bytes <= offset;
    if (in_place) {
      Result<void> written = co_await object->file().write(offset, data);
      note_written(node, offset, data.size());
      CO_TRY(written);
      co_return offset;
    }
  }
  auto lock = co_await node.mutex.lock();
  if (options.append || options.ends_there) {
    const uint64_t end = CO_TRY(co_await node.open->object->file().stat()).bytes;
    offset = options.append ? end : std::max(end, offset);
    CO_TRY(check_size(offset, data.size()));
  }
  if (node.open->memory && offset + data.size() > options_.inline_max_bytes) CO_TRY(co_await spill(node));
  Result<void> written = co_await node.open->object->file().write(offset, data);
  note_written(node, offset, data.size());
  CO_TRY(written);
  co_return offset;
}

// After the bytes are there: who takes note of what is unsent sends them, or is told of them again.
void VolumeImpl::note_written(Node& node, uint64_t offset, uint64_t bytes) {
  if (durable_here()) return;
  std::lock_guard lock(node.state_mutex);
  node.unsent.note(offset, bytes);
}

void VolumeImpl::note_sent(Node& node) {
  std::lock_guard lock(node.state_mutex);
  (void)node.unsent.take();
}

void VolumeImpl::note_rewritten(Node& node) {
  if (durable_here()) return;
  std::lock_guard lock(node.state_mutex);
  node.unsent.note_everything();
}

io::Task<Result<size_t>> VolumeImpl::write(Handle* handle, uint64_t offset, std::span<const std::byte> data,
                                           WriteOptions options) {
  if (!handle->writes()) co_return fail(Code::kBadHandle);
  Node& node = *handle->node;
  if (!options.append) CO_TRY(check_size(offset, data.size()));
  if (!has_room_for(data.size())) CO_TRY(co_await wait_for_room(data.size()));
  if (options.kill_set_ids) {
    meta::ContentUpdate update;
    update.kill_set_ids = true;
    CO_TRY(co_await meta_.update_content(node.inode, update));
    note_change(node);
  }
  const uint64_t at = CO_TRY(co_await store(node, offset, data, options));
  // Where that is not where the writer believes, its own door has the wrong pages as well.
  notify_inode(options.ends_there && at != offset ? 0 : handle->door, node.inode, true);
  if (handle->syncs_writes()) CO_TRY(co_await fsync(handle, (handle->flags & 04000000 /* __O_SYNC */) == 0));
  co_return data.size();
}

// What is in memory has no blocks, and a full disk is for write() to tell.
io::Task<void> VolumeImpl::reserve(Handle* handle, uint64_t offset, uint64_t bytes) {
  if (settling_ && settling_->room().state() != RoomState::kFree) co_return;
  const std::shared_ptr<io::File> file = backing(handle);
  if (file) (void)co_await file->allocate(io::Allocate::kKeepSize, offset, bytes);
}

// Where durable means "in the bucket", the local disk need not hurry.
io::Task<void> VolumeImpl::start_writeback(Handle* handle, uint64_t offset, uint64_t bytes) {
  const std::shared_ptr<io::File> file = durable_here() ? backing(handle) : nullptr;
  if (file) co_await file->start_writeback(offset, bytes);
}

io::Task<Result<void>> VolumeImpl::allocate(Handle* handle, io::Allocate mode, uint64_t offset, uint64_t bytes) {
  if (!handle->writes()) co_return fail(Code::kBadHandle);
  Node& node = *handle->node;
  if (mode != io::Allocate::kPunchHole) CO_TRY(check_size(offset, bytes));
  if (mode != io::Allocate::kPunchHole && !has_room_for(bytes)) CO_TRY(co_await wait_for_room(bytes));
  const Sending sending(node, handle->syncs_writes() && !durable_here());
  auto lock = co_await node.mutex.lock();
  Attr attr = CO_TRY(co_await meta_.getattr(node.inode));
  if (attr.flags & meta::kFlagImmutable) co_return fail(Code::kNotPermitted);
  CO_TRY(co_await spill(node));
  CO_TRY(co_await node.open->object->file().allocate(mode, offset, bytes));
  meta::ContentUpdate update;
  update.size = CO_TRY(co_await node.open->object->file().stat()).bytes;
  update.mtime = options_.clock.now();
  update.ctime = update.mtime;
  update.kill_set_ids = true;
  CO_TRY(co_await meta_.update_content(node.inode, update));
  CO_TRY(co_await rebase(node));
  note_rewritten(node);
  note_change(node);
  notify_inode(handle->door, node.inode, true);
  if (handle->syncs_writes()) CO_TRY(co_await make_durable(node, false));
  co_return Result<void>();
}

io::Task<Result<uint64_t>> VolumeImpl::seek(Handle* handle, SeekWhat what, uint64_t offset) {
  Node& node = *handle->node;
  if (const data::ObjectRef object = object_of(node); object && !cold_of(node))
    co_return co_await object->file().seek(what == SeekWhat::kData ? io::Seek::kData : io::Seek::kHole, offset);
  // Inline content, and what is in colder tiers, counts as data from end to end.
  Attr attr = CO_TRY(co_await meta_.getattr(node.inode));
  if (offset >= attr.size) co_return fail(Code::kNoDevice);
  co_return what == SeekWhat::kData ? offset : attr.size;
}

io::Task<Result<uint64_t>> VolumeImpl::copy_range(Handle* source, uint64_t source_offset, Handle* target,
                                                  uint64_t target_offset, uint64_t bytes) {
  if (!target->writes()) co_return fail(Code::kBadHandle);
  Node& from = *source->node;
  Node& to = *target->node;
  if (target_offset >= most_bytes()) co_return fail(Code::kFileTooBig);
  bytes = std::min(bytes, most_bytes() - target_offset);
  if (!has_room_for(0)) CO_TRY(co_await wait_for_room(0));
  uint64_t copied = 0;
  {
    auto lock = co_await to.mutex.lock();
    CO_TRY(co_await spill(to));
  }
  while (!to.writes.enter()) auto lock = co_await to.mutex.lock();
  // fsync() takes the lock, whose holder may wait for the pass.
  {
    const WritePass pass(to.writes);
    const data::ObjectRef destination = object_of(to);
    const data::ObjectRef origin = object_of(from);
    if (origin && !dynamic_cast<MemoryObject*>(origin.get()) && !cold_of(from)) {
      copied = CO_TRY(co_await destination->file().copy_from(origin->file(), source_offset, target_offset, bytes));
    } else {
      const Attr attr = CO_TRY(co_await getattr(from.inode));
      if (source_offset >= attr.size) co_return uint64_t{0};
      constexpr uint64_t kMost = 4 << 20;  // in memory
      std::string content(std::min({bytes, attr.size - source_offset, kMost}), '\0');
      copied = CO_TRY(co_await read(source, source_offset, std::as_writable_bytes(std::span(content))));
      content.resize(copied);
      CO_TRY(co_await destination->file().write(target_offset, std::as_bytes(std::span(content))));
    }
  }
  note_rewritten(to);
  (void)has_room_for(copied);
  notify_inode(target->door, to.inode, true);
  if (target->syncs_writes()) CO_TRY(co_await fsync(target, false));
  co_return copied;
}

}  // namespace firn::vfs
