#include "fuse/testing/fake_volume.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/time.h"

namespace firn::fuse::testing {

struct FakeVolume::Node {
  meta::Attr attr;
  Fd data;
  std::string target;
  std::map<std::string, std::pair<uint64_t, InodeId>, std::less<>> children;  // value: cookie, inode
  std::map<std::string, std::string, std::less<>> xattrs;
  int32_t passthrough_id = 0;
  size_t opens = 0;

  // The memfd is the truth of size and, after passthrough writes, of the times.
  meta::Attr current() const {
    meta::Attr out = attr;
    struct stat info{};
    if (data && fstat(data.get(), &info) == 0) {
      out.size = static_cast<uint64_t>(info.st_size);
      out.allocated_bytes = static_cast<uint64_t>(info.st_blocks) * 512;
    }
    return out;
  }
};

struct FakeVolume::OpenFile {
  NodeRef node;
};

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
  return open_handles_;
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

io::Task<Result<void>> FakeVolume::unlink(Who, InodeId parent, std::string_view name) {
  std::lock_guard lock(mutex_);
  const NodeRef node = CO_TRY(child(parent, name));
  if (node->attr.type == meta::FileType::kDirectory) co_return fail(Code::kIsDirectory);
  (*find(parent))->children.erase(std::string(name));
  drop(node);
  co_return {};
}

io::Task<Result<void>> FakeVolume::rmdir(Who, InodeId parent, std::string_view name) {
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

vfs::Opened FakeVolume::open_node(const NodeRef& node, const vfs::OpenOptions& options) {
  if (options.flags & O_TRUNC) (void)!ftruncate(node->data.get(), 0);
  if (passthrough && options.allow_passthrough && register_ && node->passthrough_id <= 0) {
    node->passthrough_id = register_(node->data.get());
  }
  ++node->opens;
  ++open_handles_;
  vfs::Opened opened;
  opened.attr = node->current();
  opened.handle = reinterpret_cast<vfs::Handle*>(new OpenFile{node});
  if (passthrough && node->passthrough_id > 0) {
    opened.mode = vfs::IoMode::kPassthrough;
    opened.passthrough_id = node->passthrough_id;
  }
  return opened;
}

io::Task<Result<vfs::Opened>> FakeVolume::open(Who, InodeId inode, vfs::OpenOptions options) {
  std::lock_guard lock(mutex_);
  const NodeRef node = CO_TRY(find(inode));
  co_return open_node(node, options);
}

io::Task<Result<vfs::Opened>> FakeVolume::create(Who who, InodeId parent, std::string_view name,
                                                 const meta::NodeSpec& spec, vfs::OpenOptions options) {
  std::lock_guard lock(mutex_);
  const NodeRef directory = CO_TRY(find(parent));
  if (const auto existing = child(parent, name)) {
    if (options.flags & O_EXCL) co_return fail(Code::kExists);
    vfs::Opened opened = open_node(*existing, options);
    opened.existed = true;
    co_return opened;
  }
  const NodeRef node = make(who, spec, parent);
  directory->children[std::string(name)] = {next_cookie_++, node->attr.inode};
  directory->attr.mtime = directory->attr.ctime = node->attr.ctime;
  co_return open_node(node, options);
}

io::Task<Result<vfs::Opened>> FakeVolume::create_unnamed(Who who, InodeId parent, const meta::NodeSpec& spec,
                                                         vfs::OpenOptions options) {
  std::lock_guard lock(mutex_);
  const NodeRef node = make(who, spec, parent);
  node->attr.nlink = 0;
  co_return open_node(node, options);
}

io::Task<Result<void>> FakeVolume::release(vfs::Handle* handle) {
  std::lock_guard lock(mutex_);
  const std::unique_ptr<OpenFile> file(reinterpret_cast<OpenFile*>(handle));
  --open_handles_;
  Node& node = *file->node;
  if (--node.opens == 0 && node.passthrough_id > 0) {
    if (unregister_) unregister_(node.passthrough_id);
    node.passthrough_id = 0;
  }
  co_return {};
}

io::Task<Result<size_t>> FakeVolume::read(vfs::Handle* handle, uint64_t offset, std::span<std::byte> buffer) {
  const int fd = reinterpret_cast<OpenFile*>(handle)->node->data.get();
  const ssize_t bytes = pread(fd, buffer.data(), buffer.size(), static_cast<off_t>(offset));
  if (bytes < 0) co_return fail(last_error());
  co_return static_cast<size_t>(bytes);
}

io::Task<Result<size_t>> FakeVolume::write(vfs::Handle* handle, uint64_t offset, std::span<const std::byte> data,
                                           vfs::WriteOptions options) {
  Node& node = *reinterpret_cast<OpenFile*>(handle)->node;
  const ssize_t bytes = pwrite(node.data.get(), data.data(), data.size(), static_cast<off_t>(offset));
  if (bytes < 0) co_return fail(last_error());
  std::lock_guard lock(mutex_);
  node.attr.mtime = node.attr.ctime = system_clock().now();
  if (options.kill_set_ids) node.attr.mode &= 01777;
  co_return static_cast<size_t>(bytes);
}

io::Task<Result<void>> FakeVolume::fsync(vfs::Handle*, bool) { co_return {}; }

io::Task<Result<void>> FakeVolume::allocate(vfs::Handle* handle, io::Allocate mode, uint64_t offset, uint64_t bytes) {
  constexpr int kModes[] = {0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, FALLOC_FL_ZERO_RANGE,
                            FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE};
  const int fd = reinterpret_cast<OpenFile*>(handle)->node->data.get();
  const int flags = kModes[static_cast<size_t>(mode)];
  if (fallocate(fd, flags, static_cast<off_t>(offset), static_cast<off_t>(bytes)) != 0) co_return fail(last_error());
  co_return {};
}

io::Task<Result<uint64_t>> FakeVolume::seek(vfs::Handle* handle, vfs::SeekWhat what, uint64_t offset) {
  const int fd = reinterpret_cast<OpenFile*>(handle)->node->data.get();
  const off_t found = lseek(fd, static_cast<off_t>(offset), what == vfs::SeekWhat::kData ? SEEK_DATA : SEEK_HOLE);
  if (found < 0) co_return fail(last_error());
  co_return static_cast<uint64_t>(found);
}

io::Task<Result<uint64_t>> FakeVolume::copy_range(vfs::Handle* source, uint64_t source_offset, vfs::Handle* target,
                                                  uint64_t target_offset, uint64_t bytes) {
  off_t from = static_cast<off_t>(source_offset), to = static_cast<off_t>(target_offset);
  const ssize_t copied = copy_file_range(reinterpret_cast<OpenFile*>(source)->node->data.get(), &from,
                                         reinterpret_cast<OpenFile*>(target)->node->data.get(), &to, bytes, 0);
  if (copied < 0) co_return fail(last_error());
  co_return static_cast<uint64_t>(copied);
}

io::Task<Result<vfs::DirHandle*>> FakeVolume::open_directory(Who, InodeId inode) {
  std::lock_guard lock(mutex_);
  const NodeRef node = CO_TRY(find(inode));
  ++open_handles_;
  co_return reinterpret_cast<vfs::DirHandle*>(new OpenFile{node});
}

void FakeVolume::release_directory(vfs::DirHandle* handle) {
  std::lock_guard lock(mutex_);
  --open_handles_;
  delete reinterpret_cast<OpenFile*>(handle);
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

}  // namespace firn::fuse::testing
