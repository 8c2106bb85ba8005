// The last close of a file: small content moves into the metadata store, a large scratch file becomes the backing.
#include <algorithm>

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
      --passthrough_files_;
    } else {
      --open.cached_opens;
    }
    if (open.opens == 0) {
      orphan = node->orphan;
      result = co_await finish(*node);
    }
  }
  if (orphan && nodes_.unused_but_for_caller(*node)) co_await reclaim(std::move(node));
  co_return result;
}

io::Task<Result<void>> VolumeImpl::finish(Node& node) {
  OpenState& open = *node.open;
  if (!open.object) {
    meta::ContentUpdate update;
    update.atime = open.pending_atime;
    clear_object(node);
    if (update.atime && !node.orphan) CO_TRY(co_await meta_.update_content(node.inode, update));
    co_return Result<void>();
  }
  if (!open.live) {
    Result<io::FileStat> stat = co_await open.object->file().stat();
    meta::ContentUpdate update;
    if (stat && stat->atime != open.base_atime) update.atime = stat->atime;
    if (update.atime) CO_TRY(co_await meta_.update_content(node.inode, update));
    clear_object(node);
    co_return Result<void>();
  }
  if (node.orphan) {
    co_await discard_object(node);
    co_return Result<void>();
  }
  io::FileStat stat = CO_TRY(co_await open.object->file().stat());
  // On failure the object stays where it is, as the record says: the background sync tries again.
  if (open.lent) {
    CO_TRY(co_await finish_lent(node, stat));
  } else {
    CO_TRY(co_await finish_settled(node, stat));
  }
  note_change(node);
  co_return Result<void>();
}

// What an orphan held: the scratch file goes back to the pool, a settled backing goes when the records go.
io::Task<void> VolumeImpl::discard_object(Node& node) {
  if (node.open->lent) {
    meta::ContentUpdate update;
    update.content = meta::Content{};
    Result<Attr> updated = co_await meta_.update_content(node.inode, update);
    data::ObjectRef object = node.open->object;
    clear_object(node);
    if (updated) co_await give_back(std::move(object));
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
  }
  if (!live) return;
  std::lock_guard lock(open_nodes_mutex_);
  open_nodes_.erase(node.inode);
}

void VolumeImpl::add_times(const OpenState& open, const io::FileStat& stat, meta::ContentUpdate& update) {
  if (stat.mtime != open.base_mtime) {
    update.mtime = stat.mtime;
    update.ctime = stat.mtime;
  }
  if (stat.atime != open.base_atime) update.atime = stat.atime;
}

io::Task<Result<std::string>> VolumeImpl::read_whole(data::Object& object, uint64_t bytes) {
  std::string content(bytes, '\0');
  const size_t got = CO_TRY(co_await object.file().read(0, std::as_writable_bytes(std::span(content))));
  content.resize(got);
  co_return std::move(content);
}

io::Task<Result<void>> VolumeImpl::finish_lent(Node& node, const io::FileStat& stat) {
  OpenState& open = *node.open;
  if (stat.bytes > options_.inline_max_bytes) {
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
  const bool saved = open.shadowed && open.shadow_mtime == stat.mtime && open.shadow_bytes == stat.bytes;
  if (!saved) update.inline_data = CO_TRY(co_await read_whole(*open.object, stat.bytes));
  CO_TRY(co_await meta_.update_content(node.inode, update));
  data::ObjectRef object = open.object;
  clear_object(node);
  co_await give_back(std::move(object));
  co_return Result<void>();
}

io::Task<Result<void>> VolumeImpl::finish_settled(Node& node, const io::FileStat& stat) {
  OpenState& open = *node.open;
  meta::ContentUpdate update;
  update.size = stat.bytes;
  update.allocated_bytes = stat.allocated_bytes;
  add_times(open, stat, update);
  CO_TRY(co_await meta_.update_content(node.inode, update));
  mark_unsynced(node.inode);
  clear_object(node);
  co_return Result<void>();
}

// The scratch file becomes the content's home, in place. The record stays live: only the backing knows which of its
// bytes, and how much of its size, a power cut would leave.
io::Task<Result<void>> VolumeImpl::settle(Node& node, const io::FileStat& stat) {
  OpenState& open = *node.open;
  if (open.inline_behind) CO_TRY(co_await open.object->file().sync(true));
  CO_TRY(co_await data_.settle(open.object));
  meta::ContentUpdate update;
  update.content = meta::Content{.backing = open.object->id(), .settled = true, .live = true};
  update.inline_data = "";
  update.size = stat.bytes;
  update.allocated_bytes = stat.allocated_bytes;
  add_times(open, stat, update);
  CO_TRY(co_await meta_.update_content(node.inode, update));
  std::lock_guard lock(node.state_mutex);
  open.lent = false;
  open.inline_behind = false;
  open.base_mtime = stat.mtime;
  open.base_atime = stat.atime;
  co_return Result<void>();
}

io::Task<void> VolumeImpl::give_back(data::ObjectRef object) {
  co_await data_.give_back(std::move(object));
  if (++given_back_ >= kRecycleBatch) recycle();
}

// Once the log has reached the operating system, no crash of this process can bring back a record that refers to
// the waiting scratch files. (A power cut may, but then those references are void: meta::Content invariant 3.)
void VolumeImpl::recycle() {
  given_back_ = 0;
  std::vector<data::ObjectRef> waiting = data_.take_waiting();
  if (waiting.empty()) return;
  if (!meta_.flush_to_os()) {
    for (data::ObjectRef& object : waiting) io::detach(data_.give_back(std::move(object)));
    return;
  }
  data_.make_ready(std::move(waiting));
}

}  // namespace firn::vfs
