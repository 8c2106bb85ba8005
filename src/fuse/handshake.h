// The first exchange on a new connection: the kernel's INIT and our answer. Blocks: not on a reactor.
#pragma once

#include <cstdint>

#include "base/status.h"
#include "fuse/fd.h"
#include "fuse/negotiate.h"

namespace firn::fuse {

// The kernel sends INIT as soon as it is mounted; one that does not come in this time never will.
inline constexpr int64_t kInitTimeoutNs = 10'000'000'000;

// Answers INIT. From then on the kernel sends requests (over io_uring: once the queues are registered).
Result<Agreed> shake_hands(const Fd& device, const Wanted& wanted);

}  // namespace firn::fuse
