// BlobsUnderWay: blobs that chunks of some upload or rescue are to refer to, and blobs that are being copied to a tier
// that lacks them. However long that lasts, a collector does not remove them.
//
// Who copies a blob takes hold of it first, then sees in its record that it is not retired; and lets go when the copy
// is on record, or was given up. A collector retires a blob first, then sees that nobody has hold of it. So no copy
// arrives where the collector has been; and whoever dies in between leaves a record by which the copy is found.
#pragma once

#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>

namespace firn::tier {

// Thread-safe. Of this process alone: what another one that has ended was at is garbage.
class BlobsUnderWay {
 public:
  // The blob is under way for as long as one of these lives. The set must outlive it.
  class Hold {
   public:
    Hold() = default;
    Hold(BlobsUnderWay& set, std::string name) : set_(&set), name_(std::move(name)) { set_->add(name_); }
    Hold(Hold&& other) noexcept : set_(std::exchange(other.set_, nullptr)), name_(std::move(other.name_)) {}
    Hold& operator=(Hold&& other) noexcept {
      std::swap(set_, other.set_);
      std::swap(name_, other.name_);
      return *this;
    }
    ~Hold() {
      if (set_ != nullptr) set_->remove(name_);
    }

   private:
    BlobsUnderWay* set_ = nullptr;
    std::string name_;
  };

  bool contains(const std::string& name) const {
    const std::lock_guard lock(mutex_);
    return holds_.contains(name);
  }

 private:
  void add(const std::string& name) {
    const std::lock_guard lock(mutex_);
    ++holds_[name];
  }
  void remove(const std::string& name) {
    const std::lock_guard lock(mutex_);
    if (const auto found = holds_.find(name); --found->second == 0) holds_.erase(found);
  }

  mutable std::mutex mutex_;                       // guards what follows
  std::unordered_map<std::string, size_t> holds_;  // of each blob; never 0
};

}  // namespace firn::tier
