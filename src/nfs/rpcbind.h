// Rpcbind: tells the machine's rpcbind(8) which port serves which program (RFC 1833, version 2 of its protocol), for
// clients that ask it instead of being told.
#pragma once

#include <cstdint>

#include "base/status.h"

namespace firn::nfs {

// Registers MOUNT and NFS version 3 over TCP at `port`, in the place of whoever was. Blocks for a few seconds at most.
// kUnavailable: rpcbind does not answer; kAccessDenied: it refuses.
Result<void> register_with_rpcbind(uint16_t port);
// Takes that back.
Result<void> unregister_from_rpcbind();

}  // namespace firn::nfs
