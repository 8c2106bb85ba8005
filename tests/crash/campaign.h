// Rounds of: work, crash (or not), come back, compare.
#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "volume.h"
#include "worker.h"

namespace firn::crash {

struct CampaignOptions {
  std::string firn;    // empty: a plain folder, no crashes; checks the checker
  std::string folder;  // for the volume, the mount point, or the plain tree; exists and is empty
  std::string transport;
  uint64_t seed = 1;
  int kills = 20;   // 0: no limit
  int seconds = 0;  // 0: no limit
  int workers = 4;
  int fsck_every = 5;   // rounds
  int grace_ms = 1500;  // what is older survives without a sync
  int max_round_ms = 1200;
};

struct Totals {
  uint64_t rounds = 0, kills = 0, recovery_kills = 0, clean_unmounts = 0, fscks = 0, operations = 0, facts = 0;
};

class Campaign {
 public:
  explicit Campaign(CampaignOptions options);

  // All rounds; stops at the first that fails. Empty: every fact held.
  std::vector<std::string> run();
  const Totals& totals() const { return totals_; }

  // Single steps, for the checker's own test.
  std::vector<std::string> prepare();
  std::vector<std::string> work(int milliseconds, bool kill);
  std::vector<std::string> verify();
  void acknowledge_all();
  std::vector<std::unique_ptr<Worker>>& workers() { return workers_; }
  const std::string& root() const { return root_; }

 private:
  std::vector<std::string> round();
  std::vector<std::string> come_back();
  std::vector<std::string> unmount_and_fsck(bool mount_again);
  bool finished() const;

  CampaignOptions options_;
  std::mt19937_64 random_;
  std::unique_ptr<Volume> volume_;
  std::string root_;
  std::vector<std::unique_ptr<Worker>> workers_;
  Totals totals_;
  Instant start_;
};

}  // namespace firn::crash
