// FakeVolume: open files and their bytes.
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/time.h"
#include "fuse/testing/fake_node.h"

namespace firn::fuse::testing {
namespace {

Status last_error() { return Status::from_errno(errno); }

}  // namespace

FakeVolume::OpenFile* FakeVolume::add_open(const NodeRef& node) {
  auto* file = new OpenFile{node};
  open_.insert(file);
  return file;
}

void FakeVolume::remove_open(OpenFile* file) {
  open_.erase(file);
  delete file;
}

vfs::Opened FakeVolume::open_node(const NodeRef& node, const vfs::OpenOptions& options) {
  if (options.flags & O_TRUNC) (void)!ftruncate(node->data.get(), 0);
  if (passthrough && options.allow_passthrough && register_ && node->passthrough_id <= 0) {
    node->passthrough_id = register_(node->data.get());
  }
  ++node->opens;
  vfs::Opened opened;
  opened.attr = node->current();
  opened.handle = reinterpret_cast<vfs::Handle*>(add_open(node));
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
  auto* file = reinterpret_cast<OpenFile*>(handle);
  const NodeRef kept = file->node;
  Node& node = *kept;
  remove_open(file);
  if (--node.opens == 0 && node.passthrough_id > 0) {
    if (unregister_) unregister_(node.passthrough_id);
    node.passthrough_id = 0;
  }
  co_return {};
}

namespace {

// Every third part of so many bytes; at its place there is something else.
size_t lend_some(std::span<std::byte> bytes, size_t part_bytes, io::LentBytes& lent) {
  for (size_t at = part_bytes; at < bytes.size(); at += 3 * part_bytes) {
    const auto part = bytes.subspan(at, std::min(part_bytes, bytes.size() - at));
    const auto copy = std::make_shared<std::vector<std::byte>>(part.begin(), part.end());
    std::ranges::fill(part, std::byte{'?'});
    lent.add({.offset = at, .bytes = *copy, .owner = copy});
  }
  return lent.parts().size();
}

}  // namespace

io::Task<Result<size_t>> FakeVolume::read(vfs::Handle* handle, uint64_t offset, std::span<std::byte> buffer,
                                          io::LentBytes* lent) {
  const int fd = reinterpret_cast<OpenFile*>(handle)->node->data.get();
  const ssize_t bytes = pread(fd, buffer.data(), buffer.size(), static_cast<off_t>(offset));
  if (bytes < 0) co_return fail(last_error());
  if (lent != nullptr) lent_parts += lend_some(buffer.first(static_cast<size_t>(bytes)), lent_part_bytes, *lent);
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

}  // namespace firn::fuse::testing
