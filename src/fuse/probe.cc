#include "fuse/probe.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

namespace firn::fuse {
namespace {

constexpr const char* kParameter = "/sys/module/fuse/parameters/enable_uring";

}  // namespace

UringProbe probe_uring(bool ring_has_sqe128, std::optional<TransportKind> wish) {
  if (wish == TransportKind::kDev) return {false, "mount option transport=dev"};
  if (!ring_has_sqe128) return {false, "this kernel's io_uring has no 128-byte entries (Linux 5.19)"};
  std::ifstream file(kParameter);
  char value = 0;
  if (!(file >> value)) return {false, "this kernel has no FUSE over io_uring (Linux 6.14)"};
  if (value != 'Y' && value != '1') {
    return {false, std::string("FUSE over io_uring is off; turn it on with: echo 1 > ") + kParameter};
  }
  return {true, "the kernel offers it"};
}

unsigned possible_processors() { return static_cast<unsigned>(std::max(sysconf(_SC_NPROCESSORS_CONF), 1L)); }

int pinned_processor() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0 || CPU_COUNT(&set) != 1) return -1;
  for (int processor = 0; processor < CPU_SETSIZE; ++processor) {
    if (CPU_ISSET(static_cast<size_t>(processor), &set)) return processor;
  }
  return -1;
}

}  // namespace firn::fuse
