// Runs the registered cases and counts what they found.
#pragma once

#include <atomic>
#include <string>

#include "harness.h"

namespace firn::posix {

// Shared by every process of the suite.
struct Counters {
  std::atomic<long> passed{0};
  std::atomic<long> failed{0};
  std::atomic<long> skipped{0};
};

struct Options {
  std::string directory;
  std::string filter;  // substring of the case's name; empty: all
  Identity user{65534, 65534, {}};
  int jobs = 4;
  bool big = false;
  bool verbose = false;
};

Counters& counters();
// The case of this process and as whom it runs.
const std::string& running_case();
const Identity& ordinary_user();
// The first directory of the run; for tests that need an absolute path.
const std::string& suite_directory();

// Returns the exit code.
int run_all(const Options& options);

}  // namespace firn::posix
