#include "nfs/rpcbind.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <span>

#include "base/random.h"
#include "io/unique_fd.h"
#include "nfs/procedures.h"
#include "nfs/xdr.h"

namespace firn::nfs {
namespace {

constexpr uint16_t kRpcbindPort = 111;
constexpr uint32_t kPortmapProgram = 100000, kPortmapVersion = 2, kSet = 1, kUnset = 2;
constexpr int kTries = 3, kTryMs = 700;
constexpr int kFirstReserved = 600, kLastReserved = 1023;

// From a port that only root may use, as rpcbind asks of whoever registers such a one; where that fails, from any.
Result<io::UniqueFd> connect_to_rpcbind() {
  io::UniqueFd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd) return fail(Status::from_errno(errno, "socket"));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  for (int port = kLastReserved; port >= kFirstReserved; --port) {
    address.sin_port = htons(static_cast<uint16_t>(port));
    if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) break;
  }
  address.sin_port = htons(kRpcbindPort);
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return fail(Status::from_errno(errno, "rpcbind"));
  return fd;
}

XdrWriter make_call(uint32_t xid, uint32_t procedure, uint32_t program, uint16_t port) {
  XdrWriter out;
  for (const uint32_t word : {xid, uint32_t{0}, uint32_t{2}, kPortmapProgram, kPortmapVersion, procedure})
    out.u32(word);
  for (int i = 0; i < 4; ++i) out.u32(0);  // no credentials, no verifier
  for (const uint32_t word : {program, uint32_t{3}, uint32_t{IPPROTO_TCP}, uint32_t{port}}) out.u32(word);
  return out;
}

// nullopt: not the answer to this call.
std::optional<bool> read_answer(std::span<const std::byte> bytes, uint32_t xid) {
  XdrReader in(bytes);
  if (in.u32() != xid || in.u32() != 1) return std::nullopt;
  const bool accepted = in.u32() == 0;
  (void)in.u64();  // the verifier
  const bool success = in.u32() == 0;
  const bool done = in.boolean();
  return accepted && success && done && in.ok();
}

Result<bool> call(const io::UniqueFd& fd, uint32_t procedure, uint32_t program, uint16_t port) {
  const auto xid = static_cast<uint32_t>(system_random().next());
  const XdrWriter message = make_call(xid, procedure, program, port);
  for (int i = 0; i < kTries; ++i) {
    if (send(fd.get(), message.bytes().data(), message.size(), 0) < 0) break;
    pollfd ready{.fd = fd.get(), .events = POLLIN, .revents = 0};
    if (poll(&ready, 1, kTryMs) <= 0) continue;
    std::byte answer[512];
    const ssize_t bytes = recv(fd.get(), answer, sizeof answer, 0);
    if (bytes < 0) break;  // nobody listens there
    if (const auto done = read_answer(std::span(answer, static_cast<size_t>(bytes)), xid)) return *done;
  }
  return fail(Code::kUnavailable, "rpcbind does not answer; is it running?");
}

}  // namespace

Result<void> register_with_rpcbind(uint16_t port) {
  const io::UniqueFd fd = TRY(connect_to_rpcbind());
  for (const uint32_t program : {kMountProgram, kNfsProgram}) {
    TRY(call(fd, kUnset, program, 0));  // false: there was none
    if (!TRY(call(fd, kSet, program, port)))
      return fail(Code::kAccessDenied, "rpcbind refuses the registration; it takes root's only");
  }
  return {};
}

Result<void> unregister_from_rpcbind() {
  const io::UniqueFd fd = TRY(connect_to_rpcbind());
  for (const uint32_t program : {kMountProgram, kNfsProgram}) TRY(call(fd, kUnset, program, 0));
  return {};
}

}  // namespace firn::nfs
