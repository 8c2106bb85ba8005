#include "migrate/count.h"

#include <fcntl.h>

namespace firn::migrate {

namespace {

struct Waiting {
  std::string path, below;
  bool included = false;
};

class Counter {
 public:
  Counter(const Options& options, Progress& progress) : options_(options), progress_(progress) {}

  void count(const SourceRoot& root) {
    waiting_.push_back({.path = root.path, .below = "", .included = false});
    device_.reset();
    while (!waiting_.empty() && !progress_.stop.cancelled()) {
      const Waiting folder = std::move(waiting_.back());
      waiting_.pop_back();
      look_into(folder);
    }
  }

 private:
  void look_into(const Waiting& folder) {
    if (options_.never_paths.contains(folder.path)) return;
    const auto source = SourceFolder::open(AT_FDCWD, folder.path);
    if (!source || options_.never.contains((*source)->stat().key)) return;
    if (!device_) device_ = (*source)->stat().key.device;
    if (options_.one_file_system && (*source)->stat().key.device != *device_) return;
    if (!folder.below.empty()) progress_.total_files += 1;
    for (;;) {
      const auto names = (*source)->next_names();
      if (!names || names->empty() || progress_.stop.cancelled()) return;
      for (const Name& one : *names) count_one(folder, **source, one);
    }
  }

  void count_one(const Waiting& folder, const SourceFolder& source, const Name& one) {
    const std::string below = folder.below.empty() ? one.name : folder.below + "/" + one.name;
    const Matched what{.is_folder = one.is_folder, .in_included_folder = folder.included};
    if (options_.selection.verdict(below, what) == Verdict::kLeave) return;
    if (one.is_folder) {
      const bool included = folder.included || options_.selection.includes(below, true);
      waiting_.push_back({.path = folder.path + "/" + one.name, .below = below, .included = included});
      return;
    }
    const auto stat = stat_of(source.fd(), one.name);
    progress_.total_files += 1;
    if (stat && stat->type == meta::FileType::kRegular) progress_.total_bytes += stat->size;
  }

  const Options& options_;
  Progress& progress_;
  std::optional<uint64_t> device_;
  std::vector<Waiting> waiting_;
};

}  // namespace

void count_sources(const Options& options, Progress& progress) {
  Counter counter(options, progress);
  for (const SourceRoot& root : options.sources) counter.count(root);
}

}  // namespace firn::migrate
