// How the files that a daemon may have open are shared out.
#include "cli/descriptors.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace firn::cli {
namespace {

int64_t held_by_doors(const Settings& settings) {
  return 3 * (settings.http.connections + settings.http.local_connections) + settings.nfs.connections +
         settings.nfs.open_files;
}

TEST(Descriptors, LeaveSettingsAsTheyAreWhereThereAreMany) {
  const Settings before;
  Settings after;
  after.tiers.stores = {"nas=/mnt/nas", "s3=s3://bucket"};
  share_descriptors(1 << 20, after);
  EXPECT_EQ(after.tiers.requests_in_flight, before.tiers.requests_in_flight);
  EXPECT_EQ(after.http.connections, before.http.connections);
  EXPECT_EQ(after.http.connections_per_address, before.http.connections_per_address);
  EXPECT_EQ(after.nfs.open_files, before.nfs.open_files);
  EXPECT_EQ(after.nfs.connections, before.nfs.connections);
}

TEST(Descriptors, AreSharedOutWhereThereAreFew) {
  for (const uint64_t limit : {1024u, 2048u, 4096u, 20'000u}) {
    Settings settings;
    share_descriptors(limit, settings);
    const auto rest = static_cast<int64_t>(limit) - 512;
    EXPECT_LE(held_by_doors(settings), rest / 4) << limit;
    // What is left for FUSE, even if all else is held.
    EXPECT_GE(rest - settings.scratch_max_files - settings.recent_files - held_by_doors(settings), rest / 4) << limit;
    EXPECT_GE(settings.http.connections, 4);
    EXPECT_LE(settings.http.connections_per_address, settings.http.connections);
    EXPECT_LE(settings.nfs.connections_per_address, settings.nfs.connections / 2);
    EXPECT_GE(settings.nfs.open_files, 4);
  }
}

TEST(Descriptors, AreReservedForRequestsToTiers) {
  for (const uint64_t limit : {1024u, 4096u, 20'000u, 1u << 20}) {
    Settings settings;
    settings.tiers.stores.assign(8, "s3=s3://bucket");
    settings.tiers.requests_in_flight = 1024;
    share_descriptors(limit, settings);
    const auto rest = static_cast<int64_t>(limit) - 512;
    const int64_t requests = 8 * settings.tiers.requests_in_flight;
    EXPECT_EQ(requests, std::min<int64_t>(rest / 4, 8192)) << limit;
    EXPECT_GE(rest - requests - settings.scratch_max_files - settings.recent_files - held_by_doors(settings),
              (rest - requests) / 4)
        << limit;
  }
}

TEST(Descriptors, DoNotRaiseWhatWasAskedFor) {
  Settings settings;
  settings.http.connections = 2;
  settings.http.connections_per_address = 1;
  share_descriptors(64, settings);
  EXPECT_EQ(settings.http.connections, 2);
  EXPECT_EQ(settings.http.connections_per_address, 1);
  EXPECT_GE(settings.scratch_max_files, 1);
}

}  // namespace
}  // namespace firn::cli
