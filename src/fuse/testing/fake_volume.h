// FakeVolume: a small vfs::Volume in memory, for tests of the door alone. Every file is a memfd, so passthrough works.
// One mutex, no permissions (the kernel checks), no durability; it calls observers only when told to.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "fuse/fd.h"
#include "vfs/volume.h"

namespace firn::fuse::testing {

class FakeVolume final : public vfs::Volume {
 public:
  FakeVolume();
  ~FakeVolume() override;  // closes what a connection that was cut left open

  bool passthrough = false;                      // before the mount
  std::atomic<size_t> lent_parts = 0;            // of large reads, some of which is lent
  std::atomic<size_t> lent_part_bytes = 20'001;  // each, and twice as much between two

  // What a test wants to know.
  uint64_t pins(InodeId inode) const;
  size_t open_handles() const;
  size_t inodes() const;
  // A change that comes through no door: the observers are told.
  void create_behind(InodeId parent, const std::string& name);

  using Who = const meta::Credentials&;
  template <class T>
  using Reply = io::Task<Result<T>>;

  Reply<meta::Attr> lookup(Who who, InodeId parent, std::string_view name) override;
  Reply<meta::Attr> make_node(Who who, InodeId parent, std::string_view name, const meta::NodeSpec& spec) override;
  Reply<meta::Attr> link(Who who, InodeId inode, InodeId parent, std::string_view name) override;
  Reply<void> unlink(Who who, InodeId parent, std::string_view name, const meta::Attr* expected) override;
  Reply<void> rmdir(Who who, InodeId parent, std::string_view name, const meta::Attr* expected) override;
  Reply<void> rename(Who who, InodeId parent, std::string_view name, InodeId new_parent, std::string_view new_name,
                     meta::RenameOptions options) override;
  Reply<std::string> readlink(InodeId inode) override;
  Reply<meta::Attr> getattr(InodeId inode) override;
  Reply<meta::Attr> setattr(Who who, InodeId inode, const vfs::Change& change, vfs::Handle* handle) override;
  Reply<void> access(Who who, InodeId inode, int mask) override;
  Reply<std::string> getxattr(Who who, InodeId inode, std::string_view name) override;
  Reply<void> setxattr(Who who, InodeId inode, std::string_view name, std::string_view value,
                       meta::XattrMode mode) override;
  Reply<std::vector<std::string>> listxattr(Who who, InodeId inode) override;
  Reply<void> removexattr(Who who, InodeId inode, std::string_view name) override;
  Reply<vfs::Opened> open(Who who, InodeId inode, vfs::OpenOptions options) override;
  Reply<vfs::Opened> create(Who who, InodeId parent, std::string_view name, const meta::NodeSpec& spec,
                            vfs::OpenOptions options) override;
  Reply<vfs::Opened> create_unnamed(Who who, InodeId parent, const meta::NodeSpec& spec,
                                    vfs::OpenOptions options) override;
  Reply<void> release(vfs::Handle* handle) override;
  void release_later(vfs::Handle* handle) override { io::detach(forget_result(release(handle))); }
  Reply<size_t> read(vfs::Handle* handle, uint64_t offset, std::span<std::byte> buffer, io::LentBytes* lent) override;
  std::shared_ptr<io::File> backing(vfs::Handle*) override { return nullptr; }
  Reply<size_t> write(vfs::Handle* handle, uint64_t offset, std::span<const std::byte> data,
                      vfs::WriteOptions options) override;
  Reply<void> fsync(vfs::Handle* handle, bool data_only) override;
  Reply<void> allocate(vfs::Handle* handle, io::Allocate mode, uint64_t offset, uint64_t bytes) override;
  Reply<uint64_t> seek(vfs::Handle* handle, vfs::SeekWhat what, uint64_t offset) override;
  Reply<uint64_t> copy_range(vfs::Handle* source, uint64_t source_offset, vfs::Handle* target, uint64_t target_offset,
                             uint64_t bytes) override;
  Reply<vfs::DirHandle*> open_directory(Who who, InodeId inode) override;
  void release_directory(vfs::DirHandle* handle) override;
  Reply<std::vector<vfs::Listed>> list(vfs::DirHandle* handle, uint64_t cookie, size_t limit, bool attributes) override;
  Reply<std::vector<vfs::Listed>> list_after(InodeId directory, std::string name, size_t limit) override;
  Reply<void> fsync_directory(InodeId inode) override;
  Reply<void> sync_all() override;
  Reply<vfs::StatFs> statfs() override;
  vfs::VolumeStatistics statistics() const override;
  io::Task<Result<tier::UploadSummary>> flush_tiers(const vfs::FileSet* only, io::CancelToken* token) override;
  io::Task<Result<uint64_t>> evict(InodeId inode) override;
  io::Task<Result<uint64_t>> warm(InodeId inode, io::CancelToken* token) override;
  io::Task<Result<vfs::Residency>> residency(InodeId inode) override;
  const std::vector<std::string>& tier_names() const override { return tier_names_; }
  Reply<meta::Attr> set_policy(Who who, InodeId inode, meta::PolicyChange change) override;
  io::Task<Result<std::vector<vfs::PendingFile>>> list_pending(InodeId after, size_t limit) override;
  io::Task<Result<bool>> at_rest(InodeId inode, tier::AtRest then) override;
  vfs::TierStatistics tier_statistics() const override { return {}; }

  void pin(InodeId inode) override;
  io::Task<void> unpin(InodeId inode, uint64_t count) override;
  void set_passthrough_registrar(std::function<int32_t(int fd)> open, std::function<void(int32_t id)> close) override;
  void add_observer(vfs::DoorId door, vfs::CacheObserver* observer) override;
  void remove_observer(vfs::DoorId door) override;
  io::Task<void> observers_know(vfs::DoorId) override { co_return; }
  Reply<void> start() override;
  Reply<void> stop() override;

 private:
  static io::Task<void> forget_result(Reply<void> reply) { (void)co_await std::move(reply); }
  struct Node;
  struct OpenFile;
  using NodeRef = std::shared_ptr<Node>;

  Result<NodeRef> find(InodeId inode) const;
  Result<NodeRef> child(InodeId parent, std::string_view name) const;
  NodeRef make(const meta::Credentials& who, const meta::NodeSpec& spec, InodeId parent);
  vfs::Opened open_node(const NodeRef& node, const vfs::OpenOptions& options);
  void drop(const NodeRef& node);
  OpenFile* add_open(const NodeRef& node);
  void remove_open(OpenFile* file);

  const std::vector<std::string> tier_names_;
  mutable std::mutex mutex_;
  uint64_t next_inode_ = 2;
  uint64_t next_cookie_ = 3;
  std::unordered_set<OpenFile*> open_;  // files and directories
  std::unordered_map<InodeId, NodeRef> nodes_;
  std::unordered_map<InodeId, uint64_t> pins_;
  std::function<int32_t(int fd)> register_;
  std::function<void(int32_t)> unregister_;
  vfs::CacheObserver* observer_ = nullptr;
};

}  // namespace firn::fuse::testing
