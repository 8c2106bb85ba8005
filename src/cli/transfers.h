// cli::Transfers: several files at once between this machine and a daemon, each over a connection of its own, and one
// progress bar for all of them.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "cli/client.h"
#include "cli/progress.h"

namespace firn::cli {

// What has been done. `unchanged` files were there already.
struct TransferCounts {
  uint64_t files = 0, bytes = 0, resumed_bytes = 0, unchanged = 0, left_out = 0;
};

// The first failure ends all of it: what is under way stops at its next part, what waits does not begin.
class Transfers {
 public:
  struct Options {
    Served served;
    size_t jobs = 4;   // connections at most
    std::string what;  // "getting", for the bar
  };
  explicit Transfers(Options options);
  // Ends what is under way.
  ~Transfers();

  using Job = std::function<Status(Client& client)>;
  // Waits while many jobs wait. The failure of an earlier job, when there is one; the job then is dropped.
  Status add(uint64_t bytes, Job job);
  // Waits for all jobs; no more may be added. The first failure.
  Status finish();

  // Thread-safe; jobs call them. kInterrupted: another job has failed.
  Status moved(uint64_t bytes);
  void resumed(uint64_t bytes);
  void unchanged(uint64_t bytes);
  // Something that cannot be copied, such as a socket: says so, and goes on.
  void left_out(const std::string& message);

  TransferCounts counts();

 private:
  void run();
  Status run_jobs();
  void end_with(const Status& status);
  void show();

  const Options options_;
  std::mutex mutex_;  // guards all below
  std::condition_variable work_, room_;
  std::deque<Job> waiting_;
  bool closed_ = false;
  size_t idle_ = 0;
  Status failure_;
  TransferCounts counts_;
  ProgressBar bar_;
  ProgressBar::State state_;
  int64_t next_look_ns_ = 0;
  std::vector<std::thread> threads_;
};

}  // namespace firn::cli
