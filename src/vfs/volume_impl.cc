#include "vfs/volume_impl.h"

#include <algorithm>

#include "io/reactor.h"

namespace firn::vfs {

VolumeImpl::VolumeImpl(VolumeOptions options) : options_(options), meta_(options.meta), data_(options.data) {
  if (!options.tiers) return;
  settling_ = std::make_unique<Settling>(Settling::Parts{
      .tiers = *options.tiers,
      .meta = meta_,
      .data = data_,
      .clock = options.clock,
      .evict = options.read_only ? nullptr : std::function([this](InodeId inode) { return try_evict(inode); }),
      .before_upload = [this] { return record_for_upload(); },
      .open_bytes = [this] { return open_bytes(); },
  });
  if (options.follows) followed_ = std::make_unique<FollowedFiles>(data_, options.tiers->hydrator.returned());
}

std::unique_ptr<Volume> make_volume(VolumeOptions options) { return std::make_unique<VolumeImpl>(options); }

InodeId Volume::inode_of(const Handle* handle) { return handle->node->inode; }

VolumeStatistics VolumeImpl::statistics() const {
  return {.known_inodes = nodes_.size(),
          .open_files = open_files_,
          .passthrough_files = passthrough_files_,
          .orphans_waiting = orphans_waiting_};
}

void VolumeImpl::set_passthrough_registrar(std::function<int32_t(int fd)> open, std::function<void(int32_t id)> close) {
  data_.set_passthrough_closer(std::move(close));
  std::lock_guard lock(doors_mutex_);
  passthrough_ = open != nullptr;
  register_passthrough_ = open ? std::make_shared<const std::function<int32_t(int)>>(std::move(open)) : nullptr;
}

int32_t VolumeImpl::passthrough_id(data::Object& object) {
  if (object.passthrough_id() > 0) return object.passthrough_id();
  std::shared_ptr<const std::function<int32_t(int)>> registrar;
  {
    std::lock_guard lock(doors_mutex_);
    registrar = register_passthrough_;
  }
  if (!registrar || object.file().fd() < 0) return 0;
  const int32_t id = (*registrar)(object.file().fd());
  if (id > 0) object.set_passthrough_id(id);
  return id;
}

void VolumeImpl::add_observer(DoorId door, CacheObserver* observer) {
  std::lock_guard lock(doors_mutex_);
  observers_.emplace_back(door, observer);
  count_observers();
}

void VolumeImpl::remove_observer(DoorId door) {
  std::lock_guard lock(doors_mutex_);
  std::erase_if(observers_, [door](const auto& entry) { return entry.first == door; });
  count_observers();
}

io::Task<void> VolumeImpl::observers_know(DoorId door) {
  constexpr int64_t kPatienceNs = 500'000'000;
  if (unobserved(door)) co_return;
  std::vector<std::shared_ptr<io::CancelToken>> waiters;
  {
    std::lock_guard lock(doors_mutex_);
    for (auto& [id, observer] : observers_) {
      if (id == door) continue;
      auto waiter = std::make_shared<io::CancelToken>();
      if (!observer->has_passed_on(waiter)) waiters.push_back(std::move(waiter));
    }
  }
  const int64_t until_ns = io::Reactor::current()->clock().monotonic_ns() + kPatienceNs;
  for (const auto& waiter : waiters)
    co_await io::sleep_for(std::max<int64_t>(until_ns - io::Reactor::current()->clock().monotonic_ns(), 0),
                           waiter.get());
}

void VolumeImpl::count_observers() {
  observer_ = observers_.empty() ? 0 : observers_.size() == 1 ? observers_.front().first : kManyObservers;
}

bool VolumeImpl::unobserved(DoorId door) const {
  const DoorId observer = observer_.load(std::memory_order_relaxed);
  return observer == 0 || observer == door;
}

bool VolumeImpl::keeps_pages(DoorId door) {
  if (door == 0 || observer_.load(std::memory_order_relaxed) == door) return true;
  if (unobserved(door)) return false;
  std::lock_guard lock(doors_mutex_);
  return std::ranges::any_of(observers_, [door](const auto& entry) { return entry.first == door; });
}

void VolumeImpl::notify_inode(uint32_t door, InodeId inode, bool data_too) {
  if (unobserved(door)) return;
  std::lock_guard lock(doors_mutex_);
  for (auto& [id, observer] : observers_)
    if (id != door) observer->inode_changed(inode, data_too);
}

void VolumeImpl::notify_entry(uint32_t door, InodeId parent, std::string_view name) {
  if (unobserved(door)) return;
  std::lock_guard lock(doors_mutex_);
  for (auto& [id, observer] : observers_)
    if (id != door) observer->entry_changed(parent, name);
}

}  // namespace firn::vfs
