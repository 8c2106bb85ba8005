// io::ConnectionCounts: how many connections there are, of everybody and of each address.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>

namespace firn::io {

// Thread-safe: several servers may share it. Outlives its places.
class ConnectionCounts {
 public:
  struct Limits {
    unsigned connections = 256;
    unsigned per_address = 64;
  };
  explicit ConnectionCounts(Limits limits) : limits_(limits) {}

  // Where there were too many.
  enum class Full : uint8_t { kNo, kInAll, kOfAddress };

  // A counted connection, until it is destroyed.
  class Place {
   public:
    explicit Place(Full full) : full_(full) {}
    Place(ConnectionCounts* counts, std::string address) : counts_(counts), address_(std::move(address)) {}
    Place(Place&& other) noexcept
        : counts_(std::exchange(other.counts_, nullptr)), address_(std::move(other.address_)) {}
    Place& operator=(Place&&) = delete;
    ~Place() {
      if (counts_) counts_->leave(address_);
    }
    explicit operator bool() const { return counts_ != nullptr; }
    Full full() const { return full_; }

   private:
    Full full_ = Full::kNo;
    ConnectionCounts* counts_ = nullptr;
    std::string address_;
  };

  // An empty Place: there are too many. An empty address is only counted with all.
  Place enter(const std::string& address) {
    const std::lock_guard lock(counts_mutex_);
    if (all_ >= limits_.connections) return Place(Full::kInAll);
    if (!address.empty() && of_address_[address] >= limits_.per_address) return Place(Full::kOfAddress);
    ++all_;
    if (!address.empty()) ++of_address_[address];
    return {this, address};
  }

 private:
  void leave(const std::string& address) {
    const std::lock_guard lock(counts_mutex_);
    --all_;
    const auto found = of_address_.find(address);
    if (found != of_address_.end() && --found->second == 0) of_address_.erase(found);
  }

  const Limits limits_;
  std::mutex counts_mutex_;  // guards what follows
  unsigned all_ = 0;
  std::map<std::string, unsigned> of_address_;
};

}  // namespace firn::io
