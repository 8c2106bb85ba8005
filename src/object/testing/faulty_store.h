// A store that does what bad stores do, by chance from a seed.
#pragma once

#include <array>
#include <atomic>
#include <memory>

#include "base/random.h"
#include "object/testing/late_requests.h"
#include "object/wrappers.h"

namespace firn::object::testing {

// Probabilities in [0, 1], of each request.
struct Faults {
  double refused = 0;                                  // 503: nothing is done
  double answer_lost = 0;                              // done, but the caller is told kTimedOut
  double hung = 0;                                     // nothing is done until the deadline, or until that is a stall
  double forgotten = 0;                                // a put that answers success and stores nothing
  bool (*may_forget)(std::string_view key) = nullptr;  // null: whatever it is
  double corrupted = 0;                                // a get with one bit flipped
  double truncated = 0;                                // a get that breaks off
  double late = 0;   // a put or remove of which the caller is told kTimedOut, and which arrives after all
  double twice = 0;  // a put or remove that is done, and once more later
  int64_t latest_ns = 50'000'000'000;  // of these two: how much later at most
  int64_t min_latency_ns = 0, max_latency_ns = 0;
};

class FaultyStore final : public ObjectStore {
 public:
  // `random` must suit the threads that call; with late and twice there is one.
  FaultyStore(std::shared_ptr<ObjectStore> inner, Faults faults, Random& random,
              std::shared_ptr<LateRequests> late = std::make_shared<LateRequests>())
      : inner_(std::move(inner)), faults_(faults), random_(random), late_(std::move(late)) {}

  io::Task<Result<void>> put(std::string key, Content content, PutOptions options, io::Until until) override;
  io::Task<Result<Fetched>> get(std::string key, uint64_t offset, uint64_t bytes, io::Until until) override;
  io::Task<Result<ObjectInfo>> head(std::string key, io::Until until) override;
  io::Task<Result<void>> remove(std::string key, io::Until until) override;
  std::string describe() const override { return "faulty " + inner_->describe(); }
  io::Task<void> close() override { co_return; }

  // Down: every request is refused.
  void set_down(bool down) { down_.store(down); }
  void set_faults(const Faults& faults) { faults_ = faults; }
  // How many requests of a kind came, failed ones too.
  uint64_t requests(Kind kind) const { return requests_[static_cast<size_t>(kind)].load(); }
  // How many bytes gets have answered with.
  uint64_t got_bytes() const { return got_bytes_.load(); }

 private:
  // What happens before the inner store is asked; a failure: it is not.
  io::Task<Result<void>> before(Kind kind, io::Until until);
  void put_later(std::string key, Content content, PutOptions options);
  void remove_later(std::string key);
  int64_t later() { return static_cast<int64_t>(random_.below(static_cast<uint64_t>(faults_.latest_ns))); }
  bool happens(double probability) { return probability > 0 && random_.unit() < probability; }

  const std::shared_ptr<ObjectStore> inner_;
  Faults faults_;
  Random& random_;
  const std::shared_ptr<LateRequests> late_;
  std::atomic<bool> down_ = false;
  std::array<std::atomic<uint64_t>, 4> requests_{};
  std::atomic<uint64_t> got_bytes_ = 0;
};

}  // namespace firn::object::testing
