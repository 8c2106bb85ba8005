#include "vfs/held_volume.h"

namespace firn::vfs {

io::Task<Result<void>> HeldVolume::wait() {
  Result<void> may = co_await serving_.wait();
  if (!may) co_return fail(Code::kIo, may.error().message());
  co_return Result<void>();
}

io::Task<Result<Attr>> HeldVolume::lookup(const Credentials& who, InodeId parent, std::string_view name) {
  if (!serving_.may()) CO_TRY(co_await wait());
  co_return co_await inner_->lookup(who, parent, name);
}

io::Task<Result<Attr>> HeldVolume::make_node(const Credentials& who, InodeId parent, std::string_view name,
                                             const meta::NodeSpec& spec) {
  if (!serving_.may()) CO_TRY(co_await wait());
  co_return co_await inner_->make_node(who, parent, name, spec);
}

io::Task<Result<Attr>> HeldVolume::link(const Credentials& who, InodeId inode, InodeId parent, std::string_view name) {
  if (!serving_.may()) CO_TRY(co_await wait());
  co_return co_await inner_->link(who, inode, parent, name);
}

io::Task<Result<void>> HeldVolume::unlink(const Credentials& who, InodeId parent, std::string_view name,
                                          const Attr* expected) {
  if (!serving_.may()) CO_TRY(co_await wait());
  co_return co_await inner_->unlink(who, parent, name, expected);
}

io::Task<Result<void>> HeldVolume::rmdir(const Credentials& who, InodeId parent, std::string_view name,
                                         const Attr* expected) {
  if (!serving_.may()) CO_TRY(co_await wait());
  co_return co_await inner_->rmdir(who, parent, name, expected);
}

io::Task<Result<void>> HeldVolume::rename(const Credentials& who, InodeId parent, std::string_view name,
                                          InodeId new_parent, std::string_view new_name, meta::RenameOptions options) {
  if (!serving_.may()) CO_TRY(co_await wait());
  co_return co_await inner_->rename(who, parent, name, new_parent, new_name, options);
}

io::Task<Result<std::string>> HeldVolume::readlink(InodeId inode) {
  if (!serving_.may()) CO_TRY(co_await wait());
  co_return co_await inner_->readlink(inode);
}

io::Task<Result<Attr>> HeldVolume::getattr(InodeId inode) {
  if (!serving_.may()) CO_TRY(co_await wait());
  co_return co_await inner_->getattr(inode);
}

io::Task<Result<Attr>> HeldVolume::setattr(const Credentials& who, InodeId inode, const Change& change,
                                           Handle* handle) {
  if (!serving_.may()) CO_TRY(co_await wait());
  co_return co_await inner_->setattr(who, inode, change, handle);
}

io::Task<Result<void>> HeldVolume::access(const Credentials& who, InodeId inode, int mask) {
  if (!serving_.may()) CO_TRY(co_await wait());
  co_return co_await inner_->access(who, inode, mask);
}

io::Task<Result<std::string>> HeldVolume::getxattr(const Credentials& who, InodeId inode, std::string_view name) {
  if (!serving_.may()) CO_TRY(co_await wait());
  co_return co_await inner_->getxattr(who, inode, name);
}

io::Task<Result<void>> HeldVolume::setxattr(const Credentials& who, InodeId inode, std::string_view name,
                                            std::string_view value, meta::XattrMode mode) {
  if (!serving_.may()) CO_TRY(co_await wait());
  co_return co_await inner_->setxattr(who, inode, name, value, mode);
}

io::Task<Result<std::vector<std::string>>> HeldVolume::listxattr(const Credentials& who, InodeId inode) {
  if (!serving_.may()) CO_TRY(co_await wait());
  co_return co_await inner_->listxattr(who, inode);
}

io::Task<Result<void>> HeldVolume::removexattr(const Credentials& who, InodeId inode, std::string_view name) {
  if (!serving_.may()) CO_TRY(co_await wait());
  co_return co_await inner_->removexattr(who, inode, name);
}

io::Task<Result<Opened>> HeldVolume::open(const Credentials& who, InodeId inode, OpenOptions options) {
  if (!serving_.may()) CO_TRY(co_await wait());
  co_return co_await inner_->open(who, inode, options);
}

io::Task<Result<Opened>> HeldVolume::create(const Credentials& who, InodeId parent, std::string_view name,
                                            const meta::NodeSpec& spec, OpenOptions options) {
  if (!serving_.may()) CO_TRY(co_await wait());
  co_return co_await inner_->create(who, parent, name, spec, options);
}

io::Task<Result<Opened>> HeldVolume::create_unnamed(const Credentials& who, InodeId parent, const meta::NodeSpec& spec,
                                                    OpenOptions options) {
  if (!serving_.may()) CO_TRY(co_await wait());
  co_return co_await inner_->create_unnamed(who, parent, spec, options);
}

io::Task<Result<void>> HeldVolume::release(Handle* handle) { return inner_->release(handle); }

void HeldVolume::release_later(Handle* handle) { inner_->release_later(handle); }

io::Task<Result<size_t>> HeldVolume::read(Handle* handle, uint64_t offset, std::span<std::byte> buffer,
                                          io::LentBytes* lent) {
  if (!serving_.may()) CO_TRY(co_await wait());
  co_return co_await inner_->read(handle, offset, buffer, lent);
}

std::shared_ptr<io::File> HeldVolume::backing(Handle* handle) {
  return serving_.may() ? inner_->backing(handle) : nullptr;
}

io::Task<Result<size_t>> HeldVolume::write(Handle* handle, uint64_t offset, std::span<const std::byte> data,
                                           WriteOptions options) {
  if (!serving_.may()) CO_TRY(co_await wait());
  co_return co_await inner_->write(handle, offset, data, options);
}

io::Task<Result<void>> HeldVolume::fsync(Handle* handle, bool data_only) { return inner_->fsync(handle, data_only); }

io::Task<void> HeldVolume::reserve(Handle* handle, uint64_t offset, uint64_t bytes) {
  return inner_->reserve(handle, offset, bytes);
}

io::Task<void> HeldVolume::start_writeback(Handle* handle, uint64_t offset, uint64_t bytes) {
  return inner_->start_writeback(handle, offset, bytes);
}

io::Task<Result<void>> HeldVolume::allocate(Handle* handle, io::Allocate mode, uint64_t offset, uint64_t bytes) {
  if (!serving_.may()) CO_TRY(co_await wait());
  co_return co_await inner_->allocate(handle, mode, offset, bytes);
}

io::Task<Result<uint64_t>> HeldVolume::seek(Handle* handle, SeekWhat what, uint64_t offset) {
  if (!serving_.may()) CO_TRY(co_await wait());
  co_return co_await inner_->seek(handle, what, offset);
}

io::Task<Result<uint64_t>> HeldVolume::copy_range(Handle* source, uint64_t source_offset, Handle* target,
                                                  uint64_t target_offset, uint64_t bytes) {
  if (!serving_.may()) CO_TRY(co_await wait());
  co_return co_await inner_->copy_range(source, source_offset, target, target_offset, bytes);
}

io::Task<Result<DirHandle*>> HeldVolume::open_directory(const Credentials& who, InodeId inode) {
  if (!serving_.may()) CO_TRY(co_await wait());
  co_return co_await inner_->open_directory(who, inode);
}

void HeldVolume::release_directory(DirHandle* handle) { inner_->release_directory(handle); }

io::Task<Result<std::vector<Listed>>> HeldVolume::list(DirHandle* handle, uint64_t cookie, size_t limit,
                                                       bool attributes) {
  if (!serving_.may()) CO_TRY(co_await wait());
  co_return co_await inner_->list(handle, cookie, limit, attributes);
}

io::Task<Result<std::vector<Listed>>> HeldVolume::list_after(InodeId directory, std::string name, size_t limit) {
  if (!serving_.may()) CO_TRY(co_await wait());
  co_return co_await inner_->list_after(directory, std::move(name), limit);
}

io::Task<Result<void>> HeldVolume::fsync_directory(InodeId inode) { return inner_->fsync_directory(inode); }

io::Task<Result<void>> HeldVolume::sync_all() { return inner_->sync_all(); }

io::Task<Result<StatFs>> HeldVolume::statfs() { return inner_->statfs(); }

uint64_t HeldVolume::writes_lost() const { return inner_->writes_lost(); }
std::vector<InodeId> HeldVolume::files_being_written() { return inner_->files_being_written(); }
VolumeStatistics HeldVolume::statistics() const { return inner_->statistics(); }

io::Task<Result<tier::UploadSummary>> HeldVolume::flush_tiers(const FileSet* only, io::CancelToken* token) {
  return inner_->flush_tiers(only, token);
}

io::Task<Result<uint64_t>> HeldVolume::evict(InodeId inode) { return inner_->evict(inode); }

io::Task<Result<uint64_t>> HeldVolume::warm(InodeId inode, io::CancelToken* token) {
  return inner_->warm(inode, token);
}

io::Task<Result<Residency>> HeldVolume::residency(InodeId inode) { return inner_->residency(inode); }

const std::vector<std::string>& HeldVolume::tier_names() const { return inner_->tier_names(); }

io::Task<Result<Attr>> HeldVolume::set_policy(const Credentials& who, InodeId inode, meta::PolicyChange change) {
  if (!serving_.may()) CO_TRY(co_await wait());
  co_return co_await inner_->set_policy(who, inode, change);
}

io::Task<Result<std::vector<PendingFile>>> HeldVolume::list_pending(InodeId after, size_t limit) {
  return inner_->list_pending(after, limit);
}

io::Task<Result<bool>> HeldVolume::at_rest(InodeId inode, tier::AtRest then) {
  return inner_->at_rest(inode, std::move(then));
}

TierStatistics HeldVolume::tier_statistics() const { return inner_->tier_statistics(); }

void HeldVolume::pin(InodeId inode) { inner_->pin(inode); }

io::Task<void> HeldVolume::unpin(InodeId inode, uint64_t count) { return inner_->unpin(inode, count); }

void HeldVolume::set_passthrough_registrar(std::function<int32_t(int fd)> open, std::function<void(int32_t id)> close) {
  inner_->set_passthrough_registrar(std::move(open), std::move(close));
}

void HeldVolume::add_observer(DoorId door, CacheObserver* observer) { inner_->add_observer(door, observer); }

void HeldVolume::remove_observer(DoorId door) { inner_->remove_observer(door); }

io::Task<void> HeldVolume::observers_know(DoorId door) { return inner_->observers_know(door); }

io::Task<Result<void>> HeldVolume::start() { return inner_->start(); }

io::Task<Result<void>> HeldVolume::stop() { return inner_->stop(); }

}  // namespace firn::vfs
