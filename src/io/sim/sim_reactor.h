// io::SimReactor: a Reactor on virtual time. One thread, repeatable from its seed.
#pragma once

#include <cstdint>

#include "base/random.h"
#include "io/reactor.h"
#include "io/ready_queue.h"
#include "io/timer_heap.h"

namespace firn::io {

struct SimOptions {
  uint64_t seed = 1;
  // Resume ready coroutines in a seeded order instead of first come, first served: finds what relies on the order.
  bool shuffle = false;
  // Virtual time that each resumption takes. Above 0, a loop that yields until some time comes to its end.
  int64_t step_ns = 0;
  // The wall time at which the simulation starts.
  Timestamp start = {1'700'000'000, 0};
};

// Not thread-safe: everything, post() included, happens on one thread.
class SimReactor final : public Reactor, private Clock {
 public:
  explicit SimReactor(SimOptions options = {});

  void post(std::coroutine_handle<> handle) override { ready_.push(handle); }
  uint64_t add_timer(int64_t deadline_ns, std::coroutine_handle<> handle) override;
  bool cancel_timer(uint64_t timer) override { return timers_.cancel(timer); }
  Clock& clock() override { return *this; }
  unsigned index() const override { return 0; }
  // Returns when nothing is ready and no timer is left, or after stop(). Time jumps to the next timer when
  // nothing is ready. May be called again.
  void run() override;
  void stop() override { stop_requested_ = true; }

  // Stops a run after that many more resumptions, wherever it is: the moment of a simulated crash. 0: never.
  void stop_after(uint64_t resumptions) { resumptions_left_ = resumptions; }

  // The source of everything random in this simulation.
  Random& random() { return random_; }

 private:
  Timestamp now() override;
  int64_t monotonic_ns() override { return now_ns_; }
  bool step();

  SimOptions options_;
  SeededRandom random_;
  internal::ReadyQueue ready_;
  internal::TimerHeap timers_;
  int64_t now_ns_ = 1;
  uint64_t resumptions_left_ = 0;
  bool stop_requested_ = false;
};

}  // namespace firn::io
