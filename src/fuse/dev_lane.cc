#include "fuse/dev_lane.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/uio.h>

#include <cerrno>
#include <climits>
#include <cstring>

#include "base/log.h"

namespace firn::fuse {
namespace {

// The message is read so that a WRITE's data begins on a page: direct I/O to the backing file then needs no copy.
// The reply's header lies directly before that page, its body on it.
constexpr size_t kBodyOffset = kPageBytes;
constexpr size_t kReadOffset = kBodyOffset - sizeof(fuse_in_header) - sizeof(fuse_write_in);
constexpr size_t kReplyOffset = kBodyOffset - sizeof(fuse_out_header);
// Beyond max_write: longest names, ACLs and the like, and what the kernel wants as spare room.
constexpr size_t kSpareBytes = FUSE_MIN_READ_BUFFER;

uint64_t user_data(io::Completion* completion) { return reinterpret_cast<uint64_t>(completion); }

// A header and the body after it, of which parts may lie elsewhere. What is beyond the pieces that the kernel takes at
// once (IOV_MAX) is copied.
ssize_t write_reply(int fd, std::span<const std::byte> reply, const io::LentBytes& lent) {
  if (lent.empty()) return write(fd, reply.data(), reply.size());
  std::vector<iovec> pieces;
  std::vector<std::byte> rest;
  const auto add = [&pieces, &rest](std::span<const std::byte> piece) {
    if (pieces.size() < IOV_MAX - 1)
      pieces.push_back({const_cast<std::byte*>(piece.data()), piece.size()});
    else
      rest.insert(rest.end(), piece.begin(), piece.end());
  };
  add(reply.first(sizeof(fuse_out_header)));
  const auto body = reply.subspan(sizeof(fuse_out_header));
  lent.visit(body, body.size(), add);
  if (!rest.empty()) pieces.push_back({rest.data(), rest.size()});
  return writev(fd, pieces.data(), static_cast<int>(pieces.size()));
}

// The request was withdrawn, another reactor took it, or a signal came.
bool is_transient(int32_t result) {
  return result == -EAGAIN || result == -EINTR || result == -ENOENT || result == -ECANCELED || result == -ENOMEM;
}

}  // namespace

DevLane::DevLane(Door& door, io::UringReactor& reactor, LaneOwner& owner, Fd fd, Options options)
    : door_(door),
      reactor_(reactor),
      owner_(owner),
      fd_(std::move(fd)),
      max_write_(options.max_write),
      delay_reads_(options.delay_reads) {}

DevLane::~DevLane() = default;

void DevLane::start() { arm(); }

void DevLane::stop() {
  if (!connected_) return;
  connected_ = false;
  if (reading_) {
    reactor_.request_cancel(&poll_);
    reactor_.request_cancel(&read_);
  }
  end_if_idle();
}

std::unique_ptr<DevLane::Buffer> DevLane::make_buffer() {
  auto buffer = std::make_unique<Buffer>();
  const size_t body_bytes = (size_t{max_write_} + kSpareBytes + kPageBytes - 1) / kPageBytes * kPageBytes;
  buffer->memory = Mapping(kBodyOffset + body_bytes);
  buffer->reply = {buffer->memory.data() + kBodyOffset, body_bytes};
  buffer->sink = this;
  buffer->home = &reactor_;
  return buffer;
}

DevLane::Buffer* DevLane::take_buffer() {
  if (free_.empty()) {
    if (buffers_.size() == kMaxDevBuffers) return nullptr;
    buffers_.push_back(make_buffer());
    return buffers_.back().get();
  }
  Buffer* buffer = free_.back();
  free_.pop_back();
  return buffer;
}

void DevLane::arm() {
  if (!connected_ || reading_ || waiting_) return end_if_idle();
  reading_ = take_buffer();
  if (!reading_) return;  // give_back() tries again
  // Both must be submitted together, or the link would be cut.
  if (io_uring_sq_space_left(reactor_.ring()) < 2) reactor_.flush();
  io_uring_sqe* poll = reactor_.sqe();
  io_uring_prep_poll_add(poll, fd_.get(), POLLIN | EPOLLEXCLUSIVE);
  poll->flags |= IOSQE_IO_LINK | IOSQE_CQE_SKIP_SUCCESS;
  poll->user_data = user_data(&poll_);
  io_uring_sqe* read = reactor_.sqe();
  io_uring_prep_read(read, fd_.get(), reading_->memory.data() + kReadOffset,
                     static_cast<unsigned>(reading_->memory.size() - kReadOffset), 0);
  read->user_data = user_data(&read_);
}

io::Task<void> DevLane::arm_later() {
  waiting_ = true;
  (void)co_await io::sleep_for(kForgetDelayNs);
  waiting_ = false;
  arm();
}

// Only of a poll that failed: then the kernel says nothing of the read that was linked to it (IOSQE_CQE_SKIP_SUCCESS).
void DevLane::on_poll(io::Completion* self, int32_t result, uint32_t) {
  if (result < 0) static_cast<Armed*>(self)->lane->read_done(result);
}

void DevLane::on_read(io::Completion* self, int32_t result, uint32_t) {
  static_cast<Armed*>(self)->lane->read_done(result);
}

void DevLane::read_done(int32_t result) {
  if (result > 0) {
    take_request(static_cast<size_t>(result));
  } else {
    free_.push_back(std::exchange(reading_, nullptr));
    // ENODEV after an unmount, ECONNABORTED after an abort: the end.
    if (!is_transient(result)) connected_ = false;
  }
  if (connected_ && (result == -ENOMEM || delay_reads_.load(std::memory_order_relaxed))) {
    io::detach(arm_later());
  } else {
    arm();
  }
}

void DevLane::take_request(size_t bytes) {
  Buffer& buffer = *std::exchange(reading_, nullptr);
  requests_.store(requests_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  Message message;
  const Status status = split_message({buffer.memory.data() + kReadOffset, bytes}, door_.dialect(), message);
  if (!status.ok()) [[unlikely]] {
    log::warning("fuse: dropped a malformed message of {} bytes from the kernel", bytes);
    free_.push_back(&buffer);
    return;
  }
  door_.serve(message, buffer);
}

void DevLane::send(Exchange& exchange, int32_t error, uint32_t bytes) {
  auto& buffer = static_cast<Buffer&>(exchange);
  const fuse_in_header& request = exchange.header();
  fuse_out_header header{};
  header.len = static_cast<uint32_t>(sizeof header) + (error ? 0 : bytes);
  header.error = error;
  header.unique = request.unique;
  if (error) exchange.lent.clear();
  std::byte* reply = buffer.memory.data() + kReplyOffset;
  std::memcpy(reply, &header, sizeof header);
  reactor_.run_submit_hook();
  // ENOENT: the request was aborted meanwhile; ENODEV: unmounted. Nobody waits for these replies.
  if (write_reply(fd_.get(), {reply, header.len}, exchange.lent) < 0 && errno == EINVAL) {
    log::error("fuse: the kernel refused a reply of {} bytes to opcode {}", header.len, request.opcode);
  }
  give_back(exchange);
}

void DevLane::discard(Exchange& exchange) { give_back(exchange); }

void DevLane::give_back(Exchange& exchange) {
  const bool starved = !reading_ && !waiting_ && free_.empty() && buffers_.size() == kMaxDevBuffers;
  exchange.lent.clear();
  free_.push_back(static_cast<Buffer*>(&exchange));
  if (starved) arm();
  if (!connected_) end_if_idle();
}

void DevLane::end_if_idle() {
  if (connected_ || ended_ || reading_ || waiting_ || free_.size() != buffers_.size()) return;
  ended_ = true;
  fd_.reset();
  owner_.lane_ended();
}

}  // namespace firn::fuse
