// The last close of a file: small content moves into the metadata store, a large scratch file becomes the backing.
#include <xxhash.h>

#include <algorithm>

#include "io/reactor.h"
#include "vfs/volume_impl.h"

namespace firn::vfs {
namespace {

// Scratch files given back are made lendable in batches: each batch costs one write of the buffered log.
constexpr uint32_t kRecycleBatch = 64;

}  // namespace

io::Task<Result<void>> VolumeImpl::release(Handle* raw) {
  std::unique_ptr<Handle> handle(raw);
  NodeRef node = std::move(handle->node);
  Result<void> result;
  bool orphan = false;
  {
    auto lock = co_await node->mutex.lock();
    OpenState& open = *node->open;
    --open.opens;
    --open_files_;
    if (handle->mode == IoMode::kPassthrough) {
      --open.passthrough_opens;
      if (handle->writes()) --open.passthrough_writers;
      --passthrough_files_;
    } else if (handle->keeps_pages) {
      --open.cached_opens;
    }
    if (open.opens == 0) {
      result = co_await finish(*node);
      orphan = node->orphan && !node->open;
    }
  }
  if (orphan && nodes_.unused_but_for_caller(*node)) co_await reclaim(std::move(node));
  co_return result;
}

void VolumeImpl::release_later(Handle* handle) {
  io::detach([](VolumeImpl* self, Handle* ended, io::Gate::Entry) -> io::Task<void> {
    co_await io::stand_back();
    (void)co_await self->release(ended);
  }(this, handle, gate_.enter()));
}

// What is held in memory, or in a scratch file, goes where the record says; what only its close is missing is closed.
io::Task<void> VolumeImpl::save_open_files() {
  for (NodeRef& node : open_nodes()) {
    if (node->senders > 0 || node->orphan) continue;
    {
      auto lock = co_await node->mutex.lock();
      if (!node->open || !node->open->live) continue;
      if (node->open->opens > 0) {
        (void)co_await checkpoint(*node);
        continue;
      }
    }
    co_await finish_and_reclaim(std::move(node));
  }
}

// close(2) returns before the kernel has told us of it, and it lets go of the backing a moment after that. A file that
// is really held open looks the same.
io::Task<void> VolumeImpl::wait_for_closes(const FileSet* only, io::CancelToken* token) {
  constexpr int64_t kPatienceNs = 500'000'000;
  constexpr int64_t kLookNs = 5'000'000;
  const auto is_open = [&](const NodeRef& node) {
    if (node->orphan || (only != nullptr && !only->contains(node->inode))) return false;
    std::lock_guard lock(node->state_mutex);
    return node->open && node->open->live && !node->open->memory;  // those are saved
  };
  const int64_t until_ns = options_.clock.monotonic_ns() + kPatienceNs;
  while (std::ranges::any_of(open_nodes(), is_open) && options_.clock.monotonic_ns() < until_ns)
    if (!co_await io::sleep_for(kLookNs, token)) co_return;
}

// In passthrough mode a mapping holds the backing file, not ours: the file can be closed, even removed, and still be
// written. The kernel also lets go of a closed backing a moment after it told us of the close.
bool VolumeImpl::lingers(Node& node, Closing closing) {
  OpenState& open = *node.open;
  if (closing == Closing::kNow || open.object->passthrough_id() <= 0) return false;
  if (!open.object->file().open_elsewhere().value_or(false)) return false;
  if (std::exchange(open.lingering, true)) return true;
  if (auto entry = gate_.enter()) {
    io::detach([](VolumeImpl* self, InodeId inode, io::Gate::Entry) -> io::Task<void> {
      co_await self->retry_finish(inode);
    }(this, node.inode, std::move(entry)));
  }
  return true;
}

// The background sync goes on trying after the last of these.
io::Task<void> VolumeImpl::retry_finish(InodeId inode) {
  for (int64_t delay_ns : {200'000, 1'000'000, 5'000'000, 25'000'000, 125'000'000}) {
    if (!co_await io::sleep_for(delay_ns, &stopping_)) co_return;
    NodeRef node = nodes_.find(inode);
    if (!node) co_return;
    co_await finish_and_reclaim(std::move(node));
  }
}

io::Task<void> VolumeImpl::finish_and_reclaim(NodeRef node) {
  bool orphan = false;
  {
    auto lock = co_await node->mutex.lock();
    if (!node->open || node->open->opens > 0) co_return;
    if (!co_await finish(*node)) co_return;
    orphan = node->orphan && !node->open;
  }
  if (orphan && nodes_.unused_but_for_caller(*node)) co_await reclaim(std::move(node));
}

io::Task<Result<void>> VolumeImpl::finish(Node& node, Closing closing) {
  OpenState& open = *node.open;
  if (!open.object) {
    // Noted first: who asks meanwhile finds the time in one of the two.
    if (open.pending_atime && !node.orphan) co_await note_access(node.inode, *open.pending_atime);
    clear_object(node);
    co_return Result<void>();
  }
  if (open.cold) {
    co_await open.cold->close();
    // All of it has been read: the next open can go past us.
    if (open.cold->complete() && !node.orphan && !followed_) {
      Attr attr = CO_TRY(co_await meta_.getattr(node.inode));
      if (attr.content.evicted) (void)co_await bring_back(node, attr, nullptr);
    }
    co_await drop_cold(node);
  }
  if (!open.live) {
    Result<io::FileStat> stat = co_await open.object->file().stat();
    if (stat && stat->atime != open.base_atime && !node.orphan) co_await note_access(node.inode, stat->atime);
    clear_object(node);
    co_return Result<void>();
  }
  if (lingers(node, closing)) co_return Result<void>();
  if (node.orphan && CO_TRY(co_await meta_.getattr(node.inode)).nlink == 0) {
    co_await discard_object(node);
    co_return Result<void>();
  }
  io::FileStat stat = CO_TRY(co_await open.object->file().stat());
  if (node.kind) sizes_.learn(*node.kind, stat.bytes <= options_.inline_max_bytes);
  // On failure the object stays where it is, as the record says: the background sync tries again.
  if (open.memory) {
    CO_TRY(co_await finish_in_memory(node, stat));
  } else if (open.lent) {
    CO_TRY(co_await finish_lent(node, stat));
  } else {
    CO_TRY(co_await finish_settled(node, stat));
  }
  note_change(node);
  co_return Result<void>();
}

// What an orphan held: the scratch file goes back to the pool, a settled backing goes when the records go.
io::Task<void> VolumeImpl::discard_object(Node& node) {
  if (node.open->lent && !node.open->memory) {
    meta::ContentUpdate update;
    update.content = meta::Content{};
    update.inline_data = "";
    update.size = 0;
    Result<Attr> updated = co_await meta_.update_content(node.inode, update);
    data::ObjectRef object = node.open->object;
    clear_object(node);
    if (!updated) co_return;
    // Where nobody can tell whether it is still mapped, it is not lent again.
    if (object->passthrough_id() > 0 && object->file().open_elsewhere() != false) {
      std::lock_guard removals(removals_mutex_);
      removals_.push_back(object->id());
    } else {
      co_await give_back(std::move(object));
    }
    co_return;
  }
  clear_object(node);
}

void VolumeImpl::clear_object(Node& node) {
  const bool live = node.open->live;
  std::unique_ptr<OpenState> gone;
  {
    std::lock_guard lock(node.state_mutex);
    gone = std::move(node.open);
    ++node.closings;
  }
  if (!live) return;
  std::lock_guard lock(open_nodes_mutex_);
  open_nodes_.erase(node.inode);
}

io::Task<Result<void>> VolumeImpl::finish_in_memory(Node& node, const io::FileStat& stat) {
  OpenState& open = *node.open;
  meta::ContentUpdate update;
  add_times(open, stat, update);
  std::string content = open.memory->content();
  const bool saved = open.shadowed && open.shadow_bytes == content.size() &&
                     open.shadow_hash == XXH3_64bits(content.data(), content.size());
  if (!saved) {
    update.size = stat.bytes;
    update.allocated_bytes = stat.allocated_bytes;
    update.inline_data = std::move(content);
  }
  if (!saved || update.mtime || update.atime) CO_TRY(co_await meta_.update_content(node.inode, update));
  clear_object(node);
  co_return Result<void>();
}

void VolumeImpl::add_times(const OpenState& open, const io::FileStat& stat, meta::ContentUpdate& update) {
  if (stat.mtime != open.base_mtime) {
    update.mtime = stat.mtime;
    update.ctime = stat.mtime;
  }
  if (stat.atime != open.base_atime) update.atime = stat.atime;
}

meta::ContentUpdate VolumeImpl::changes_of(const OpenState& open, const io::FileStat& stat) {
  meta::ContentUpdate update;
  update.size = stat.bytes;
  update.allocated_bytes = stat.allocated_bytes;
  add_times(open, stat, update);
  return update;
}

io::Task<Result<void>> VolumeImpl::record_object(Node& node, const io::FileStat& stat) {
  Attr before;
  if (settling_) before = CO_TRY(co_await meta_.getattr(node.inode));
  CO_TRY(co_await meta_.update_content(node.inode, changes_of(*node.open, stat)));
  note_recorded(before, stat.allocated_bytes);
  rebase_on(node, stat);
  co_return Result<void>();
}

io::Task<Result<std::string>> VolumeImpl::read_whole(data::Object& object, uint64_t bytes) {
  std::string content(bytes, '\0');
  const size_t got = CO_TRY(co_await object.file().read(0, std::as_writable_bytes(std::span(content))));
  content.resize(got);
  co_return std::move(content);
}

io::Task<Result<void>> VolumeImpl::finish_lent(Node& node, const io::FileStat& stat) {
  OpenState& open = *node.open;
  const bool may_recycle = open.object->passthrough_id() <= 0 || open.object->file().open_elsewhere() == false;
  if (stat.bytes > options_.inline_max_bytes || !may_recycle) {
    CO_TRY(co_await settle(node, stat));
    mark_unsynced(node.inode);
    clear_object(node);
    co_return Result<void>();
  }
  meta::ContentUpdate update;
  update.content = meta::Content{};
  update.size = stat.bytes;
  update.allocated_bytes = (stat.bytes + 511) / 512 * 512;
  add_times(open, stat, update);
  update.inline_data = CO_TRY(co_await read_whole(*open.object, stat.bytes));
  CO_TRY(co_await meta_.update_content(node.inode, update));
  data::ObjectRef object = open.object;
  clear_object(node);
  co_await give_back(std::move(object));
  co_return Result<void>();
}

io::Task<Result<void>> VolumeImpl::finish_settled(Node& node, const io::FileStat& stat) {
  CO_TRY(co_await record_object(node, stat));
  mark_unsynced(node.inode);
  if (settling_) settling_->note_closed(stat.allocated_bytes);
  clear_object(node);
  co_return Result<void>();
}

// The scratch file becomes the content's home, in place. The record stays live: only the backing knows which of its
// bytes, and how much of its size, a power cut would leave.
io::Task<Result<void>> VolumeImpl::settle(Node& node, const io::FileStat& stat) {
  OpenState& open = *node.open;
  if (open.inline_behind && durable_here()) CO_TRY(co_await sync_object(node, true));
  CO_TRY(co_await data_.settle(open.object));
  meta::ContentUpdate update = changes_of(open, stat);
  update.content = meta::Content{.backing = open.object->id(), .settled = true, .live = true};
  update.inline_data = "";
  CO_TRY(co_await meta_.update_content(node.inode, update));
  if (settling_) {
    if (node.made_in != InodeId())
      options_.tiers->uploader.order().note(node.inode, node.made_in, std::move(node.made_as));
    node.made_in = InodeId();
    settling_->note_hot(node.inode, static_cast<int64_t>(stat.allocated_bytes));
    settling_->note_closed(stat.allocated_bytes);
  }
  std::lock_guard lock(node.state_mutex);
  open.lent = false;
  open.inline_behind = false;
  open.base_mtime = stat.mtime;
  open.base_atime = stat.atime;
  co_return Result<void>();
}

io::Task<void> VolumeImpl::give_back(data::ObjectRef object) {
  data_.give_back(std::move(object));
  if (++given_back_ >= kRecycleBatch) co_await recycle();
}

// Once the log has reached the operating system, no crash of this process can bring back a record that refers to
// the waiting scratch files. (A power cut may, but then those references are void: meta::Content invariant 3.)
io::Task<void> VolumeImpl::recycle() {
  given_back_ = 0;
  std::vector<data::ObjectRef> waiting = data_.take_waiting();
  if (waiting.empty()) co_return;
  if (meta_.flush_to_os()) {
    co_await data_.make_ready(std::move(waiting));
  } else {
    for (data::ObjectRef& object : waiting) data_.give_back(std::move(object));
  }
}

io::Task<void> VolumeImpl::remove_backings() {
  std::vector<BackingId> removals;
  {
    std::lock_guard lock(removals_mutex_);
    removals.swap(removals_);
  }
  if (removals.empty()) co_return;
  // No record that a crash brings back refers to files of a cache.
  const bool synced = !durable_here() || (co_await meta_.sync(meta_.last_version())).has_value();
  for (BackingId id : removals) {
    if (synced && co_await data_.remove(id)) continue;
    std::lock_guard lock(removals_mutex_);
    removals_.push_back(id);
  }
}

}  // namespace firn::vfs
