// What fsync waits for, and the background sync that bounds what a power cut can take.
#include "io/reactor.h"
#include "vfs/volume_impl.h"

namespace firn::vfs {

io::Task<Result<void>> VolumeImpl::fsync(Handle* handle, bool data_only) {
  Node& node = *handle->node;
  auto lock = co_await node.mutex.lock();
  co_return co_await make_durable(node, data_only);
}

io::Task<Result<void>> VolumeImpl::make_durable(Node& node, bool data_only) {
  CO_TRY(co_await checkpoint(node));
  if (node.open && node.open->object && !node.open->lent) {
    CO_TRY(co_await node.open->object->file().sync(data_only));
  }
  // A live record says "ask the backing file": size and times need no commit of their own.
  co_return co_await meta_.sync(node.version);
}

io::Task<Result<void>> VolumeImpl::checkpoint(Node& node) {
  if (!node.open || !node.open->object || !node.open->lent) co_return Result<void>();
  OpenState& open = *node.open;
  io::FileStat stat = CO_TRY(co_await open.object->file().stat());
  if (stat.bytes > options_.inline_max_bytes) {
    // Synced before the inline value goes, which is what a power cut would otherwise have left.
    if (open.shadowed) CO_TRY(co_await open.object->file().sync(true));
    CO_TRY(co_await settle(node, stat, /*live=*/true));
    note_change(node);
    co_return Result<void>();
  }
  if (open.shadowed && open.shadow_mtime == stat.mtime && open.shadow_bytes == stat.bytes) co_return Result<void>();
  meta::ContentUpdate update;
  update.inline_data = CO_TRY(co_await read_whole(*open.object, stat.bytes));
  update.size = stat.bytes;
  update.allocated_bytes = (stat.bytes + 511) / 512 * 512;
  add_times(open, stat, update);
  CO_TRY(co_await meta_.update_content(node.inode, update));
  note_change(node);
  std::lock_guard lock(node.state_mutex);
  open.base_mtime = stat.mtime;
  open.base_atime = stat.atime;
  open.shadowed = true;
  open.shadow_mtime = stat.mtime;
  open.shadow_bytes = stat.bytes;
  co_return Result<void>();
}

io::Task<Result<void>> VolumeImpl::fsync_directory(InodeId) {
  // Nodes do not follow which commit last changed a directory's names; one log holds them all anyway.
  co_return co_await meta_.sync(meta_.last_version());
}

std::vector<NodeRef> VolumeImpl::open_nodes() {
  std::vector<InodeId> inodes;
  {
    std::lock_guard lock(open_nodes_mutex_);
    inodes.assign(open_nodes_.begin(), open_nodes_.end());
  }
  std::vector<NodeRef> nodes;
  nodes.reserve(inodes.size());
  for (InodeId inode : inodes)
    if (NodeRef node = nodes_.find(inode)) nodes.push_back(std::move(node));
  return nodes;
}

io::Task<Result<void>> VolumeImpl::sync_all() {
  for (NodeRef& node : open_nodes()) {
    auto lock = co_await node->mutex.lock();
    CO_TRY(co_await checkpoint(*node));
  }
  CO_TRY(co_await data_.sync_all());
  co_return co_await meta_.sync(meta_.last_version());
}

io::Task<void> VolumeImpl::tick() {
  for (NodeRef& node : open_nodes()) {
    auto lock = co_await node->mutex.lock();
    if (!node->open || !node->open->live) continue;
    if (node->open->opens == 0) {
      if (!co_await finish(*node)) continue;  // tried again next time; the record still points at the object
    } else if (!node->open->seen_by_tick) {
      node->open->seen_by_tick = true;
    } else if (!node->orphan) {
      if (!co_await checkpoint(*node)) continue;
    }
  }
  recycle();
  (void)co_await meta_.sync(meta_.last_version());
}

io::Task<void> VolumeImpl::sweep_orphans() {
  InodeId after{0};
  for (;;) {
    Result<std::vector<InodeId>> orphans = co_await meta_.list_orphans(after, 64);
    if (!orphans || orphans->empty()) co_return;
    for (InodeId inode : *orphans) {
      if (stopping_.cancelled()) co_return;
      NodeRef node = nodes_.acquire(inode);
      node->orphan = true;
      if (nodes_.unused_but_for_caller(*node)) {
        ++orphans_waiting_;
        co_await reclaim(std::move(node));
      }
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
