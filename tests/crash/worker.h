// One thread of the workload. It owns its names (its own folder, and names with its prefix in shared folders), so that
// its ledger is exact while its calls run beside those of all the others.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "ledger.h"

namespace firn::crash {

struct WorkerOptions {
  int number = 0;
  int shared_folders = 2;
  uint64_t seed = 0;
  size_t max_names = 80;
};

class Worker {
 public:
  explicit Worker(WorkerOptions options) : options_(options), random_(options.seed) {}

  // Works below `root` until `stop` is set or a call fails. A failure before `stop` was set is an error of the file
  // system, kept for failure(). Afterwards the call that failed is in the ledger as in flight.
  void run(const std::string& root, const std::atomic<bool>& stop);
  void close_all();

  Ledger& ledger() { return ledger_; }
  const std::string& failure() const { return failure_; }
  uint64_t operations() const { return operations_; }
  // Whether a path (relative to the mount) belongs to this worker.
  bool owns(const std::string& path) const;
  std::string own_folder() const { return "w" + std::to_string(options_.number); }

 private:
  struct OpenFile {
    int fd = -1;
    uint64_t inode = 0;
    bool append = false;
    bool synchronous = false;
  };

  bool step();
  // False: stop. Sorts a failed call into one that changed nothing, and the end of the world.
  bool outcome(bool ok, const std::string& what);

  bool create_file();
  bool open_file();
  bool close_file();
  bool write_file(OpenFile& file);
  bool truncate_file(OpenFile& file);
  bool sync_file(OpenFile& file);
  bool sync_directory();
  bool sync_volume();
  bool make_directory();
  bool make_symlink();
  bool remove_directory();
  bool unlink_name();
  bool link_name();
  bool rename_name();
  bool rename_directory();
  bool exchange_names();

  // Enters the event in the ledger as in flight and runs `call`. True: it happened, and the caller finishes the event.
  bool change_names(Event event, const std::function<bool()>& call);

  uint64_t below(uint64_t limit) { return random_() % limit; }
  std::string absolute(const std::string& path) const { return root_ + "/" + path; }
  std::string pick(NodeType type);
  std::string pick_folder();
  std::string fresh_name();
  OpenFile* pick_open();

  WorkerOptions options_;
  std::mt19937_64 random_;
  std::string root_;
  const std::atomic<bool>* stop_ = nullptr;
  Ledger ledger_;
  std::vector<OpenFile> open_;
  std::vector<std::byte> buffer_;
  std::string failure_;
  uint64_t operations_ = 0;
  uint64_t next_name_ = 0;
};

}  // namespace firn::crash
