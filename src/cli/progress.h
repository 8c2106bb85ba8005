// A progress bar on a terminal, and nothing elsewhere.
#pragma once

#include <cstdint>
#include <string>

namespace firn::cli {

class ProgressBar {
 public:
  // `what`: "uploading". Shown on stderr, where that is a terminal.
  explicit ProgressBar(std::string what);
  ~ProgressBar() { clear(); }

  struct State {
    uint64_t files = 0, total_files = 0;
    uint64_t bytes = 0, total_bytes = 0;
    uint64_t earlier_bytes = 0;  // of `bytes`: were there when it began, and say nothing of the rate
  };
  void show(const State& state);
  // Leaves an empty line.
  void clear();

 private:
  const std::string what_;
  const bool terminal_;
  const int64_t started_ns_;
  bool shown_ = false;
};

}  // namespace firn::cli
