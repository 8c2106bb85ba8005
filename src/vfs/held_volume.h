// HeldVolume: a volume that answers only while it may, because another daemon may have taken over what it serves.
#pragma once

#include "vfs/volume.h"

namespace firn::vfs {

// When a volume may be served. Called on any reactor.
struct Serving {
  // Whether an answer that is begun now may be given.
  std::function<bool()> may;
  // Waits until it may. A failure is for good, or for long: the request fails with kIo.
  std::function<io::Task<Result<void>>()> wait;
};

// Everything that reads or changes the volume waits first. What ends something (release, unpin) and what waits for the
// store by itself (fsync, flushing) does not. What has begun is not held back any more: it counts as done when it
// began.
class HeldVolume final : public Volume {
 public:
  HeldVolume(std::unique_ptr<Volume> inner, Serving serving) : inner_(std::move(inner)), serving_(std::move(serving)) {}

  io::Task<Result<Attr>> lookup(const Credentials& who, InodeId parent, std::string_view name) override;
  io::Task<Result<Attr>> make_node(const Credentials& who, InodeId parent, std::string_view name,
                                   const meta::NodeSpec& spec) override;
  io::Task<Result<Attr>> link(const Credentials& who, InodeId inode, InodeId parent, std::string_view name) override;
  io::Task<Result<void>> unlink(const Credentials& who, InodeId parent, std::string_view name,
                                const Attr* expected) override;
  io::Task<Result<void>> rmdir(const Credentials& who, InodeId parent, std::string_view name,
                               const Attr* expected) override;
  io::Task<Result<void>> rename(const Credentials& who, InodeId parent, std::string_view name, InodeId new_parent,
                                std::string_view new_name, meta::RenameOptions options) override;
  io::Task<Result<std::string>> readlink(InodeId inode) override;
  io::Task<Result<Attr>> getattr(InodeId inode) override;
  io::Task<Result<Attr>> setattr(const Credentials& who, InodeId inode, const Change& change, Handle* handle) override;
  io::Task<Result<void>> access(const Credentials& who, InodeId inode, int mask) override;
  io::Task<Result<std::string>> getxattr(const Credentials& who, InodeId inode, std::string_view name) override;
  io::Task<Result<void>> setxattr(const Credentials& who, InodeId inode, std::string_view name, std::string_view value,
                                  meta::XattrMode mode) override;
  io::Task<Result<std::vector<std::string>>> listxattr(const Credentials& who, InodeId inode) override;
  io::Task<Result<void>> removexattr(const Credentials& who, InodeId inode, std::string_view name) override;
  io::Task<Result<Opened>> open(const Credentials& who, InodeId inode, OpenOptions options) override;
  io::Task<Result<Opened>> create(const Credentials& who, InodeId parent, std::string_view name,
                                  const meta::NodeSpec& spec, OpenOptions options) override;
  io::Task<Result<Opened>> create_unnamed(const Credentials& who, InodeId parent, const meta::NodeSpec& spec,
                                          OpenOptions options) override;
  io::Task<Result<void>> release(Handle* handle) override;
  void release_later(Handle* handle) override;
  using Volume::read;
  io::Task<Result<size_t>> read(Handle* handle, uint64_t offset, std::span<std::byte> buffer,
                                io::LentBytes* lent) override;
  std::shared_ptr<io::File> backing(Handle* handle) override;
  io::Task<Result<size_t>> write(Handle* handle, uint64_t offset, std::span<const std::byte> data,
                                 WriteOptions options) override;
  io::Task<Result<void>> fsync(Handle* handle, bool data_only) override;
  io::Task<void> reserve(Handle* handle, uint64_t offset, uint64_t bytes) override;
  io::Task<void> start_writeback(Handle* handle, uint64_t offset, uint64_t bytes) override;
  io::Task<Result<void>> allocate(Handle* handle, io::Allocate mode, uint64_t offset, uint64_t bytes) override;
  io::Task<Result<uint64_t>> seek(Handle* handle, SeekWhat what, uint64_t offset) override;
  io::Task<Result<uint64_t>> copy_range(Handle* source, uint64_t source_offset, Handle* target, uint64_t target_offset,
                                        uint64_t bytes) override;
  io::Task<Result<DirHandle*>> open_directory(const Credentials& who, InodeId inode) override;
  void release_directory(DirHandle* handle) override;
  io::Task<Result<std::vector<Listed>>> list(DirHandle* handle, uint64_t cookie, size_t limit,
                                             bool attributes) override;
  io::Task<Result<std::vector<Listed>>> list_after(InodeId directory, std::string name, size_t limit) override;
  io::Task<Result<void>> fsync_directory(InodeId inode) override;
  io::Task<Result<void>> sync_all() override;
  io::Task<Result<StatFs>> statfs() override;
  VolumeStatistics statistics() const override;
  uint64_t writes_lost() const override;
  std::vector<InodeId> files_being_written() override;
  io::Task<Result<tier::UploadSummary>> flush_tiers(const FileSet* only, io::CancelToken* token) override;
  io::Task<Result<uint64_t>> evict(InodeId inode) override;
  io::Task<Result<uint64_t>> warm(InodeId inode, io::CancelToken* token) override;
  io::Task<Result<Residency>> residency(InodeId inode) override;
  const std::vector<std::string>& tier_names() const override;
  io::Task<Result<Attr>> set_policy(const Credentials& who, InodeId inode, meta::PolicyChange change) override;
  io::Task<Result<std::vector<PendingFile>>> list_pending(InodeId after, size_t limit) override;
  io::Task<Result<bool>> at_rest(InodeId inode, tier::AtRest then) override;
  TierStatistics tier_statistics() const override;
  void pin(InodeId inode) override;
  io::Task<void> unpin(InodeId inode, uint64_t count) override;
  void set_passthrough_registrar(std::function<int32_t(int fd)> open, std::function<void(int32_t id)> close) override;
  void add_observer(DoorId door, CacheObserver* observer) override;
  void remove_observer(DoorId door) override;
  io::Task<void> observers_know(DoorId door) override;
  io::Task<Result<void>> start() override;
  io::Task<Result<void>> stop() override;

 private:
  io::Task<Result<void>> wait();

  const std::unique_ptr<Volume> inner_;
  const Serving serving_;
};

}  // namespace firn::vfs
