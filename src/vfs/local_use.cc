#include "vfs/local_use.h"

#include <algorithm>
#include <vector>

namespace firn::vfs {

void LocalUse::set_whole(uint64_t bytes) {
  std::lock_guard lock(mutex_);
  whole_ = static_cast<int64_t>(bytes);
}

void LocalUse::note_whole(InodeId inode, int64_t bytes) {
  std::lock_guard lock(mutex_);
  whole_ += bytes;
  if (inode <= walked_) noted_behind_ += bytes;
}

uint64_t LocalUse::whole_bytes() const {
  std::lock_guard lock(mutex_);
  return static_cast<uint64_t>(std::max<int64_t>(whole_, 0));
}

void LocalUse::begin_walk() {
  std::lock_guard lock(mutex_);
  walked_ = InodeId();
  noted_behind_ = 0;
}

void LocalUse::walked(InodeId last) {
  std::lock_guard lock(mutex_);
  walked_ = last;
}

void LocalUse::end_walk(uint64_t found_bytes) {
  std::lock_guard lock(mutex_);
  whole_ = static_cast<int64_t>(found_bytes) + noted_behind_;
  walked_ = InodeId();
}

void LocalUse::set_open(OpenPart& part, uint64_t bytes) {
  open_bytes_ += bytes - part.bytes;
  part.bytes = bytes;
}

void LocalUse::add_closed(BackingId backing, uint64_t bytes) {
  if (bytes == 0) return;
  if (closed_.size() >= kMostParts) {
    other_bytes_ += bytes;
  } else if (closed_.emplace(backing, bytes).second) {
    closed_bytes_ += bytes;
  }
}

void LocalUse::open_part(data::ObjectRef backing) {
  std::lock_guard lock(mutex_);
  const BackingId id = backing->id();
  uint64_t bytes = 0;
  if (const auto closed = closed_.find(id); closed != closed_.end()) {
    bytes = closed->second;
    closed_bytes_ -= bytes;
    closed_.erase(closed);
  }
  OpenPart& part = open_[id];
  part.object = std::move(backing);
  set_open(part, bytes);
}

io::Task<uint64_t> LocalUse::close_part(BackingId backing) {
  data::ObjectRef object;
  {
    std::lock_guard lock(mutex_);
    const auto open = open_.find(backing);
    if (open == open_.end()) co_return 0;
    object = open->second.object;
  }
  const Result<io::FileStat> stat = co_await object->file().stat();
  std::lock_guard lock(mutex_);
  const auto open = open_.find(backing);
  if (open == open_.end()) co_return 0;
  const uint64_t bytes = stat ? stat->allocated_bytes : open->second.bytes;
  set_open(open->second, 0);
  open_.erase(open);
  add_closed(backing, bytes);
  co_return bytes;
}

void LocalUse::note_part(BackingId backing, uint64_t bytes) {
  std::lock_guard lock(mutex_);
  if (const auto open = open_.find(backing); open != open_.end()) set_open(open->second, open->second.bytes + bytes);
}

void LocalUse::want_whole(BackingId backing, bool wanted) {
  std::lock_guard lock(mutex_);
  if (const auto open = open_.find(backing); open != open_.end()) open->second.wanted_whole = wanted;
}

bool LocalUse::is_wanted_whole(BackingId backing) const {
  std::lock_guard lock(mutex_);
  const auto open = open_.find(backing);
  return open != open_.end() && open->second.wanted_whole;
}

void LocalUse::forget_part(BackingId backing) {
  std::lock_guard lock(mutex_);
  if (forgotten_) forgotten_->insert(backing);
  if (const auto open = open_.find(backing); open != open_.end()) {
    set_open(open->second, 0);
    open_.erase(open);
  }
  if (const auto closed = closed_.find(backing); closed != closed_.end()) {
    closed_bytes_ -= closed->second;
    closed_.erase(closed);
  }
}

io::Task<void> LocalUse::look_at_open() {
  std::vector<data::ObjectRef> objects;
  {
    std::lock_guard lock(mutex_);
    objects.reserve(open_.size());
    for (const auto& [backing, part] : open_) objects.push_back(part.object);
  }
  for (const data::ObjectRef& object : objects) {
    const Result<io::FileStat> stat = co_await object->file().stat();
    if (!stat) continue;
    std::lock_guard lock(mutex_);
    if (const auto open = open_.find(object->id()); open != open_.end()) set_open(open->second, stat->allocated_bytes);
  }
}

uint64_t LocalUse::closed_part(BackingId backing) const {
  std::lock_guard lock(mutex_);
  const auto closed = closed_.find(backing);
  return closed != closed_.end() ? closed->second : 0;
}

uint64_t LocalUse::open_part_bytes() const {
  std::lock_guard lock(mutex_);
  return open_bytes_;
}

uint64_t LocalUse::part_bytes() const {
  std::lock_guard lock(mutex_);
  return open_bytes_ + closed_bytes_ + other_bytes_;
}

bool LocalUse::lacks_parts() const {
  std::lock_guard lock(mutex_);
  return other_bytes_ > 0;
}

void LocalUse::begin_count() {
  std::lock_guard lock(mutex_);
  other_bytes_ = 0;
}

bool LocalUse::knows_part(BackingId backing) const {
  std::lock_guard lock(mutex_);
  return open_.contains(backing) || closed_.contains(backing);
}

LocalUse::Finding::Finding(LocalUse& use) : use_(use) {
  std::lock_guard lock(use_.mutex_);
  use_.forgotten_.emplace();
}

LocalUse::Finding::~Finding() {
  std::lock_guard lock(use_.mutex_);
  use_.forgotten_.reset();
}

void LocalUse::Finding::found_part(BackingId backing, uint64_t bytes) {
  std::lock_guard lock(use_.mutex_);
  const bool known = use_.open_.contains(backing) || use_.closed_.contains(backing);
  if (!known && !use_.forgotten_->contains(backing)) use_.add_closed(backing, bytes);
}

}  // namespace firn::vfs
