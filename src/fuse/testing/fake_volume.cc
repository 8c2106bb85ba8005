#include "fuse/testing/fake_volume.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/time.h"
#include "fuse/testing/fake_node.h"

namespace firn::fuse::testing {

namespace {

Status last_error() { return Status::from_errno(errno); }

uint32_t type_bits(meta::FileType type) { return type == meta::FileType::kDirectory ? 1 : 0; }

}  // namespace

FakeVolume::FakeVolume() {
  auto root = std::make_shared<Node>();
  root->attr.inode = root->attr.parent = kRootInode;
  root->attr.type = meta::FileType::kDirectory;
  root->attr.mode = 01777;
  root->attr.nlink = 2;
  root->attr.mtime = root->attr.ctime = root->attr.atime = root->attr.btime = system_clock().now();
  nodes_[kRootInode] = std::move(root);
}

FakeVolume::~FakeVolume() {
  for (OpenFile* file : open_) delete file;
}

Result<FakeVolume::NodeRef> FakeVolume::find(InodeId inode) const {
  const auto found = nodes_.find(inode);
  if (found == nodes_.end()) return fail(Code::kNotFound);
  return found->second;
}

Result<FakeVolume::NodeRef> FakeVolume::child(InodeId parent, std::string_view name) const {
  const NodeRef directory = TRY(find(parent));
  const auto found = directory->children.find(name);
  if (found == directory->children.end()) return fail(Code::kNotFound);
  return find(found->second.second);
}

FakeVolume::NodeRef FakeVolume::make(const meta::Credentials& who, const meta::NodeSpec& spec, InodeId parent) {
  auto node = std::make_shared<Node>();
  meta::Attr& attr = node->attr;
  attr.inode = InodeId(next_inode_++);
  attr.type = spec.type;
  attr.mode = spec.mode & ~spec.umask;
  attr.nlink = 1 + type_bits(spec.type);
  attr.uid = who.uid;
  attr.gid = who.gid;
  attr.rdev = spec.rdev;
  attr.parent = parent;
  attr.atime = attr.mtime = attr.ctime = attr.btime = system_clock().now();
  node->target = spec.target;
  if (spec.type == meta::FileType::kSymlink) attr.size = spec.target.size();
  if (spec.type == meta::FileType::kRegular) node->data = Fd(memfd_create("fake", MFD_CLOEXEC));
  nodes_[attr.inode] = node;
  return node;
}

void FakeVolume::drop(const NodeRef& node) {
  node->attr.ctime = system_clock().now();
  if (node->attr.nlink > 0) --node->attr.nlink;
  if (node->attr.nlink == 0 && node->opens == 0 && pins_[node->attr.inode] == 0) nodes_.erase(node->attr.inode);
}

uint64_t FakeVolume::pins(InodeId inode) const {
  std::lock_guard lock(mutex_);
  const auto found = pins_.find(inode);
  return found == pins_.end() ? 0 : found->second;
}

size_t FakeVolume::open_handles() const {
  std::lock_guard lock(mutex_);
  return open_.size();
}

size_t FakeVolume::inodes() const {
  std::lock_guard lock(mutex_);
  return nodes_.size();
}

void FakeVolume::create_behind(InodeId parent, const std::string& name) {
  std::lock_guard lock(mutex_);
  const NodeRef node = make({}, {.mode = 0644}, parent);
  (*find(parent))->children[name] = {next_cookie_++, node->attr.inode};
  if (observer_) observer_->entry_changed(parent, name);
  if (observer_) observer_->inode_changed(parent, true);
}

io::Task<Result<meta::Attr>> FakeVolume::lookup(Who, InodeId parent, std::string_view name) {
  std::lock_guard lock(mutex_);
  const NodeRef node = CO_TRY(child(parent, name));
  co_return node->current();
}

io::Task<Result<meta::Attr>> FakeVolume::make_node(Who who, InodeId parent, std::string_view name,
                                                   const meta::NodeSpec& spec) {
  std::lock_guard lock(mutex_);
  if (child(parent, name)) co_return fail(Code::kExists);
  const NodeRef directory = CO_TRY(find(parent));
  const NodeRef node = make(who, spec, parent);
  directory->children[std::string(name)] = {next_cookie_++, node->attr.inode};
  directory->attr.nlink += type_bits(spec.type);
  directory->attr.mtime = directory->attr.ctime = system_clock().now();
  co_return node->current();
}

io::Task<Result<meta::Attr>> FakeVolume::link(Who, InodeId inode, InodeId parent, std::string_view name) {
  std::lock_guard lock(mutex_);
  if (child(parent, name)) co_return fail(Code::kExists);
  const NodeRef directory = CO_TRY(find(parent));
  const NodeRef node = CO_TRY(find(inode));
  directory->children[std::string(name)] = {next_cookie_++, inode};
  ++node->attr.nlink;
  co_return node->current();
}

io::Task<Result<void>> FakeVolume::unlink(Who, InodeId parent, std::string_view name, const meta::Attr*) {
  std::lock_guard lock(mutex_);
  const NodeRef node = CO_TRY(child(parent, name));
  if (node->attr.type == meta::FileType::kDirectory) co_return fail(Code::kIsDirectory);
  (*find(parent))->children.erase(std::string(name));
  drop(node);
  co_return {};
}

io::Task<Result<void>> FakeVolume::rmdir(Who, InodeId parent, std::string_view name, const meta::Attr*) {
  std::lock_guard lock(mutex_);
  const NodeRef node = CO_TRY(child(parent, name));
  if (node->attr.type != meta::FileType::kDirectory) co_return fail(Code::kNotDirectory);
  if (!node->children.empty()) co_return fail(Code::kNotEmpty);
  const NodeRef directory = *find(parent);
  directory->children.erase(std::string(name));
  --directory->attr.nlink;
  node->attr.nlink = 1;
  drop(node);
  co_return {};
}

io::Task<Result<void>> FakeVolume::rename(Who, InodeId parent, std::string_view name, InodeId new_parent,
                                          std::string_view new_name, meta::RenameOptions options) {
  std::lock_guard lock(mutex_);
  const NodeRef node = CO_TRY(child(parent, name));
  const auto target = child(new_parent, new_name);
  if (options.no_replace && target) co_return fail(Code::kExists);
  if (options.exchange && !target) co_return fail(Code::kNotFound);
  const NodeRef from = *find(parent), to = CO_TRY(find(new_parent));
  if (options.exchange) {
    std::swap(from->children[std::string(name)].second, to->children[std::string(new_name)].second);
    co_return {};
  }
  from->children.erase(std::string(name));
  to->children[std::string(new_name)] = {next_cookie_++, node->attr.inode};
  if (target) drop(*target);
  co_return {};
}

io::Task<Result<std::string>> FakeVolume::readlink(InodeId inode) {
  std::lock_guard lock(mutex_);
  const NodeRef node = CO_TRY(find(inode));
  co_return node->target;
}

io::Task<Result<meta::Attr>> FakeVolume::getattr(InodeId inode) {
  std::lock_guard lock(mutex_);
  const NodeRef node = CO_TRY(find(inode));
  co_return node->current();
}

io::Task<Result<meta::Attr>> FakeVolume::setattr(Who, InodeId inode, const vfs::Change& change, vfs::Handle*) {
  std::lock_guard lock(mutex_);
  const NodeRef node = CO_TRY(find(inode));
  const meta::SetAttr& set = change.attributes;
  meta::Attr& attr = node->attr;
  const Timestamp now = system_clock().now();
  attr.mode = set.mode.value_or(attr.mode);
  attr.uid = set.uid.value_or(attr.uid);
  attr.gid = set.gid.value_or(attr.gid);
  attr.flags = set.flags.value_or(attr.flags);
  attr.atime = set.atime_now ? now : set.atime.value_or(attr.atime);
  attr.mtime = set.mtime_now ? now : set.mtime.value_or(attr.mtime);
  attr.ctime = now;
  if (set.kill_set_ids) attr.mode &= ~static_cast<uint32_t>(S_ISUID | (attr.mode & S_IXGRP ? S_ISGID : 0));
  if (change.size && ftruncate(node->data.get(), static_cast<off_t>(*change.size)) != 0) co_return fail(last_error());
  co_return node->current();
}

io::Task<Result<void>> FakeVolume::access(Who, InodeId, int) { co_return {}; }

io::Task<Result<std::string>> FakeVolume::getxattr(Who, InodeId inode, std::string_view name) {
  std::lock_guard lock(mutex_);
  const NodeRef node = CO_TRY(find(inode));
  const auto found = node->xattrs.find(name);
  if (found == node->xattrs.end()) co_return fail(Code::kNoAttribute);
  co_return found->second;
}

io::Task<Result<void>> FakeVolume::setxattr(Who, InodeId inode, std::string_view name, std::string_view value,
                                            meta::XattrMode mode) {
  std::lock_guard lock(mutex_);
  const NodeRef node = CO_TRY(find(inode));
  const bool there = node->xattrs.contains(name);
  if (mode == meta::XattrMode::kCreate && there) co_return fail(Code::kExists);
  if (mode == meta::XattrMode::kReplace && !there) co_return fail(Code::kNoAttribute);
  node->xattrs[std::string(name)] = value;
  co_return {};
}

io::Task<Result<std::vector<std::string>>> FakeVolume::listxattr(Who, InodeId inode) {
  std::lock_guard lock(mutex_);
  const NodeRef node = CO_TRY(find(inode));
  std::vector<std::string> names;
  for (const auto& [name, value] : node->xattrs) names.push_back(name);
  co_return names;
}

io::Task<Result<void>> FakeVolume::removexattr(Who, InodeId inode, std::string_view name) {
  std::lock_guard lock(mutex_);
  const NodeRef node = CO_TRY(find(inode));
  if (node->xattrs.erase(std::string(name)) == 0) co_return fail(Code::kNoAttribute);
  co_return {};
}

io::Task<Result<vfs::DirHandle*>> FakeVolume::open_directory(Who, InodeId inode) {
  std::lock_guard lock(mutex_);
  const NodeRef node = CO_TRY(find(inode));
  co_return reinterpret_cast<vfs::DirHandle*>(add_open(node));
}

void FakeVolume::release_directory(vfs::DirHandle* handle) {
  std::lock_guard lock(mutex_);
  remove_open(reinterpret_cast<OpenFile*>(handle));
}

io::Task<Result<std::vector<vfs::Listed>>> FakeVolume::list(vfs::DirHandle* handle, uint64_t cookie, size_t limit,
                                                            bool attributes) {
  std::lock_guard lock(mutex_);
  const Node& node = *reinterpret_cast<OpenFile*>(handle)->node;
  std::map<uint64_t, vfs::Listed> by_cookie;
  by_cookie[1] = {".", node.attr.inode, meta::FileType::kDirectory, 1, {}};
  by_cookie[2] = {"..", node.attr.parent, meta::FileType::kDirectory, 2, {}};
  for (const auto& [name, value] : node.children) {
    const meta::Attr attr = nodes_.at(value.second)->current();
    vfs::Listed entry{name, attr.inode, attr.type, value.first, {}};
    if (attributes) entry.attr = attr;
    by_cookie[value.first] = std::move(entry);
  }
  std::vector<vfs::Listed> out;
  for (auto next = by_cookie.upper_bound(cookie); next != by_cookie.end() && out.size() < limit; ++next) {
    out.push_back(std::move(next->second));
  }
  co_return out;
}

io::Task<Result<std::vector<vfs::Listed>>> FakeVolume::list_after(InodeId directory, std::string name, size_t limit) {
  std::lock_guard lock(mutex_);
  const auto& children = nodes_.at(directory)->children;
  std::vector<vfs::Listed> out;
  for (auto next = children.upper_bound(name); next != children.end() && out.size() < limit; ++next) {
    const meta::Attr attr = nodes_.at(next->second.second)->current();
    out.push_back({next->first, attr.inode, attr.type, 0, attr});
  }
  co_return out;
}

io::Task<Result<void>> FakeVolume::fsync_directory(InodeId) { co_return {}; }
io::Task<Result<void>> FakeVolume::sync_all() { co_return {}; }
io::Task<Result<vfs::StatFs>> FakeVolume::statfs() {
  co_return vfs::StatFs{.blocks = 1000, .free_blocks = 600, .available_blocks = 500, .inodes = 77, .free_inodes = 33};
}
vfs::VolumeStatistics FakeVolume::statistics() const { return {}; }

void FakeVolume::pin(InodeId inode) {
  std::lock_guard lock(mutex_);
  ++pins_[inode];
}

io::Task<void> FakeVolume::unpin(InodeId inode, uint64_t count) {
  std::lock_guard lock(mutex_);
  uint64_t& pins = pins_[inode];
  pins -= std::min(pins, count);
  const auto node = find(inode);
  if (pins == 0 && node && (*node)->attr.nlink == 0 && (*node)->opens == 0) nodes_.erase(inode);
  co_return;
}

void FakeVolume::set_passthrough_registrar(std::function<int32_t(int fd)> open, std::function<void(int32_t id)> close) {
  std::lock_guard lock(mutex_);
  register_ = std::move(open);
  unregister_ = std::move(close);
}

void FakeVolume::add_observer(vfs::DoorId, vfs::CacheObserver* observer) {
  std::lock_guard lock(mutex_);
  observer_ = observer;
}

void FakeVolume::remove_observer(vfs::DoorId) {
  std::lock_guard lock(mutex_);
  observer_ = nullptr;
}

io::Task<Result<void>> FakeVolume::start() { co_return {}; }
io::Task<Result<void>> FakeVolume::stop() { co_return {}; }

// It has no colder tiers.
io::Task<Result<tier::UploadSummary>> FakeVolume::flush_tiers(const vfs::FileSet*, io::CancelToken*) {
  co_return fail(Code::kNotSupported);
}
io::Task<Result<uint64_t>> FakeVolume::evict(InodeId) { co_return fail(Code::kNotSupported); }
io::Task<Result<uint64_t>> FakeVolume::warm(InodeId, io::CancelToken*) { co_return fail(Code::kNotSupported); }
io::Task<Result<vfs::Residency>> FakeVolume::residency(InodeId) { co_return fail(Code::kNotSupported); }
io::Task<Result<meta::Attr>> FakeVolume::set_policy(Who, InodeId, meta::PolicyChange) {
  co_return fail(Code::kNotSupported);
}
io::Task<Result<std::vector<vfs::PendingFile>>> FakeVolume::list_pending(InodeId, size_t) {
  co_return fail(Code::kNotSupported);
}
io::Task<Result<bool>> FakeVolume::at_rest(InodeId, tier::AtRest) { co_return fail(Code::kNotSupported); }

}  // namespace firn::fuse::testing
