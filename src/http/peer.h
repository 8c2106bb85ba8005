// Who asks over HTTP, and what they may do and reach.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"

namespace firn::http {

// Each includes those before it.
enum class Right : uint8_t {
  kNothing,  // nobody has been told who asks
  kRead,     // GET and HEAD
  kWrite,
  kAdmin,  // /v1/admin; without a token for root and the daemon's owner only
  kHost,   // what names files of the daemon's machine: for those two, by the Unix socket alone
};

// The most that whoever asks may do: the volume's own permissions hold for them as well.
struct Peer {
  uint32_t uid = 0;
  uint32_t gid = 0;
  std::vector<uint32_t> groups;
  Right right = Right::kAdmin;
  std::string scope;  // "/a/b": the folder that paths may not leave; empty: the whole volume
  std::string token;  // the id of the token that said so; empty: there was none
  // The other end of the connection, for the access log: the address of a TCP connection, the process of another.
  std::string client = {};
  std::optional<uint32_t> pid = {};
};

// kNotPermitted: they are not to use /v1/admin.
Status check_admin(const Peer& peer, uint32_t owner_uid);

inline constexpr uint32_t kNobody = 65534;

// Who is at the other end of a Unix socket, on the kernel's word (SO_PEERCRED, SO_PEERGROUPS); nobody (uid and gid
// kNobody) where that cannot be told.
Peer peer_of(int fd);

// Of an accepted TCP connection whose other end is on this machine: the user whose process made it, as the kernel's
// socket diagnostics tell. False: it cannot be told. A few microseconds; does not wait.
bool local_user_of(int fd, uint32_t& uid);

}  // namespace firn::http
