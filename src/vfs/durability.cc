// What fsync waits for, and the background sync that bounds what a power cut can take.
#include <xxhash.h>

#include <utility>

#include "base/log.h"
#include "io/reactor.h"
#include "vfs/volume_impl.h"

namespace firn::vfs {

io::Task<Result<void>> VolumeImpl::fsync(Handle* handle, bool data_only) {
  Node& node = *handle->node;
  const Sending sending(node, !durable_here());
  auto lock = co_await node.mutex.lock();
  const Result<void> done = co_await make_durable(node, data_only);
  if (!node.open || std::exchange(handle->syncs_failed, node.open->syncs_failed) == node.open->syncs_failed || !done)
    co_return done;
  co_return fail(Status(node.open->sync_failure).with_context("what was written before may be lost"));
}

io::Task<Result<void>> VolumeImpl::sync_object(Node& node, bool data_only) {
  OpenState& open = *node.open;
  const Result<void> synced = co_await open.object->file().sync(data_only);
  if (synced) co_return synced;
  ++open.syncs_failed;
  open.sync_failure = synced.error();
  note_lost_writes(node.inode, synced.error());
  co_return synced;
}

io::Task<Result<void>> VolumeImpl::sync_all_backings() {
  const Result<void> synced = co_await data_.sync_all();
  if (!synced) note_lost_writes(InodeId(0), synced.error());
  co_return synced;
}

void VolumeImpl::note_lost_writes(InodeId inode, const Status& why) {
  writes_lost_.fetch_add(1);
  const std::string where = inode.value == 0 ? "files" : "inode " + std::to_string(inode.value);
  log::error("the disk did not keep what was written to {}: {}", where, why.to_string());
}

io::Task<Result<void>> VolumeImpl::make_durable(Node& node, bool data_only) {
  CO_TRY(co_await checkpoint(node));
  if (!durable_here()) co_return co_await make_durable_elsewhere(node);
  if (node.open && node.open->object && !node.open->lent) {
    CO_TRY(co_await sync_object(node, data_only));
  }
  // A live record says "ask the backing file": size and times need no commit of their own.
  co_return co_await meta_.sync(node.version);
}

io::Task<Result<void>> VolumeImpl::checkpoint(Node& node) {
  if (!node.open || !node.open->object || !node.open->lent) co_return Result<void>();
  OpenState& open = *node.open;
  io::FileStat stat = CO_TRY(co_await open.object->file().stat());
  if (stat.bytes > options_.inline_max_bytes) {
    CO_TRY(co_await settle(node, stat));
    note_change(node);
    co_return Result<void>();
  }
  std::string content = CO_TRY(co_await read_whole(*open.object, stat.bytes));
  const uint64_t hash = XXH3_64bits(content.data(), content.size());
  if (open.shadowed && open.shadow_hash == hash && open.shadow_bytes == stat.bytes) co_return Result<void>();
  meta::ContentUpdate update;
  update.inline_data = std::move(content);
  update.size = stat.bytes;
  update.allocated_bytes = (stat.bytes + 511) / 512 * 512;
  add_times(open, stat, update);
  CO_TRY(co_await meta_.update_content(node.inode, update));
  note_change(node);
  std::lock_guard lock(node.state_mutex);
  open.base_mtime = stat.mtime;
  open.base_atime = stat.atime;
  open.shadowed = true;
  open.inline_behind = true;
  open.shadow_hash = hash;
  open.shadow_bytes = stat.bytes;
  co_return Result<void>();
}

io::Task<Result<void>> VolumeImpl::settle_for_sync_writes(Node& node) {
  if (node.open->lent && !node.open->memory) {
    io::FileStat stat = CO_TRY(co_await node.open->object->file().stat());
    CO_TRY(co_await settle(node, stat));
    note_change(node);
  }
  co_return co_await meta_.sync(node.version);
}

io::Task<Result<void>> VolumeImpl::fsync_directory(InodeId) {
  // Nodes do not follow which commit last changed a directory's names; one log holds them all anyway.
  co_return co_await meta_.sync(meta_.last_version());
}

std::vector<InodeId> VolumeImpl::files_being_written() {
  std::lock_guard lock(open_nodes_mutex_);
  return {open_nodes_.begin(), open_nodes_.end()};
}

std::vector<NodeRef> VolumeImpl::open_nodes() {
  const std::vector<InodeId> inodes = files_being_written();
  std::vector<NodeRef> nodes;
  nodes.reserve(inodes.size());
  for (InodeId inode : inodes)
    if (NodeRef node = nodes_.find(inode)) nodes.push_back(std::move(node));
  return nodes;
}

io::Task<Result<void>> VolumeImpl::sync_all() {
  for (NodeRef& node : open_nodes()) {
    const Sending sending(*node, !durable_here());
    auto lock = co_await node->mutex.lock();
    CO_TRY(co_await checkpoint(*node));
    if (!durable_here()) CO_TRY(co_await send(*node));
  }
  CO_TRY(co_await accesses_.save());
  CO_TRY(co_await (durable_here() ? sync_all_backings() : send_closed(nullptr)));
  co_return co_await meta_.sync(meta_.last_version());
}

io::Task<void> VolumeImpl::checkpoint_open_files() {
  for (NodeRef& node : open_nodes()) {
    if (node->senders > 0) continue;
    auto lock = co_await node->mutex.lock();
    if (!node->open || !node->open->live) continue;
    OpenState& open = *node->open;
    if (open.opens == 0) {
      // It lingers, or finishing it failed: the record still points at the object, and it is tried again.
      lock.release();
      co_await finish_and_reclaim(std::move(node));
    } else if ((!std::exchange(open.seen_by_tick, true) && !open.memory) || node->orphan) {
      continue;
    } else if (open.lent) {
      (void)co_await checkpoint(*node);
    } else if (!durable_here()) {
      continue;
    } else if (Result<io::FileStat> stat = co_await open.object->file().stat();
               stat && stat->mtime != open.synced_mtime) {
      if (co_await sync_object(*node, true)) open.synced_mtime = stat->mtime;
    }
  }
}

void VolumeImpl::mark_unsynced(InodeId inode) {
  std::lock_guard lock(unsynced_mutex_);
  unsynced_.insert(inode);
}

io::Task<Result<void>> VolumeImpl::sync_closed_files() {
  auto one_at_a_time = co_await syncing_closed_.lock();
  std::unordered_set<InodeId> inodes;
  {
    std::lock_guard lock(unsynced_mutex_);
    inodes.swap(unsynced_);
  }
  if (inodes.empty()) co_return Result<void>();
  Result<void> result;
  if (durable_here()) result = co_await sync_backings(inodes);
  for (InodeId inode : inodes) {
    if (result) result = co_await end_live(inode);
    if (!result) mark_unsynced(inode);
  }
  co_return result;
}

io::Task<Result<void>> VolumeImpl::sync_backings(const std::unordered_set<InodeId>& inodes) {
  constexpr size_t kFewFiles = 8;  // more than these are cheaper to sync all at once
  if (inodes.size() > kFewFiles) co_return co_await sync_all_backings();
  for (InodeId inode : inodes) {
    Result<Attr> attr = co_await meta_.getattr(inode);
    if (!attr || !attr->content.settled) continue;  // removed meanwhile
    Result<data::ObjectRef> object = co_await data_.open(attr->content.backing);
    const Result<void> synced = object ? co_await (*object)->file().sync(false) : Result<void>();
    if (!synced) note_lost_writes(inode, synced.error());
    CO_TRY(synced);
  }
  co_return Result<void>();
}

io::Task<Result<void>> VolumeImpl::end_live(InodeId inode) {
  NodeRef node = nodes_.acquire(inode);
  if (node->senders > 0) {
    mark_unsynced(inode);  // open again: a later call deals with it
    co_return Result<void>();
  }
  auto lock = co_await node->mutex.lock();
  if (node->open && node->open->live) co_return Result<void>();  // open again: its close comes back here
  bool held = false;
  {
    std::lock_guard again(unsynced_mutex_);
    if (unsynced_.contains(inode)) co_return Result<void>();  // written and closed again since
    held = held_elsewhere_.contains(inode);
  }
  Result<Attr> attr = co_await meta_.getattr(inode);
  if (!attr || !attr->content.live || !attr->content.settled) co_return Result<void>();
  if (held) co_return co_await recover_settled(*std::move(attr));
  meta::ContentUpdate update;
  update.content = attr->content;
  update.content->live = false;
  CO_TRY(co_await meta_.update_content(inode, update));
  co_return Result<void>();
}

io::Task<void> VolumeImpl::look_at_disk() {
  const Result<io::DiskUsage> usage = co_await data_.usage();
  disk_has_room_ = usage && usage->available_bytes >= options_.memory_min_available_bytes;
}

io::Task<void> VolumeImpl::tick() {
  co_await look_at_disk();
  co_await checkpoint_open_files();
  co_await recycle();
  (void)co_await accesses_.save();
  // Where a colder tier keeps the log, it goes there by itself, and nobody waits for that.
  if (durable_here()) (void)co_await meta_.sync(meta_.last_version());
  co_await remove_backings();
  (void)co_await sync_closed_files();
}

io::Task<void> VolumeImpl::sweep_orphans() {
  InodeId after{0};
  for (;;) {
    Result<std::vector<InodeId>> orphans = co_await meta_.list_orphans(after, 64);
    if (!orphans || orphans->empty()) co_return;
    for (InodeId inode : *orphans) {
      if (stopping_.cancelled()) co_return;
      NodeRef node = nodes_.acquire(inode);
      if (!nodes_.unused_but_for_caller(*node)) continue;  // whoever holds it reclaims it
      {
        // It may have been given a name since it was listed.
        auto lock = co_await node->mutex.lock();
        Result<Attr> attr = co_await meta_.getattr(inode);
        if (!attr || attr->nlink > 0) continue;
        if (!node->orphan.exchange(true)) ++orphans_waiting_;
      }
      co_await reclaim(std::move(node));
    }
    after = orphans->back();
    co_await io::yield();
  }
}

io::Task<void> VolumeImpl::background() {
  constexpr int kTicksPerSweep = 30;
  for (int round = 0;; ++round) {
    if (round % kTicksPerSweep == 0) co_await sweep_orphans();
    if (!co_await io::sleep_for(options_.sync_interval_ns, &stopping_)) co_return;
    co_await tick();
  }
}

}  // namespace firn::vfs
