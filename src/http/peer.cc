#include <sys/socket.h>

#include <cerrno>

#include "http/server.h"

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59  // Linux 4.13
#endif

namespace firn::http {

Peer peer_of(int fd) {
  ucred credentials{};
  socklen_t bytes = sizeof credentials;
  if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &bytes) != 0 ||
      credentials.uid == static_cast<uid_t>(-1))
    return {.uid = 65534, .gid = 65534, .groups = {}};
  Peer peer{.uid = credentials.uid, .gid = credentials.gid, .groups = {}};
  bytes = 0;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, nullptr, &bytes) != 0 && errno == ERANGE) {
    peer.groups.resize(bytes / sizeof(gid_t));
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, peer.groups.data(), &bytes) != 0) peer.groups.clear();
  }
  return peer;
}

}  // namespace firn::http
