#include <sys/socket.h>

#include <cerrno>

#include "http/peer.h"

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59  // Linux 4.13
#endif

namespace firn::http {

Peer peer_of(int fd) {
  ucred credentials{};
  socklen_t bytes = sizeof credentials;
  if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &bytes) != 0 ||
      credentials.uid == static_cast<uid_t>(-1))
    return {.uid = kNobody, .gid = kNobody};
  Peer peer{.uid = credentials.uid, .gid = credentials.gid, .pid = static_cast<uint32_t>(credentials.pid)};
  bytes = 0;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, nullptr, &bytes) != 0 && errno == ERANGE) {
    peer.groups.resize(bytes / sizeof(gid_t));
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, peer.groups.data(), &bytes) != 0) peer.groups.clear();
  }
  return peer;
}

Status check_admin(const Peer& peer, uint32_t owner_uid) {
  const bool trusted = !peer.token.empty() || peer.uid == 0 || peer.uid == owner_uid;
  if (trusted && peer.right == Right::kAdmin) return {};
  return Status(Code::kNotPermitted, "only root and the daemon's owner may do this, and tokens made with --admin");
}

}  // namespace firn::http
