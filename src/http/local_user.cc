#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>

#include "http/peer.h"
#include "io/unique_fd.h"

namespace firn::http {
namespace {

struct Question {
  nlmsghdr header;
  inet_diag_req_v2 request;
};

struct End {
  uint16_t port = 0;  // in network order
  in6_addr host{};
};

bool end_of(const sockaddr_storage& storage, End& end) {
  if (storage.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(storage);
    std::memcpy(&end.host, &v4.sin_addr, sizeof v4.sin_addr);
    end.port = v4.sin_port;
    return true;
  }
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(storage);
  end.host = v6.sin6_addr;
  end.port = v6.sin6_port;
  return storage.ss_family == AF_INET6;
}

// The connection as its other end has it: what is our local address is its remote one.
bool ask_about(int fd, Question& question) {
  sockaddr_storage ours{}, theirs{};
  socklen_t our_bytes = sizeof ours, their_bytes = sizeof theirs;
  End local, remote;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&ours), &our_bytes) != 0 ||
      getpeername(fd, reinterpret_cast<sockaddr*>(&theirs), &their_bytes) != 0 || !end_of(ours, local) ||
      !end_of(theirs, remote))
    return false;
  question.header = {.nlmsg_len = sizeof question, .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST};
  inet_diag_req_v2& request = question.request;
  request.sdiag_family = static_cast<uint8_t>(theirs.ss_family);
  request.sdiag_protocol = IPPROTO_TCP;
  request.idiag_states = ~uint32_t{0};
  request.id.idiag_sport = remote.port;
  request.id.idiag_dport = local.port;
  std::memcpy(request.id.idiag_src, &remote.host, sizeof remote.host);
  std::memcpy(request.id.idiag_dst, &local.host, sizeof local.host);
  std::memset(request.id.idiag_cookie, 0xff, sizeof request.id.idiag_cookie);  // INET_DIAG_NOCOOKIE
  return true;
}

}  // namespace

bool local_user_of(int fd, uint32_t& uid) {
  Question question{};
  const io::UniqueFd diagnostics(socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (!diagnostics || !ask_about(fd, question)) return false;
  if (send(diagnostics.get(), &question, sizeof question, 0) != sizeof question) return false;
  alignas(nlmsghdr) char reply[1024];
  // The kernel has answered by the time that send() returned.
  const ssize_t bytes = recv(diagnostics.get(), reply, sizeof reply, MSG_DONTWAIT);
  if (bytes < static_cast<ssize_t>(NLMSG_LENGTH(sizeof(inet_diag_msg)))) return false;
  const auto* header = reinterpret_cast<const nlmsghdr*>(reply);
  if (header->nlmsg_type != SOCK_DIAG_BY_FAMILY) return false;
  const auto* message = static_cast<const inet_diag_msg*>(NLMSG_DATA(header));
  // A socket that no process has any more tells user 0, whoever's it was.
  if (message->idiag_inode == 0) return false;
  uid = message->idiag_uid;
  return true;
}

}  // namespace firn::http
