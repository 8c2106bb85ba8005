// Volumes that another machine writes, and this one reads (VolumeOptions::follows).
#include "io/reactor.h"
#include "vfs/volume_impl.h"

namespace firn::vfs {

namespace {

std::unexpected<Status> changed_elsewhere() {
  return fail(Code::kStale, "the file was changed elsewhere while it was read; open it again");
}

}  // namespace

// What is fetched of a file that has another version by now may be of either.
std::function<io::Task<Result<void>>()> VolumeImpl::check_of_version(const Attr& attr) {
  return [this, inode = attr.inode, version = attr.content.uploaded_version]() -> io::Task<Result<void>> {
    const Attr now = CO_TRY(co_await meta_.getattr(inode));
    if (now.content.uploaded_version == version) co_return Result<void>();
    co_return changed_elsewhere();
  };
}

// Whoever has it open in another version reads no more: a door's page cache is shared by all who have the file open.
io::Task<Result<void>> VolumeImpl::attach_newest(Node& node, const Attr& attr) {
  if (cold_of(node)) {
    if (attr.content.evicted && node.open->cold_version == attr.content.uploaded_version) co_return Result<void>();
    co_await drop_cold(node);
    std::lock_guard lock(node.state_mutex);
    node.open->object.reset();
    node.open->cold_version.reset();
  }
  if (attr.content.evicted) co_return co_await attach_cold(node, attr);
  co_return Result<void>();
}

// Null: its content is in the metadata.
Result<std::shared_ptr<tier::ColdFile>> VolumeImpl::cold_of_opened(const Handle& handle) {
  Node& node = *handle.node;
  std::lock_guard lock(node.state_mutex);
  if (handle.cold_version && node.open->cold_version != handle.cold_version) return changed_elsewhere();
  return node.open->cold;
}

io::Task<Result<size_t>> VolumeImpl::read_followed(std::shared_ptr<tier::ColdFile> cold, uint64_t offset,
                                                   std::span<std::byte> buffer, io::LentBytes* lent) {
  Result<size_t> got = co_await cold->read(offset, buffer, lent);
  if (!got && got.error() == Code::kInterrupted) co_return changed_elsewhere();
  co_return got;
}

// Of a file that was in the metadata when it was opened, and of which less is there than `attr` says: a hole, or it has
// moved to colder tiers or grown since.
io::Task<Result<void>> VolumeImpl::check_hole(const Attr& attr) {
  const Attr now = CO_TRY(co_await meta_.getattr(attr.inode));
  if (now.content.evicted || now.size != attr.size) co_return changed_elsewhere();
  co_return Result<void>();
}

// Whether what a door's page cache holds of the file is what it is now.
bool VolumeImpl::seen_before(Node& node, const Attr& attr) {
  const FollowedVersion now{attr.content.uploaded_version, attr.size, attr.mtime, attr.ctime};
  std::lock_guard lock(node.state_mutex);
  return std::exchange(node.followed, now) == now;
}

io::Task<void> VolumeImpl::follow_loop() {
  constexpr int64_t kEveryNs = 1'000'000'000;
  const TierParts& tiers = *options_.tiers;
  while (co_await io::sleep_for(kEveryNs, &stopping_)) {
    const uint64_t most =
        left_for_files(tiers.options.hot_max_bytes, tiers.metadata_bytes ? tiers.metadata_bytes() : 0);
    const Result<io::DiskUsage> disk = co_await data_.usage();
    const bool disk_is_full = disk && disk->available_bytes < disk->capacity_bytes() / 20;
    const bool too_much = most > 0 && followed_->arrived_bytes() > most / 100 * tiers.options.high_percent;
    if (too_much || (disk_is_full && followed_->arrived_bytes() > 0)) co_await followed_->make_room();
  }
}

}  // namespace firn::vfs
