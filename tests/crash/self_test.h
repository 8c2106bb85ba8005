// Proves that the checker finds what it is there to find: works in a plain folder, damages the tree in one way after
// another, and expects each damage to be reported.
#pragma once

#include <string>
#include <vector>

#include "campaign.h"

namespace firn::crash {

struct SelfTestResult {
  int passed = 0;
  std::vector<std::string> failures;
};

SelfTestResult run_self_test(const CampaignOptions& options);

}  // namespace firn::crash
