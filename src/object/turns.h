// Turns: so many requests at a time.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <set>
#include <utility>

#include "base/status.h"
#include "io/task.h"
#include "io/until.h"
#include "object/store.h"

namespace firn::object {

// Thread-safe. Invariants:
// 1. Of `count` turns an eighth, and at least one, is never a heavy request's: what carries little does not wait for
//    large bodies. Where there is only one, a light request and a heavy one have one each.
// 2. Nor are all of them light ones' while a heavy one waits.
// 3. Nobody waits who may have a turn. A turn that ends goes to the light one that has waited longest, else to such a
//    heavy one.
class Turns {
 public:
  enum class Weight : uint8_t { kLight, kHeavy };

  class Turn {
   public:
    Turn(Turns* turns, Weight weight, int64_t begun_ns) : turns_(turns), weight_(weight), begun_ns_(begun_ns) {}
    Turn(Turn&& other) noexcept
        : turns_(std::exchange(other.turns_, nullptr)), weight_(other.weight_), begun_ns_(other.begun_ns_) {}
    ~Turn() {
      if (turns_) turns_->end_turn(weight_, begun_ns_);
    }
    // What was done in it went well.
    void note_success() const { turns_->note_success(); }

   private:
    Turns* turns_;
    Weight weight_;
    int64_t begun_ns_;
  };

  static constexpr int64_t kPatienceNs = kStallNs / 2 * 3;

  explicit Turns(size_t count);

  // Puts the deadline off by the wait. kInterrupted: cancelled. kTimedOut: for kPatienceNs, or as long as there was
  // left, nothing moved. As long as somebody's turn ends well now and then, the line moves; so it does while one has
  // lasted for longer than kPatienceNs, since stores end what does not move before that. Needs a current reactor.
  io::Task<Result<Turn>> take(Weight weight, io::Until* until);

 private:
  struct Waiter {
    io::CancelToken woken;
    std::atomic<bool> has_turn = false;
  };
  using WaiterRef = std::shared_ptr<Waiter>;

  WaiterRef queue(Weight weight);
  bool has_turn_or_leaves(Weight weight, const WaiterRef& waiter);
  Turn begin_turn(Weight weight);
  void end_turn(Weight weight, int64_t begun_ns);
  // When something has moved last, as far as is known.
  int64_t moved_ns();
  void note_success();
  // Under mutex_: how many turns it may have now.
  size_t most_of(size_t weight) const;
  // Under mutex_: who has a turn from now on; null: nobody.
  WaiterRef give_turn();

  const std::array<size_t, 2> most_;  // by Weight
  const size_t most_of_all_;
  std::mutex mutex_;  // guards the next three; two of them by Weight
  std::multiset<int64_t> begun_ns_;
  std::array<size_t, 2> taken_{};
  std::array<std::deque<WaiterRef>, 2> waiting_;
  std::atomic<int64_t> success_ns_ = 0;  // when a turn last ended well
};

}  // namespace firn::object
