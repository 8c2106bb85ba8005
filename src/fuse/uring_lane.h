// UringLane: a reactor's queues of FUSE-over-io_uring (Linux 6.14).
//
// The kernel wants a queue for every possible processor and gives a request to the queue of the processor it was made
// on; the reactor of that processor serves the queue. An entry is one request at a time: its reply and the fetch of
// the next request are one SQE. Requests are copied to and from the entry's buffers by the kernel on the reactor's
// thread.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "fuse/door.h"
#include "fuse/transport.h"
#include "io/uring/uring_reactor.h"

namespace firn::fuse {

// Requests in flight per queue; above it the kernel keeps them queued.
inline constexpr size_t kEntriesPerQueue = 64;

class UringLane final : public Lane, public ReplySink {
 public:
  // Serves `queues` through `fd` (not owned; open until the lane has ended). `door`, `reactor`, `owner` outlive the
  // lane.
  UringLane(Door& door, io::UringReactor& reactor, LaneOwner& owner, int fd, uint32_t payload_bytes,
            std::vector<uint16_t> queues);
  ~UringLane() override;

  // Registers every entry. A refusal is reported to the owner, and ends the lane.
  void start() override;
  // What the kernel holds cannot be cancelled: it comes back when the connection ends. Requests that come in until then
  // are refused.
  void stop() override;
  uint64_t requests() const override { return requests_.load(std::memory_order_relaxed); }

  void send(Exchange& exchange, int32_t error, uint32_t bytes) override;
  // Requests that want no reply do not come this way, but an entry can only be had back by a commit.
  void discard(Exchange& exchange) override { send(exchange, 0, 0); }

 private:
  struct Entry;

  static void on_complete(io::Completion* self, int32_t result, uint32_t);
  void complete(Entry& entry, int32_t result);
  void submit(Entry& entry, uint32_t command);
  void retire(Entry& entry);
  void end_if_idle();

  Door& door_;
  io::UringReactor& reactor_;
  LaneOwner& owner_;
  const int fd_;
  std::vector<std::unique_ptr<Entry>> entries_;
  size_t live_ = 0;  // entries that the kernel or an operation holds
  bool connected_ = true;
  bool started_ = false;
  bool ended_ = false;
  bool refused_ = false;
  std::atomic<uint64_t> requests_ = 0;
};

}  // namespace firn::fuse
