#include "cli/descriptors.h"

#include <sys/resource.h>

#include <algorithm>

namespace firn::cli {
namespace {

constexpr rlim_t kWantedDescriptors = 1 << 20;
constexpr uint64_t kReservedDescriptors = 512;  // RocksDB's tables, rings, sockets, the log
// A connection's own, and those of the files that a request has open: a copy has two.
constexpr int64_t kOfHttpConnection = 3;
constexpr int64_t kFewest = 4;  // of anything

int64_t at_most(int64_t wanted, int64_t share) { return std::min(wanted, std::max(share, kFewest)); }

// A request has a connection or a file, and connections are kept. How many there may be, at most a quarter of `rest`.
int64_t share_requests(int64_t rest, TierSettings& tiers) {
  const auto stores = static_cast<int64_t>(tiers.stores.size());
  if (stores == 0) return 0;
  tiers.requests_in_flight = std::min(tiers.requests_in_flight, std::max(rest / 4 / stores, kFewest));
  return stores * tiers.requests_in_flight;
}

}  // namespace

void share_descriptors(uint64_t limit, Settings& settings) {
  auto rest = static_cast<int64_t>(std::max<uint64_t>(limit, kReservedDescriptors * 2) - kReservedDescriptors);
  rest -= share_requests(rest, settings.tiers);
  const int64_t quarter = rest / 4, door = rest / 8;
  settings.scratch_max_files = std::clamp<int64_t>(settings.scratch_max_files, 1, quarter);
  settings.scratch_min_files = std::min(settings.scratch_min_files, settings.scratch_max_files);
  settings.recent_files = std::min(settings.recent_files, quarter);
  // Who floods the addresses does not keep the daemon's owner from its socket.
  HttpSettings& http = settings.http;
  http.local_connections = at_most(http.local_connections, door / 4 / kOfHttpConnection);
  http.connections = at_most(http.connections, door * 3 / 4 / kOfHttpConnection);
  http.connections_per_address = std::min(http.connections_per_address, http.connections);
  NfsSettings& nfs = settings.nfs;
  const int64_t all_nfs = nfs.connections;
  nfs.connections = at_most(nfs.connections, door / 4);
  // Where there are fewer than usual, one address is not to keep all others out.
  if (nfs.connections < all_nfs)
    nfs.connections_per_address = std::min(nfs.connections_per_address, std::max<int64_t>(nfs.connections / 2, 1));
  nfs.open_files = at_most(nfs.open_files, door * 3 / 4);
}

uint64_t fit_descriptors(Settings& settings) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  rlimit wanted = limit;
  // Only root may raise the hard limit; others take what there is.
  wanted.rlim_cur = wanted.rlim_max = std::max(limit.rlim_max, kWantedDescriptors);
  if (limit.rlim_max < kWantedDescriptors && setrlimit(RLIMIT_NOFILE, &wanted) == 0) limit = wanted;
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) getrlimit(RLIMIT_NOFILE, &limit);
  share_descriptors(limit.rlim_cur, settings);
  return limit.rlim_cur;
}

}  // namespace firn::cli
