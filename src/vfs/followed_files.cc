#include "vfs/followed_files.h"

#include <vector>

namespace firn::vfs {

namespace {
constexpr size_t kMost = 1024;  // each is an open file here
}

io::Task<Result<data::ObjectRef>> FollowedFiles::backing_of(const meta::Attr& attr) {
  std::optional<Held> former;
  size_t count = 0;
  {
    std::lock_guard lock(held_mutex_);
    count = held_.size();
    if (const auto found = held_.find(attr.inode); found != held_.end()) {
      if (found->second.version == attr.content.uploaded_version) co_return found->second.object;
      former = std::move(found->second);
      held_.erase(found);
    }
  }
  if (former) co_await give_up(attr.inode, *std::move(former));
  if (count >= kMost) co_await make_room();
  data::ObjectRef object = CO_TRY(co_await data_.lend(true));
  CO_TRY(co_await data_.settle(object));
  std::lock_guard lock(held_mutex_);
  held_[attr.inode] = {attr.content.uploaded_version, object};
  co_return object;
}

// Whoever has it open reads on in it.
io::Task<void> FollowedFiles::give_up(InodeId inode, Held held) {
  (void)returned_.take(inode);
  const BackingId id = held.object->id();
  held.object.reset();
  (void)co_await data_.remove(id);
}

io::Task<void> FollowedFiles::make_room() {
  std::vector<std::pair<InodeId, Held>> unused;
  {
    std::lock_guard lock(held_mutex_);
    for (auto one = held_.begin(); one != held_.end();) {
      if (one->second.object.use_count() > 1) {
        ++one;
        continue;
      }
      unused.emplace_back(one->first, std::move(one->second));
      one = held_.erase(one);
    }
  }
  arrived_bytes_ = 0;
  for (auto& [inode, held] : unused) co_await give_up(inode, std::move(held));
}

}  // namespace firn::vfs
