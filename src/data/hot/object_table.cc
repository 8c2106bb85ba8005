#include "data/hot/object_table.h"

namespace firn::data::internal {

HotObject::~HotObject() { table_->destroyed(*this); }

void ObjectTable::destroyed(HotObject& object) {
  bool removed;
  {
    std::lock_guard lock(mutex_);
    removed = object.removed_;
    auto found = entries_.find(object.id_);
    // The entry may belong to a newer object of the same backing already.
    if (found != entries_.end() && !found->second.opening && found->second.object.expired()) entries_.erase(found);
  }
  std::lock_guard lock(closers_mutex_);
  if (int32_t id = object.passthrough_id(); id != 0 && passthrough_closer_) passthrough_closer_(id);
  if (removed && background_closer_) background_closer_(std::move(object.file_));
}

ObjectTable::Found ObjectTable::find(BackingId id) {
  std::lock_guard lock(mutex_);
  Entry& entry = entries_[id];
  if (auto object = entry.object.lock()) {
    if (entry.is_kept) recent_.splice(recent_.begin(), recent_, entry.kept);
    return {.object = std::move(object)};
  }
  if (entry.opening) return {.opening = entry.opening};
  entry.opening = std::make_shared<Opening>();
  return {.opening = entry.opening, .must_open = true};
}

void ObjectTable::finish_opening(BackingId id, const std::shared_ptr<Opening>& opening, Result<ObjectRef> result) {
  opening->result = std::move(result);
  bool usable = opening->result.has_value();
  {
    std::lock_guard lock(mutex_);
    auto found = entries_.find(id);
    if (found != entries_.end() && found->second.opening == opening) {
      found->second.opening = nullptr;
      if (!usable) entries_.erase(found);
    }
    if (usable && opening->removed) {
      static_cast<HotObject&>(**opening->result).removed_ = true;
      usable = false;
    }
  }
  if (usable) keep(*opening->result);
  opening->done.set();
}

std::shared_ptr<HotObject> ObjectTable::add(BackingId id, std::unique_ptr<io::File> file, uint64_t name_ticket) {
  auto object = std::make_shared<HotObject>(id, std::move(file), name_ticket, shared_from_this());
  std::lock_guard lock(mutex_);
  entries_[id].object = object;
  return object;
}

void ObjectTable::keep(const ObjectRef& object) {
  std::vector<ObjectRef> dropped;
  std::lock_guard lock(mutex_);
  auto found = entries_.find(object->id());
  if (found == entries_.end() || static_cast<HotObject&>(*object).removed_) return;
  Entry& entry = found->second;
  if (entry.is_kept) {
    recent_.splice(recent_.begin(), recent_, entry.kept);
    return;
  }
  recent_.push_front(object);
  entry.kept = recent_.begin();
  entry.is_kept = true;
  trim_locked(recent_limit_, dropped);
}

void ObjectTable::forget(BackingId id) {
  ObjectRef dropped;
  std::shared_ptr<HotObject> user;
  std::lock_guard lock(mutex_);
  auto found = entries_.find(id);
  if (found == entries_.end()) return;
  Entry& entry = found->second;
  if (entry.opening) entry.opening->removed = true;
  // Without other users the object goes now, and the unlink that follows frees its space off this thread.
  bool sole_user = entry.is_kept && entry.object.use_count() == 1;
  if (!sole_user) user = entry.object.lock();
  if (user) user->removed_ = true;
  if (!entry.is_kept) return;
  dropped = std::move(*entry.kept);
  recent_.erase(entry.kept);
  entry.is_kept = false;
}

void ObjectTable::trim_recent(size_t count) {
  std::vector<ObjectRef> dropped;
  std::lock_guard lock(mutex_);
  trim_locked(count, dropped);
}

void ObjectTable::trim_locked(size_t count, std::vector<ObjectRef>& dropped) {
  while (recent_.size() > count) {
    auto found = entries_.find(recent_.back()->id());
    if (found != entries_.end()) found->second.is_kept = false;
    dropped.push_back(std::move(recent_.back()));
    recent_.pop_back();
  }
}

size_t ObjectTable::size() const {
  std::lock_guard lock(mutex_);
  return entries_.size();
}

void ObjectTable::set_passthrough_closer(std::function<void(int32_t)> closer) {
  std::lock_guard lock(closers_mutex_);
  passthrough_closer_ = std::move(closer);
}

void ObjectTable::set_background_closer(std::function<void(std::unique_ptr<io::File>)> closer) {
  std::lock_guard lock(closers_mutex_);
  background_closer_ = std::move(closer);
}

}  // namespace firn::data::internal
