#include "file_model.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "stamp.h"

namespace firn::crash {
namespace {

constexpr uint64_t kEnd = std::numeric_limits<uint64_t>::max();

// Whether found[0..] is what `version` of `file` holds at `offset`; within one aligned word.
bool holds(std::span<const std::byte> found, uint32_t file, uint32_t version, uint64_t offset) {
  uint64_t word = version == 0 ? 0 : stamp_word({file, version, offset / 8});
  return std::memcmp(found.data(), reinterpret_cast<const std::byte*>(&word) + offset % 8, found.size()) == 0;
}

}  // namespace

void FileModel::assign(Versions& versions, uint64_t begin, uint64_t end, uint32_t version) {
  if (begin >= end) return;
  uint32_t after = end == kEnd ? 0 : version_at(versions, end);
  versions.erase(versions.lower_bound(begin), versions.upper_bound(end));
  if (end != kEnd) versions[end] = after;
  versions[begin] = version;
}

uint32_t FileModel::version_at(const Versions& versions, uint64_t offset) {
  return std::prev(versions.upper_bound(offset))->second;
}

uint32_t FileModel::begin_write(uint64_t begin, uint64_t end) {
  ops_.push_back({.is_write = true,
                  .begin = begin,
                  .end = end,
                  .version = ++last_version_,
                  .size_before = size(),
                  .size_after = std::max(size(), end)});
  return last_version_;
}

void FileModel::begin_truncate(uint64_t size_after) {
  ops_.push_back({.end = size_after, .size_before = size(), .size_after = size_after});
}

void FileModel::finish(bool happened) {
  if (!happened) {
    ops_.pop_back();
    return;
  }
  ops_.back().in_flight = false;
  ops_.back().done = std::chrono::steady_clock::now();
}

void FileModel::settle(size_t count) {
  size_t folded = std::min(count - std::min(count, settled_count_), ops_.size());
  for (size_t i = 0; i < folded; ++i) {
    const ContentOp& op = ops_[i];
    if (op.is_write)
      assign(base_, op.begin, op.end, op.version);
    else
      assign(base_, op.size_after, kEnd, 0);
    base_size_ = op.size_after;
  }
  ops_.erase(ops_.begin(), ops_.begin() + static_cast<ptrdiff_t>(folded));
  settled_count_ += folded;
}

void FileModel::settle_older(Instant cutoff) {
  size_t count = 0;
  while (count < ops_.size() && !ops_[count].in_flight && ops_[count].done < cutoff) ++count;
  settle(settled_count_ + count);
}

std::string FileModel::check_size(uint64_t found) const {
  std::vector<uint64_t> allowed{base_size_};
  for (const ContentOp& op : ops_) {
    allowed.push_back(op.size_after);
    if (op.in_flight && op.is_write && found >= op.size_before && found <= op.size_after) return "";
  }
  if (std::ranges::find(allowed, found) != allowed.end()) return "";
  if (allowed.size() > 12) allowed.erase(allowed.begin() + 1, allowed.end() - 11);
  return fmt::format("size {} was never its size since it was synced; allowed {}", found, allowed);
}

std::vector<uint64_t> FileModel::boundaries(uint64_t size) const {
  std::vector<uint64_t> cuts{0, base_size_, size};
  for (const auto& [start, version] : base_) cuts.push_back(start);
  for (const ContentOp& op : ops_) {
    cuts.push_back(op.is_write ? op.begin : op.size_after);
    cuts.push_back(op.end);
  }
  std::ranges::sort(cuts);
  cuts.erase(std::unique(cuts.begin(), cuts.end()), cuts.end());
  while (cuts.back() > size) cuts.pop_back();
  return cuts;
}

std::vector<uint32_t> FileModel::candidates(uint64_t offset, uint64_t found_size) const {
  std::vector<uint32_t> allowed;
  bool hole_excluded = false;
  for (size_t i = 0; i < ops_.size(); ++i) {
    const ContentOp& op = ops_[i];
    if (op.is_write && op.begin <= offset && offset < op.end) {
      allowed.push_back(op.version);
      if (!op.in_flight && offset >= base_size_) hole_excluded = true;
    }
    if (!op.is_write && op.size_after <= offset) allowed.push_back(0);
    if (op.size_after == found_size) break;
  }
  // Ops after the one that first made this size may have left bytes too; what they may not do is excuse a hole.
  for (const ContentOp& op : ops_) {
    if (op.is_write && op.begin <= offset && offset < op.end) allowed.push_back(op.version);
    if (!op.is_write && op.size_after <= offset) allowed.push_back(0);
  }
  if (!hole_excluded || base_size_ == found_size) allowed.push_back(version_at(base_, offset));
  std::ranges::sort(allowed);
  allowed.erase(std::unique(allowed.begin(), allowed.end()), allowed.end());
  return allowed;
}

std::string FileModel::describe(std::span<const std::byte> found, uint64_t offset,
                                const std::vector<uint32_t>& allowed) const {
  uint64_t aligned = offset / 8 * 8;
  uint64_t word = 0;
  std::memcpy(&word, found.data() + aligned, std::min<size_t>(8, found.size() - aligned));
  std::string what = word == 0 ? "zeros" : fmt::format("unknown bytes {:016x}", word);
  if (auto stamp = read_stamp(word))
    what =
        fmt::format("{}file {} version {} offset {}", stamp->file == id_ ? "its own: " : "FOREIGN bytes: ", stamp->file,
                    stamp->version, stamp->word * 8);
  return fmt::format("offset {} of {}: {}; allowed versions {} (0: hole), durable size {}, {} later ops", offset,
                     found.size(), what, allowed, base_size_, ops_.size());
}

std::string FileModel::check_and_adopt(std::span<const std::byte> found) {
  if (std::string wrong = check_size(found.size()); !wrong.empty()) return wrong;
  Versions seen{{0, 0}};
  std::vector<uint64_t> cuts = boundaries(found.size());
  for (size_t i = 0; i + 1 < cuts.size(); ++i) {
    std::vector<uint32_t> allowed = candidates(cuts[i], found.size());
    uint32_t current = std::numeric_limits<uint32_t>::max();
    for (uint64_t at = cuts[i]; at < cuts[i + 1];) {
      uint64_t next = std::min(cuts[i + 1], at / 8 * 8 + 8);
      std::span<const std::byte> piece = found.subspan(at, next - at);
      if (current == std::numeric_limits<uint32_t>::max() || !holds(piece, id_, current, at)) {
        auto match = std::ranges::find_if(allowed, [&](uint32_t v) { return holds(piece, id_, v, at); });
        if (match == allowed.end()) return describe(found, at, allowed);
        current = *match;
        assign(seen, at, kEnd, current);
      }
      at = next;
    }
  }
  assign(seen, found.size(), kEnd, 0);
  base_ = std::move(seen);
  base_size_ = found.size();
  settled_count_ += ops_.size();
  ops_.clear();
  return "";
}

}  // namespace firn::crash
