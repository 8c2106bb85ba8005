#include "fuse/uring_lane.h"

#include <sys/uio.h>

#include <cerrno>
#include <cstring>

#include "base/log.h"

namespace firn::fuse {

struct UringLane::Entry : Exchange, io::Completion {
  enum class State : uint8_t { kIdle, kInKernel, kInOperation, kRetired };

  UringLane* lane = nullptr;
  uint16_t queue = 0;
  State state = State::kIdle;
  bool registered = false;  // a request has come through it
  UringRequestHeader header{};
  Mapping payload;
  iovec buffers[2]{};
};

UringLane::UringLane(Door& door, io::UringReactor& reactor, LaneOwner& owner, int fd, uint32_t payload_bytes,
                     std::vector<uint16_t> queues)
    : door_(door), reactor_(reactor), owner_(owner), fd_(fd) {
  for (const uint16_t queue : queues) {
    for (size_t i = 0; i < kEntriesPerQueue; ++i) {
      auto entry = std::make_unique<Entry>();
      entry->complete = &UringLane::on_complete;
      entry->lane = this;
      entry->queue = queue;
      entry->payload = Mapping(payload_bytes);
      entry->buffers[0] = {&entry->header, sizeof entry->header};
      entry->buffers[1] = {entry->payload.data(), entry->payload.size()};
      entry->reply = {entry->payload.data(), entry->payload.size()};
      entry->sink = this;
      entry->home = &reactor;
      entries_.push_back(std::move(entry));
    }
  }
}

UringLane::~UringLane() = default;

void UringLane::start() {
  started_ = true;
  live_ = entries_.size();
  for (auto& entry : entries_) submit(*entry, kUringRegister);
  reactor_.flush();
  end_if_idle();
}

void UringLane::stop() { connected_ = false; }

void UringLane::submit(Entry& entry, uint32_t command) {
  io_uring_sqe* sqe = reactor_.sqe();
  sqe->opcode = IORING_OP_URING_CMD;
  sqe->fd = fd_;
  sqe->cmd_op = command;
  if (command == kUringRegister) {
    sqe->addr = reinterpret_cast<uint64_t>(entry.buffers);
    sqe->len = 2;
  }
  sqe->user_data = reinterpret_cast<uint64_t>(static_cast<io::Completion*>(&entry));
  const UringCommand body{.commit_id = entry.header.entry.commit_id, .queue = entry.queue};
  std::memcpy(sqe->cmd, &body, sizeof body);
  entry.state = Entry::State::kInKernel;
}

void UringLane::on_complete(io::Completion* self, int32_t result, uint32_t) {
  auto& entry = *static_cast<Entry*>(self);
  entry.lane->complete(entry, result);
}

void UringLane::complete(Entry& entry, int32_t result) {
  if (result < 0) [[unlikely]] {
    // ENOTCONN, ECANCELED, ECONNABORTED: the connection's end or stop(). Before the first request: a refusal.
    const bool over = result == -ENOTCONN || result == -ECONNABORTED || result == -ECANCELED;
    if (connected_ && !over && !entry.registered && !refused_) {
      refused_ = true;
      owner_.uring_refused(-result);
    } else if (connected_ && !over && entry.registered) {
      log::error("fuse: the kernel dropped an io_uring entry of queue {}: {}", entry.queue, strerror(-result));
    }
    return retire(entry);
  }
  entry.registered = true;
  entry.state = Entry::State::kInOperation;
  requests_.store(requests_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  Message message;
  std::memcpy(&message.header, entry.header.in_out, sizeof message.header);
  message.op = entry.header.op_in;
  const size_t payload_bytes = std::min<size_t>(entry.header.entry.payload_bytes, entry.payload.size());
  message.rest = {entry.payload.data(), payload_bytes};
  if (!connected_) [[unlikely]] {
    entry.request.header = message.header;
    return send(entry, -ENOTCONN, 0);
  }
  door_.serve(message, entry);
}

void UringLane::send(Exchange& exchange, int32_t error, uint32_t bytes) {
  auto& entry = static_cast<Entry&>(exchange);
  const io::LentBytes lent = std::exchange(exchange.lent, {});
  if (!error) lent.copy_to(exchange.reply);
  fuse_out_header header{};
  header.error = error;
  header.unique = exchange.header().unique;
  header.len = static_cast<uint32_t>(sizeof header) + (error ? 0 : bytes);
  std::memcpy(entry.header.in_out, &header, sizeof header);
  entry.header.entry.payload_bytes = error ? 0 : bytes;
  submit(entry, kUringCommitAndFetch);
}

void UringLane::retire(Entry& entry) {
  entry.state = Entry::State::kRetired;
  --live_;
  // What is left of a connection that ends by itself comes back by itself.
  end_if_idle();
}

void UringLane::end_if_idle() {
  if (!started_ || ended_ || live_ > 0) return;
  connected_ = false;
  ended_ = true;
  owner_.lane_ended();
}

}  // namespace firn::fuse
