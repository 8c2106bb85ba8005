// io::SimDisk: a disk in memory that behaves as the worst legal one does: what was not synced may be lost in a power
// cut, in any combination; calls take time and may fail; space may run out.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "io/disk.h"
#include "io/sim/fault_plan.h"
#include "io/sim/sim_tree.h"

namespace firn::io {

struct SimDiskOptions {
  uint64_t seed = 1;
  uint64_t capacity_bytes = uint64_t{1} << 40;
  uint64_t reserved_bytes = 0;  // that much of it is kept for the system: free, but not available
  // Each call takes this long of virtual time, uniformly.
  int64_t min_latency_ns = 1'000;
  int64_t max_latency_ns = 50'000;
  bool shares_blocks = false;  // whether files can have blocks together (what they take counts for each all the same)
};

// What survives a power cut:
// - of a file's sectors (512 bytes), size and times: as of its last sync; of each one changed since, the new or the
//   old state at random. Bytes past the size that is left read as zeros.
// - of names: as of the last sync_directory; of the changes since, a random subset (see internal::SimTree).
// What was written past the page cache (write_direct) is lost and torn in the same ways. A write through the cache to
// the same pages meanwhile is a collision, which the next sync of the file reports (kIo), as the kernel does.
// A file whose name did not survive is gone, synced or not. The root "/" is there from the start.
// Not thread-safe; calls need a current SimReactor.
class SimDisk final : public Disk {
 public:
  explicit SimDisk(SimDiskOptions options = {});

  // Cuts the power: the disk as found afterwards. Every further call on this one and its files fails with kIo.
  // The seed of the choices is taken from this disk's.
  std::unique_ptr<SimDisk> crash();

  // Replaces the plan; null: no faults.
  void set_faults(FaultPlan faults) { faults_ = std::move(faults); }
  // Files may share blocks from now on. Not before: as on most file systems.
  void set_shares_blocks(bool shares) { options_.shares_blocks = shares; }
  // Each call takes so long from now on.
  void set_latency(int64_t ns) { options_.min_latency_ns = options_.max_latency_ns = ns; }
  void set_capacity(uint64_t bytes) { options_.capacity_bytes = bytes; }
  void set_reserved(uint64_t bytes) { options_.reserved_bytes = bytes; }
  uint64_t used_bytes() const { return used_sectors_ * internal::kSectorBytes; }
  // How many calls there have been, so that a test can fail each of them in turn.
  uint64_t calls() const { return calls_; }

  Task<Result<std::unique_ptr<File>>> open(std::string path, OpenOptions options) override;
  Task<Result<void>> make_directory(std::string path) override;
  Task<Result<void>> rename(std::string from, std::string to) override;
  Task<Result<void>> unlink(std::string path) override;
  Task<Result<FileStat>> stat(std::string path) override;
  Task<Result<std::vector<std::string>>> list(std::string path) override;
  Task<Result<void>> sync_directory(std::string path) override;
  Task<Result<DiskUsage>> usage(std::string path) override;
  Task<Result<void>> sync_filesystem(std::string path) override;

 private:
  friend class SimFile;

  SimDisk(SimDiskOptions options, internal::SimTree tree);

  // Lets time pass and asks the fault plan. A failure that is not after_effect is the call's result.
  Task<Result<SimFault>> begin(SimCall call, const std::string& path);
  // begin() of a call that has no effect.
  Task<Result<void>> begin_query(SimCall call, const std::string& path);
  // The call's result after its effect.
  static Result<void> outcome(const SimFault& fault);
  // kNoSpace when `sectors` more do not fit.
  Result<void> reserve(uint64_t sectors) const;
  // Runs `change` on the node and keeps account of its space.
  template <class Change>
  void change(internal::SimNode& node, Change change);
  // Gives back the space of a node that has neither a name nor an open file.
  void release_if_unused(const internal::SimNode& node);

  internal::SimNodeRef create(const internal::SimTree::Place& place, bool directory);

  SimDiskOptions options_;
  SeededRandom random_;
  internal::SimTree tree_;
  FaultPlan faults_;
  uint64_t used_sectors_ = 0;
  uint64_t calls_ = 0;
  bool powered_ = true;
};

}  // namespace firn::io
