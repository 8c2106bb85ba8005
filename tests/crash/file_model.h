// What one file may contain after a crash.
//
// Invariants:
//  1. `base` is what is known to be durable; `ops` is what happened since, in order. Only the last may be in flight.
//  2. After a crash the size is base's, or one that an op left, or, for a write in flight, one on the way there.
//  3. Every byte has base's value or one that an op gave it.
//  4. A byte beyond base's size, below the size found, that a write at or before the one that made this size has
//     covered, does not read as the hole it never was: no size without its data.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace firn::crash {

using Instant = std::chrono::steady_clock::time_point;

struct ContentOp {
  bool is_write = false;  // else a truncate to `end`
  uint64_t begin = 0;     // bytes [begin, end) were written
  uint64_t end = 0;
  uint32_t version = 0;  // of the write's stamps
  uint64_t size_before = 0;
  uint64_t size_after = 0;
  bool in_flight = true;
  Instant done = {};
};

class FileModel {
 public:
  explicit FileModel(uint32_t id) : id_(id) { base_[0] = 0; }

  uint32_t id() const { return id_; }
  uint64_t size() const { return ops_.empty() ? base_size_ : ops_.back().size_after; }
  size_t op_count() const { return ops_.size() + settled_count_; }

  // The op is in flight until finish(). Returns the version that a write's stamps carry.
  uint32_t begin_write(uint64_t begin, uint64_t end);
  void begin_truncate(uint64_t size);
  void finish(bool happened);

  // The first `count` ops ever (in op_count()'s terms) are durable.
  void settle(size_t count);
  void settle_all() { settle(op_count()); }
  void settle_older(Instant cutoff);

  // Compares what was read after a crash. Empty when it is allowed, and then it becomes the base; else the violation.
  std::string check_and_adopt(std::span<const std::byte> found);

 private:
  using Versions = std::map<uint64_t, uint32_t>;  // start -> version up to the next start; 0: hole

  static void assign(Versions& versions, uint64_t begin, uint64_t end, uint32_t version);
  static uint32_t version_at(const Versions& versions, uint64_t offset);
  std::string check_size(uint64_t found) const;
  std::vector<uint64_t> boundaries(uint64_t size) const;
  std::vector<uint32_t> candidates(uint64_t offset, uint64_t found_size) const;
  std::string describe(std::span<const std::byte> found, uint64_t offset, const std::vector<uint32_t>& allowed) const;

  uint32_t id_;
  uint32_t last_version_ = 0;
  uint64_t base_size_ = 0;
  Versions base_;
  std::vector<ContentOp> ops_;
  size_t settled_count_ = 0;
};

}  // namespace firn::crash
