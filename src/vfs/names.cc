// Operations on names, and what becomes of an inode whose last name is gone.
#include "vfs/volume_impl.h"

namespace firn::vfs {

io::Task<Result<Attr>> VolumeImpl::lookup(const Credentials& who, InodeId parent, std::string_view name) {
  Result<Attr> attr = co_await meta_.lookup(who, parent, name);
  if (attr && attr->type == meta::FileType::kRegular) co_await overlay(*attr);
  co_return attr;
}

io::Task<Result<Attr>> VolumeImpl::make_node(const Credentials& who, InodeId parent, std::string_view name,
                                             const meta::NodeSpec& spec) {
  if (options_.read_only) co_return fail(Code::kReadOnly);
  if (spec.like && spec.like->content.size() > options_.inline_max_bytes) co_return fail(Code::kFileTooBig);
  if ((spec.like || short_of_space()) && !has_room_for(0)) CO_TRY(co_await wait_for_room(0));
  Result<Attr> attr = co_await meta_.make_node(who, parent, name, spec);
  if (attr) notify_entry(who.door, parent, name);
  co_return attr;
}

io::Task<Result<Attr>> VolumeImpl::link(const Credentials& who, InodeId inode, InodeId parent, std::string_view name) {
  NodeRef node = nodes_.acquire(inode);
  auto lock = co_await node->mutex.lock();
  Attr attr = CO_TRY(co_await meta_.link(who, inode, parent, name));
  if (node->orphan.exchange(false)) --orphans_waiting_;
  note_change(*node);
  co_await overlay(attr);
  notify_entry(who.door, parent, name);
  notify_inode(who.door, inode, false);
  co_return attr;
}

io::Task<Result<Frozen>> VolumeImpl::freeze(Node& node, const Attr& expected, Attr* record) {
  if (node.inode != expected.inode) co_return fail(Code::kStale);
  Frozen frozen = co_await shut_writes(node);
  if (is_written_past(node)) co_return fail(Code::kBusy, "a program has it open for writing");
  *record = CO_TRY(co_await meta_.getattr(node.inode));
  Attr now = *record;
  if (now.type == meta::FileType::kRegular) co_await overlay(now);
  if (!same_version(now, expected)) co_return fail(Code::kStale);
  co_return std::move(frozen);
}

io::Task<Result<void>> VolumeImpl::unlink(const Credentials& who, InodeId parent, std::string_view name,
                                          const Attr* expected) {
  Result<Attr> attr = co_await meta_.lookup(who, parent, name);
  if (attr && (attr->nlink == 1 || expected) && attr->type != meta::FileType::kDirectory)
    co_return co_await unlink_held(who, parent, name, *attr, expected);
  meta::Removed removed = CO_TRY(co_await meta_.unlink(who, parent, name));
  notify_entry(who.door, parent, name);
  co_return co_await after_removal(who, removed.attr);
}

// A file that nobody has open goes in one transaction. Its lock keeps it closed meanwhile.
io::Task<Result<void>> VolumeImpl::unlink_held(const Credentials& who, InodeId parent, std::string_view name, Attr attr,
                                               const Attr* expected) {
  const InodeId inode = attr.inode;
  NodeRef node = nodes_.acquire(inode);
  auto lock = co_await node->mutex.lock();
  std::optional<Frozen> frozen;
  if (expected) frozen.emplace(CO_TRY(co_await freeze(*node, *expected, &attr)));
  const bool unheld = !node->open && !node->orphan;
  meta::Removed removed = CO_TRY(co_await meta_.unlink(
      who, parent, name, {.unheld = unheld ? inode : InodeId{}, .expected = expected ? &attr : nullptr}));
  notify_entry(who.door, parent, name);
  if (!removed.reclaimed) {
    frozen.reset();
    lock.release();
    co_return co_await after_removal(who, removed.attr);
  }
  note_change(*node);
  notify_inode(who.door, inode, false);
  {
    // For whoever still has a descriptor of the inode without having it open (O_PATH).
    std::lock_guard state(node->state_mutex);
    node->tombstone = std::make_unique<Attr>(removed.attr);
  }
  remove_later(removed.attr);
  co_return Result<void>();
}

// Not at once: were the log lost, the file would be back without its content.
void VolumeImpl::remove_later(const Attr& removed) {
  const meta::Content& content = removed.content;
  if (!content.backing) return;
  if (settling_ && content.settled && !content.evicted)
    settling_->note_hot(removed.inode, -static_cast<int64_t>(removed.allocated_bytes));
  if (settling_ && content.evicted) settling_->note_emptied(content.backing);
  std::lock_guard removals(removals_mutex_);
  removals_.push_back(content.backing);
}

io::Task<Result<void>> VolumeImpl::rmdir(const Credentials& who, InodeId parent, std::string_view name,
                                         const Attr* expected) {
  meta::Removed removed = CO_TRY(co_await meta_.rmdir(who, parent, name, expected));
  notify_entry(who.door, parent, name);
  co_return co_await after_removal(who, removed.attr);
}

io::Task<Result<void>> VolumeImpl::rename(const Credentials& who, InodeId parent, std::string_view name,
                                          InodeId new_parent, std::string_view new_name, meta::RenameOptions options) {
  // Replacing a file by rename is how programs save: what the new name shows after a power cut must be whole, so the
  // moved file's bytes go to the log, or to the disk, before the name does.
  if (!options.exchange) {
    Result<Attr> moved = co_await meta_.lookup(who, parent, name);
    if (moved && (moved->content.live || unsaved(moved->inode))) {
      Result<Attr> target = co_await meta_.lookup(who, new_parent, new_name);
      if (target && target->inode != moved->inode) CO_TRY(co_await flush_before_replacing(*moved));
    }
  }
  meta::Renamed renamed = CO_TRY(co_await (options.moves || options.replaces
                                               ? rename_version(who, parent, name, new_parent, new_name, options)
                                               : meta_.rename(who, parent, name, new_parent, new_name, options)));
  if (NodeRef node = nodes_.find(renamed.moved.inode)) note_change(*node);
  notify_entry(who.door, parent, name);
  notify_entry(who.door, new_parent, new_name);
  if (renamed.replaced && !options.exchange) co_return co_await after_removal(who, *renamed.replaced);
  co_return Result<void>();
}

io::Task<Result<meta::Renamed>> VolumeImpl::rename_version(const Credentials& who, InodeId parent,
                                                           std::string_view name, InodeId new_parent,
                                                           std::string_view new_name, meta::RenameOptions options) {
  if (options.moves && options.replaces) co_return fail(Code::kInvalid);
  const Attr*& expected = options.moves ? options.moves : options.replaces;
  NodeRef node = nodes_.acquire(expected->inode);
  auto lock = co_await node->mutex.lock();
  Attr record;
  const Frozen frozen = CO_TRY(co_await freeze(*node, *expected, &record));
  expected = &record;
  co_return co_await meta_.rename(who, parent, name, new_parent, new_name, options);
}

bool VolumeImpl::unsaved(InodeId inode) {
  NodeRef node = nodes_.find(inode);
  if (!node) return false;
  std::lock_guard lock(node->state_mutex);
  return node->open && node->open->live;
}

io::Task<Result<void>> VolumeImpl::flush_before_replacing(const Attr& moved) {
  NodeRef node = nodes_.acquire(moved.inode);
  const Sending sending(*node, !durable_here());
  auto lock = co_await node->mutex.lock();
  CO_TRY(co_await checkpoint(*node));
  if (!durable_here()) co_return co_await send(*node);
  if (node->open && node->open->live) {
    if (!node->open->lent) CO_TRY(co_await sync_object(*node, true));
    co_return Result<void>();
  }
  Attr attr = CO_TRY(co_await meta_.getattr(moved.inode));
  if (!attr.content.live || !attr.content.settled) co_return Result<void>();
  data::ObjectRef object = CO_TRY(co_await data_.open(attr.content.backing));
  co_return co_await object->file().sync(true);
}

io::Task<Result<std::string>> VolumeImpl::readlink(InodeId inode) {
  std::string target = CO_TRY(co_await meta_.readlink(inode));
  co_await note_access(inode);
  co_return target;
}

io::Task<Result<void>> VolumeImpl::after_removal(const Credentials& who, const Attr& removed) {
  NodeRef node = nodes_.acquire(removed.inode);
  note_change(*node);
  notify_inode(who.door, removed.inode, false);
  if (removed.nlink > 0) co_return Result<void>();
  node->orphan = true;
  ++orphans_waiting_;
  if (nodes_.unused_but_for_caller(*node)) co_await reclaim(std::move(node));
  co_return Result<void>();
}

io::Task<void> VolumeImpl::unpin(InodeId inode, uint64_t count) {
  if (NodeRef node = nodes_.unpin(inode, count)) co_await reclaim(std::move(node));
}

io::Task<void> VolumeImpl::reclaim(NodeRef node) {
  auto lock = co_await node->mutex.lock();
  if (!node->orphan || node->open) co_return;
  Result<std::optional<Attr>> gone = co_await meta_.reclaim(node->inode);
  if (!gone) co_return;  // stays on the orphan list: the sweep tries again
  node->orphan = false;
  --orphans_waiting_;
  if (*gone) remove_later(**gone);
}

}  // namespace firn::vfs
