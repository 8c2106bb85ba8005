#include "fuse/handshake.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/uio.h>

#include <cerrno>
#include <vector>

#include "fuse/decode.h"

namespace firn::fuse {
namespace {

constexpr size_t kReadBytes = 1 << 16;  // at least FUSE_MIN_READ_BUFFER

Result<size_t> read_message(const Fd& device, std::span<std::byte> buffer) {
  for (;;) {
    pollfd poll_fd{.fd = device.get(), .events = POLLIN, .revents = 0};
    const int ready = poll(&poll_fd, 1, static_cast<int>(kInitTimeoutNs / 1'000'000));
    if (ready == 0) return fail(Code::kTimedOut, "the kernel sent no INIT");
    const ssize_t bytes = read(device.get(), buffer.data(), buffer.size());
    if (bytes > 0) return static_cast<size_t>(bytes);
    if (errno != EINTR && errno != EAGAIN) return fail(Status::from_errno(errno, "reading INIT"));
  }
}

Status reply(const Fd& device, uint64_t unique, int32_t error, const InitOut& out) {
  fuse_out_header header{};
  header.len = static_cast<uint32_t>(sizeof header + (error ? 0 : sizeof out));
  header.error = error;
  header.unique = unique;
  const iovec parts[2] = {{&header, sizeof header}, {const_cast<InitOut*>(&out), sizeof out}};
  if (writev(device.get(), parts, error ? 1 : 2) < 0) return Status::from_errno(errno, "answering INIT");
  return {};
}

}  // namespace

Result<Agreed> shake_hands(const Fd& device, const Wanted& wanted) {
  std::vector<std::byte> buffer(kReadBytes);
  for (;;) {
    const size_t bytes = TRY(read_message(device, buffer));
    Message message;
    Request request;
    TRY(split_message(std::span(buffer).first(bytes), Dialect{}, message));
    TRY(decode(message, Dialect{}, request));
    if (message.header.opcode != FUSE_INIT) return fail(Code::kIo, "the kernel's first request is not INIT");
    const auto in = request.op<fuse_init_in>();
    const InitAnswer answer = negotiate(in, wanted);
    if (answer.too_old) {
      (void)reply(device, message.header.unique, -EPROTO, answer.out);
      return fail(Code::kNotSupported, fmt::format("the kernel speaks FUSE {}.{}; firn needs 7.{} (Linux 5.4)",
                                                   in.major, in.minor, kOldestMinor));
    }
    TRY(reply(device, message.header.unique, 0, answer.out));
    if (!answer.again) return answer.agreed;
  }
}

}  // namespace firn::fuse
