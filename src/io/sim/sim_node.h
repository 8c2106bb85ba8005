// internal::SimNode: a file or directory of a simulated disk, as it is now and as a power cut would leave it.
//
// Invariants:
// 1. `now` is what calls see; `durable` is what the last sync made safe.
// 2. A sector that differs between the two is in `dirty`. A sector that is absent is a hole and reads as zeros.
// 3. No sector lies wholly at or past the size, except by fallocate with kKeepSize; bytes past the size are zero.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>

#include "base/random.h"
#include "base/time.h"

namespace firn::io::internal {

inline constexpr uint64_t kSectorBytes = 512;
using Sector = std::array<std::byte, kSectorBytes>;

struct SimNode;
using SimNodeRef = std::shared_ptr<SimNode>;

struct SimContent {
  std::map<uint64_t, Sector> sectors;
  uint64_t bytes = 0;
  Timestamp atime, mtime, ctime;
  std::map<std::string, SimNodeRef> names;  // directories
};

struct SimNode {
  explicit SimNode(bool directory) : is_directory(directory) {}

  size_t read(uint64_t offset, std::span<std::byte> buffer) const;
  void write(uint64_t offset, std::span<const std::byte> data);
  void resize(uint64_t bytes);
  // Zeros in [begin, end), within the size or past it; whole sectors become holes when `punch`, else stay allocated.
  void zero(uint64_t begin, uint64_t end, bool punch);
  // Makes every sector of [begin, end) be there, without changing what it reads as.
  void allocate(uint64_t begin, uint64_t end);
  // Sectors that writing [begin, end) would have to allocate.
  uint64_t missing_sectors(uint64_t begin, uint64_t end) const;
  // The first sector at or after the one that holds `offset` that is there, or is not; its begin, `offset` at least.
  uint64_t next_data(uint64_t offset) const;
  uint64_t next_hole(uint64_t offset) const;

  bool is_written_directly(uint64_t begin, uint64_t end) const;
  // Makes content and attributes durable (not names).
  void sync();
  // What a power cut leaves: each dirty sector, the size and the times are the new or the old ones, at random.
  SimContent after_crash(Random& random) const;

  bool is_directory;
  SimContent now;
  SimContent durable;
  std::set<uint64_t> dirty;
  // Direct writes under way: [begin, end) of each.
  std::multimap<uint64_t, uint64_t> direct;
  bool collided = false;  // with one of them; the next sync says so
  bool named = false;     // it has its name (there are no hard links here)
  uint32_t opens = 0;

 private:
  Sector& touch(uint64_t index);
};

}  // namespace firn::io::internal
