// io::SimBlockingPool: a BlockingPool whose jobs run on the simulation's own thread, after a while of virtual time.
#pragma once

#include <functional>
#include <utility>

#include "io/blocking_pool.h"
#include "io/sim/sim_reactor.h"

namespace firn::io {

class SimBlockingPool final : public BlockingPool {
 public:
  // Each job runs between 0 and `max_delay_ns` after its submission. `reactor` must outlive the pool.
  explicit SimBlockingPool(SimReactor& reactor, int64_t max_delay_ns = 100'000)
      : reactor_(reactor), max_delay_ns_(max_delay_ns) {}

  void submit(std::function<void()> job) override {
    ++queued_;
    detach(run_later(std::move(job)));
  }
  size_t queued() const override { return queued_; }

 private:
  Task<void> run_later(std::function<void()> job) {
    co_await switch_to(reactor_);
    (void)co_await sleep_for(static_cast<int64_t>(reactor_.random().below(static_cast<uint64_t>(max_delay_ns_) + 1)));
    --queued_;
    job();
  }

  SimReactor& reactor_;
  int64_t max_delay_ns_;
  size_t queued_ = 0;
};

}  // namespace firn::io
