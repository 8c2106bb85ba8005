// DevLane: a reactor's reads of /dev/fuse, and the replies to them.
//
// A poll and a read linked to it wait on the ring; when a request arrives the kernel runs both without a further call.
// The poll is exclusive, so one request wakes one reactor. The descriptor does not block: another reactor may be
// faster. The next read is armed once the operation has finished or suspended, so that a busy reactor leaves requests
// to idle ones.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "fuse/door.h"
#include "fuse/fd.h"
#include "fuse/transport.h"
#include "io/uring/uring_reactor.h"

namespace firn::fuse {

// Requests in flight per reactor; above it the kernel keeps them queued.
inline constexpr size_t kMaxDevBuffers = 256;
// Over io_uring only forgets and interrupts come this way, and neither is urgent: letting them gather makes one
// BATCH_FORGET of thousands of wake-ups.
inline constexpr int64_t kForgetDelayNs = 5'000'000;

class DevLane final : public Lane, public ReplySink {
 public:
  struct Options {
    uint32_t max_write = 0;
    bool delay_reads = false;  // kForgetDelayNs after each
  };
  // `fd`: a non-blocking clone of the session's descriptor. `door`, `reactor` and `owner` outlive the lane.
  DevLane(Door& door, io::UringReactor& reactor, LaneOwner& owner, Fd fd, Options options);
  ~DevLane() override;

  void start() override;
  void stop() override;
  uint64_t requests() const override { return requests_.load(std::memory_order_relaxed); }

  // No read delay from now on: the requests come this way after all. Any thread.
  void read_eagerly() { delay_reads_.store(false, std::memory_order_relaxed); }

  void send(Exchange& exchange, int32_t error, uint32_t bytes) override;
  void discard(Exchange& exchange) override;

 private:
  struct Buffer : Exchange {
    Mapping memory;
  };
  struct Armed : io::Completion {
    DevLane* lane = nullptr;
  };

  static void on_poll(io::Completion* self, int32_t result, uint32_t);
  static void on_read(io::Completion* self, int32_t result, uint32_t);
  void read_done(int32_t result);
  void take_request(size_t bytes);
  void arm();
  io::Task<void> arm_later();
  std::unique_ptr<Buffer> make_buffer();
  Buffer* take_buffer();
  void give_back(Exchange& exchange);
  void end_if_idle();

  Door& door_;
  io::UringReactor& reactor_;
  LaneOwner& owner_;
  Fd fd_;
  const uint32_t max_write_;
  std::atomic<bool> delay_reads_;

  Armed poll_{{&DevLane::on_poll}, this};
  Armed read_{{&DevLane::on_read}, this};
  std::vector<std::unique_ptr<Buffer>> buffers_;
  std::vector<Buffer*> free_;
  Buffer* reading_ = nullptr;  // what the armed read fills
  bool waiting_ = false;       // arm_later() is asleep
  bool connected_ = true;      // no end of the connection seen, no stop() asked
  bool ended_ = false;
  std::atomic<uint64_t> requests_ = 0;
};

}  // namespace firn::fuse
