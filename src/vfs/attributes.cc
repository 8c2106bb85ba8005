// Attributes: the record's, with what an open object knows better on top.
#include <algorithm>

#include "meta/witness.h"
#include "vfs/policy.h"
#include "vfs/volume_impl.h"

namespace firn::vfs {

namespace {

// What is open, at one moment.
struct OpenView {
  data::ObjectRef object;
  Timestamp base_mtime, base_atime;
  std::optional<Timestamp> pending_atime;
  bool live = false;
  uint64_t closings = 0;
};

OpenView view_of(Node& node) {
  std::lock_guard lock(node.state_mutex);
  OpenView view{.closings = node.closings};
  if (!node.open) return view;
  const OpenState& open = *node.open;
  view.object = open.object;
  view.base_mtime = open.base_mtime;
  view.base_atime = open.base_atime;
  view.pending_atime = open.pending_atime;
  view.live = open.live;
  return view;
}

}  // namespace

// A close since the record was read has made it newer, and the object another file's.
io::Task<void> VolumeImpl::reread(Attr& attr) {
  Result<Attr> newer = co_await meta_.getattr(attr.inode);
  if (!newer) co_return;
  attr = std::move(*newer);
  accesses_.overlay(attr);
}

io::Task<void> VolumeImpl::overlay(Attr& attr) {
  accesses_.overlay(attr);
  NodeRef node = nodes_.find(attr.inode);
  if (!node) co_return;
  const OpenView view = view_of(*node);
  if (view.pending_atime) attr.atime = std::max(attr.atime, *view.pending_atime);
  if (!view.object) {
    if (attr.content.live) co_await reread(attr);
    co_return;
  }
  Result<io::FileStat> stat = co_await view.object->file().stat();
  if (!stat) co_return;
  if (node->closings != view.closings) {
    co_await reread(attr);
    co_return;
  }
  if (stat->atime != view.base_atime) attr.atime = stat->atime;
  if (!view.live) co_return;
  attr.size = stat->bytes;
  attr.allocated_bytes = stat->allocated_bytes;
  if (stat->mtime != view.base_mtime) {
    attr.mtime = stat->mtime;
    attr.ctime = std::max(attr.ctime, stat->mtime);
  }
}

io::Task<Result<Attr>> VolumeImpl::getattr(InodeId inode) {
  for (;;) {
    NodeRef node = nodes_.find(inode);
    const uint64_t closings = node ? node->closings.load() : 0;
    Result<Attr> attr = co_await meta_.getattr(inode);
    if (!attr && node) {
      std::lock_guard lock(node->state_mutex);
      if (node->tombstone) co_return *node->tombstone;
    }
    if (attr && attr->type == meta::FileType::kRegular) co_await overlay(*attr);
    // A close in between has moved what the overlay knew into the record.
    if (!node || node->closings == closings) co_return attr;
  }
}

// Reads before a time is set do not count after it.
io::Task<void> VolumeImpl::forget_accesses(Node& node) {
  {
    std::lock_guard lock(node.state_mutex);
    if (node.open) node.open->pending_atime.reset();
  }
  co_await accesses_.forget(node.inode);
}

io::Task<Result<Attr>> VolumeImpl::setattr(const Credentials& who, InodeId inode, const Change& change,
                                           Handle* handle) {
  NodeRef node = nodes_.acquire(inode);
  if (change.size && !has_room_for(0) && CO_TRY(co_await getattr(inode)).size < *change.size)
    CO_TRY(co_await wait_for_room(0));
  auto lock = co_await node->mutex.lock();
  Result<Attr> attr = co_await (change.guard || who.witness ? apply_frozen(who, *node, change, handle)
                                                            : apply(who, *node, change, handle));
  if (attr) notify_inode(who.door, inode, change.size.has_value());
  co_return attr;
}

io::Task<Result<Attr>> VolumeImpl::apply(const Credentials& who, Node& node, const Change& change, Handle* handle) {
  meta::SetAttr attributes = change.attributes;
  if (change.size) {
    if (!handle && !who.kernel_checked && !change.may_resize)
      CO_TRY(co_await meta_.access(who, node.inode, 2 /* W_OK */));
    const meta::SetAttr touch{.expected = attributes.expected, .told_ctime = attributes.told_ctime};
    const Resize to{.size = *change.size,
                    .kill_set_ids = attributes.kill_set_ids || !who.privileged(),
                    .claim = touch.expected ? &touch : nullptr};
    attributes.expected = nullptr;
    attributes.kill_set_ids = false;
    attributes.mtime_now = false;  // the resize sets it
    const bool more = attributes.mode || attributes.uid || attributes.gid || attributes.atime || attributes.mtime ||
                      attributes.atime_now || attributes.flags || attributes.ctime;
    if (more) {
      meta::SetAttr check = attributes;
      check.only_checks = true;
      CO_TRY(co_await meta_.setattr(who, node.inode, check));
    }
    Attr attr = CO_TRY(co_await resize(who, node, to));
    if (!more) co_return attr;
  }
  co_return co_await set_attributes(who, node, attributes);
}

io::Task<Result<Attr>> VolumeImpl::apply_frozen(const Credentials& who, Node& node, Change change, Handle* handle) {
  const Frozen frozen = co_await shut_writes(node);
  const bool exact = !is_written_past(node);
  if (change.guard && !exact) co_return fail(Code::kBusy, "a program has it open for writing");
  for (;;) {
    const Attr record = CO_TRY(co_await meta_.getattr(node.inode));
    Attr before = record;
    if (before.type == meta::FileType::kRegular) co_await overlay(before);
    if (change.guard && before.ctime != *change.guard) co_return fail(Code::kStale);
    if (change.guard) change.attributes.expected = &record;
    change.attributes.told_ctime = before.ctime;
    meta::Witness transactions;
    Credentials witnessed = who;
    witnessed.witness = &transactions;
    Result<Attr> changed = co_await apply(witnessed, node, change, handle);
    // What needs no lock of the file's, as renaming it does, came in between: looked at again.
    if (!changed && changed.error().code() == Code::kStale && change.guard) continue;
    const meta::Witness::Seen* seen = changed ? transactions.find(node.inode) : nullptr;
    if (!who.witness || !exact || !seen || !seen->alone) co_return changed;
    // What was open knew more than the record did.
    if (node.open && seen->before != meta::version_of(record)) co_return changed;
    Attr after = seen->after;
    if (after.type == meta::FileType::kRegular) co_await overlay(after);
    who.witness->note(node.open ? meta::version_of(before) : seen->before, after);
    co_return changed;
  }
}

io::Task<Result<Attr>> VolumeImpl::set_attributes(const Credentials& who, Node& node, meta::SetAttr change) {
  const bool times = change.atime || change.mtime || change.atime_now || change.mtime_now;
  if (change.atime || change.atime_now) co_await forget_accesses(node);
  if (times && node.open && node.open->object) {
    // Times that the object knows better must not be lost when the base moves.
    io::FileStat stat = CO_TRY(co_await node.open->object->file().stat());
    meta::ContentUpdate fold;
    // Only of a file open for writing: what comes back from colder tiers changes the backing's mtime too.
    if (node.open->live && !change.mtime && !change.mtime_now && stat.mtime != node.open->base_mtime)
      fold.mtime = stat.mtime;
    if (!change.atime && !change.atime_now && stat.atime != node.open->base_atime) fold.atime = stat.atime;
    fold.witness = who.witness;
    CO_TRY(co_await meta_.setattr(who, node.inode, change));
    if (fold.mtime || fold.atime) CO_TRY(co_await meta_.update_content(node.inode, fold));
    // The kernel's own relatime rule, on the backing, is to see the same times.
    Attr set = CO_TRY(co_await meta_.getattr(node.inode));
    CO_TRY(co_await node.open->object->file().set_times(set.atime, set.mtime));
    CO_TRY(co_await rebase(node));
  } else {
    CO_TRY(co_await meta_.setattr(who, node.inode, change));
  }
  note_change(node);
  Attr attr = CO_TRY(co_await meta_.getattr(node.inode));
  co_await overlay(attr);
  co_return attr;
}

io::Task<Result<void>> VolumeImpl::access(const Credentials& who, InodeId inode, int mask) {
  return meta_.access(who, inode, mask);
}

// Of colder tiers there are attributes that nobody set: docs/tiering.md.
io::Task<Result<std::string>> VolumeImpl::tiers_attribute(InodeId inode) {
  const Attr attr = CO_TRY(co_await meta_.getattr(inode));
  if (attr.type != meta::FileType::kRegular) co_return fail(Code::kNoAttribute);
  co_return std::to_string(CO_TRY(co_await residency(inode)).bits);
}

io::Task<Result<std::string>> VolumeImpl::policy_attribute(InodeId inode) {
  const Attr attr = CO_TRY(co_await meta_.getattr(inode));
  if (attr.policy == meta::Policy()) co_return fail(Code::kNoAttribute);
  co_return policy_text(attr.policy, tier_names());
}

io::Task<Result<void>> VolumeImpl::set_policy_attribute(const Credentials& who, InodeId inode, std::string_view text,
                                                        meta::XattrMode mode) {
  const meta::PolicyChange change = CO_TRY(parse_policy(text, tier_names()));
  const bool is_set = CO_TRY(co_await meta_.getattr(inode)).policy != meta::Policy();
  if (is_set && mode == meta::XattrMode::kCreate) co_return fail(Code::kExists);
  if (!is_set && mode == meta::XattrMode::kReplace) co_return fail(Code::kNoAttribute);
  CO_TRY(co_await set_policy(who, inode, whole_policy(change)));
  co_return Result<void>();
}

io::Task<Result<std::string>> VolumeImpl::getxattr(const Credentials& who, InodeId inode, std::string_view name) {
  if (settling_ && name == kTiersAttribute) [[unlikely]]
    return tiers_attribute(inode);
  if (settling_ && name == kPolicyAttribute) [[unlikely]]
    return policy_attribute(inode);
  return meta_.getxattr(who, inode, name);
}

io::Task<Result<void>> VolumeImpl::note_xattr_change(const Credentials& who, InodeId inode, Result<void> result) {
  if (!result) co_return result;
  if (NodeRef node = nodes_.find(inode)) note_change(*node);
  notify_inode(who.door, inode, false);
  co_return result;
}

io::Task<Result<void>> VolumeImpl::setxattr(const Credentials& who, InodeId inode, std::string_view name,
                                            std::string_view value, meta::XattrMode mode) {
  if (settling_ && name == kTiersAttribute) co_return fail(Code::kNotPermitted);
  if (settling_ && name == kPolicyAttribute) co_return co_await set_policy_attribute(who, inode, value, mode);
  co_return co_await note_xattr_change(who, inode, co_await meta_.setxattr(who, inode, name, value, mode));
}

io::Task<Result<std::vector<std::string>>> VolumeImpl::listxattr(const Credentials& who, InodeId inode) {
  std::vector<std::string> names = CO_TRY(co_await meta_.listxattr(who, inode));
  if (settling_ && CO_TRY(co_await meta_.getattr(inode)).policy != meta::Policy()) names.emplace_back(kPolicyAttribute);
  co_return names;
}

io::Task<Result<void>> VolumeImpl::removexattr(const Credentials& who, InodeId inode, std::string_view name) {
  if (settling_ && name == kPolicyAttribute)
    co_return co_await set_policy_attribute(who, inode, "", meta::XattrMode::kReplace);
  co_return co_await note_xattr_change(who, inode, co_await meta_.removexattr(who, inode, name));
}

io::Task<Result<StatFs>> VolumeImpl::statfs() {
  io::DiskUsage disk = CO_TRY(co_await data_.usage());
  meta::Usage usage = CO_TRY(co_await meta_.usage());
  StatFs result;
  result.blocks = disk.total_bytes / result.block_bytes;
  result.free_blocks = disk.free_bytes / result.block_bytes;
  result.available_blocks = disk.available_bytes / result.block_bytes;
  // Inodes are records, not slots: what is free is what the free space could hold.
  result.free_inodes = disk.available_bytes / 512;
  result.inodes = usage.inodes + result.free_inodes;
  result.most_file_bytes = most_bytes();
  co_return result;
}

}  // namespace firn::vfs
