// Volumes that another machine writes, and this one reads (VolumeOptions::follows).
#include "io/reactor.h"
#include "vfs/volume_impl.h"

namespace firn::vfs {

// What is fetched of a file that has another version by now may be of either.
std::function<io::Task<Result<void>>()> VolumeImpl::check_of_version(const Attr& attr) {
  return [this, inode = attr.inode, version = attr.content.uploaded_version]() -> io::Task<Result<void>> {
    const Attr now = CO_TRY(co_await meta_.getattr(inode));
    if (now.content.uploaded_version == version) co_return Result<void>();
    co_return fail(Code::kStale, "the file was changed elsewhere while it was read; open it again");
  };
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
