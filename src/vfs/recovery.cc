// Start and stop: what a crash left open is finished first.
#include <unordered_set>

#include "vfs/volume_impl.h"

namespace firn::vfs {
namespace {
constexpr size_t kPage = 512;
}

io::Task<Result<void>> VolumeImpl::start() {
  if (followed_) {
    // Whatever there is to recover is its writer's.
    CO_TRY(co_await data_.start([](BackingId) { return false; }));
    start_settling();
    co_return Result<void>();
  }
  CO_TRY(co_await recover());
  CO_TRY(co_await start_data());
  co_await look_at_disk();
  if (!options_.read_only) {
    io::detach([](VolumeImpl* self, io::Gate::Entry entry) -> io::Task<void> { co_await self->background(); }(
                                                               this, gate_.enter()));
  }
  start_settling();
  co_return Result<void>();
}

io::Task<Result<void>> VolumeImpl::recover() {
  InodeId after{0};
  for (;;) {
    std::vector<Attr> live = CO_TRY(co_await meta_.list_live(after, kPage));
    if (live.empty()) break;
    after = live.back().inode;
    for (Attr& attr : live) CO_TRY(co_await recover_file(std::move(attr)));
  }
  co_return co_await meta_.sync(meta_.last_version());
}

io::Task<Result<void>> VolumeImpl::recover_file(Attr attr) {
  if (attr.content.evicted) {
    // It was open for writing where its backing is, which is not here.
    meta::ContentUpdate update;
    update.content = attr.content;
    update.content->live = false;
    CO_TRY(co_await meta_.update_content(attr.inode, update));
    co_return Result<void>();
  }
  if (attr.content.settled) co_return co_await recover_settled(std::move(attr));
  co_return co_await recover_lent(std::move(attr));
}

// The file was open for writing and has a backing of its own: that knows its size and times. While somebody has that
// open who was cut off, it is looked at again, now and then.
io::Task<Result<void>> VolumeImpl::recover_settled(Attr attr) {
  Result<data::ObjectRef> object = co_await data_.open(attr.content.backing);
  if (!object) {
    // Left as it is for fsck to name: reading it fails, nothing else does.
    if (object.error().code() == Code::kNotFound) co_return Result<void>();
    co_return fail(std::move(object).error());
  }
  const bool held = (*object)->file().open_elsewhere().value_or(false);
  if (note_held(attr.inode, held) && !held) CO_TRY(co_await (*object)->file().sync(false));
  io::FileStat stat = CO_TRY(co_await (*object)->file().stat());
  if (held && stat.bytes == attr.size && stat.mtime <= attr.mtime) co_return Result<void>();
  meta::ContentUpdate update;
  update.content = attr.content;
  update.content->live = held;
  update.size = stat.bytes;
  update.allocated_bytes = stat.allocated_bytes;
  if (stat.mtime > attr.mtime) update.mtime = update.ctime = stat.mtime;
  CO_TRY(co_await meta_.update_content(attr.inode, update));
  note_recorded(attr, stat.allocated_bytes);
  notify_inode(0, attr.inode, true);
  co_return Result<void>();
}

// Whether it was before.
bool VolumeImpl::note_held(InodeId inode, bool held) {
  std::lock_guard lock(unsynced_mutex_);
  if (!held) return held_elsewhere_.erase(inode) > 0;
  unsynced_.insert(inode);
  return !held_elsewhere_.insert(inode).second;
}

// The file's newest content is in a scratch file, if this is still the boot in which it was lent.
io::Task<Result<void>> VolumeImpl::recover_lent(Attr attr) {
  data::ObjectRef object;
  if (attr.content.backing && attr.content.boot_session == options_.boot_session) {
    Result<data::ObjectRef> opened = co_await data_.open(attr.content.backing);
    if (opened) object = *std::move(opened);
    if (!opened && opened.error().code() != Code::kNotFound) co_return fail(std::move(opened).error());
  }
  meta::ContentUpdate update;
  update.content = meta::Content{};
  if (!object) {
    // After a power cut: what was last synced is the inline value.
    update.size = CO_TRY(co_await meta_.read_inline(attr.inode)).size();
    CO_TRY(co_await meta_.update_content(attr.inode, update));
    co_return Result<void>();
  }
  io::FileStat stat = CO_TRY(co_await object->file().stat());
  update.size = stat.bytes;
  if (stat.mtime > attr.mtime) update.mtime = update.ctime = stat.mtime;
  if (stat.bytes <= options_.inline_max_bytes) {
    update.inline_data = CO_TRY(co_await read_whole(*object, stat.bytes));
  } else {
    CO_TRY(co_await data_.settle(object));
    CO_TRY(co_await object->file().sync(false));
    update.inline_data = "";
    update.content = meta::Content{.backing = object->id(), .settled = true};
    update.allocated_bytes = stat.allocated_bytes;
  }
  CO_TRY(co_await meta_.update_content(attr.inode, update));
  co_return Result<void>();
}

io::Task<Result<void>> VolumeImpl::check_against_backing(const Attr& attr) {
  if (attr.content.evicted) co_return Result<void>();  // its backing says nothing
  Result<io::FileStat> stat = co_await data_.stat(attr.content.backing);
  if (!stat && stat.error().code() == Code::kNotFound) co_return Result<void>();  // for fsck to name
  if (!stat) co_return fail(std::move(stat).error());
  if (stat->bytes == attr.size) co_return Result<void>();
  meta::ContentUpdate update;
  update.size = stat->bytes;
  update.allocated_bytes = stat->allocated_bytes;
  if (stat->mtime > attr.mtime) update.mtime = update.ctime = stat->mtime;
  CO_TRY(co_await meta_.update_content(attr.inode, update));
  co_return Result<void>();
}

io::Task<Result<void>> VolumeImpl::start_data() {
  std::unordered_set<BackingId> referenced;
  uint64_t undecodable = 0;
  InodeId after{0};
  uint64_t hot_bytes = 0;
  for (;;) {
    meta::InodePage page = CO_TRY(co_await meta_.list_inodes(after, kPage));
    if (!page.last) break;
    after = page.last;
    undecodable += page.undecodable;
    for (const Attr& attr : page.inodes) {
      if (attr.content.backing) referenced.insert(attr.content.backing);
      if (attr.content.settled && !attr.content.evicted) hot_bytes += attr.allocated_bytes;
      const bool never_sent = attr.content.settled && attr.content.evicted && !attr.content.uploaded_size;
      if (!durable_here() && never_sent && !options_.read_only) CO_TRY(co_await forget_never_sent(attr));
      if (!options_.clean && attr.content.settled) CO_TRY(co_await check_against_backing(attr));
    }
    co_await io::yield();
  }
  if (settling_) settling_->set_hot(hot_bytes);
  // Whose backing a damaged record names, nobody knows: then none may be taken for a scratch file.
  const bool all_known = undecodable == 0;
  co_return co_await data_.start(
      [&referenced, all_known](BackingId id) { return !all_known || referenced.contains(id); });
}

io::Task<Result<void>> VolumeImpl::stop() {
  stopping_.cancel();
  co_await gate_.close();
  Result<void> result;
  for (NodeRef& node : open_nodes()) {
    auto lock = co_await node->mutex.lock();
    if (!node->open) continue;
    const data::ObjectRef object = object_of(*node);
    if (object && object->passthrough_id() > 0) note_held(node->inode, object->file().open_elsewhere().value_or(false));
    if (Result<void> finished = co_await finish(*node, Closing::kNow); !finished && result) result = finished;
  }
  if (followed_) co_await followed_->make_room();
  if (Result<void> saved = co_await accesses_.save(); !saved && result) result = saved;
  if (durable_here())
    if (Result<void> synced = co_await data_.sync_all(); !synced && result) result = synced;
  if (Result<void> synced = co_await sync_closed_files(); !synced && result) result = synced;
  if (!durable_here() && !options_.read_only)
    if (Result<void> sent = co_await send_closed(nullptr); !sent && result) result = sent;
  if (Result<void> synced = co_await meta_.sync(meta_.last_version()); !synced && result) result = synced;
  co_await recycle();
  co_await remove_backings();
  co_await data_.stop();
  co_return result;
}

}  // namespace firn::vfs
