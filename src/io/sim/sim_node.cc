#include "io/sim/sim_node.h"

#include <algorithm>
#include <cstring>

namespace firn::io::internal {
namespace {

// Makes `content` keep invariant 3 after its size became smaller, or was chosen at random.
void clear_past_end(SimContent& content) {
  const uint64_t inside = content.bytes % kSectorBytes;
  const uint64_t last = content.bytes / kSectorBytes;
  content.sectors.erase(content.sectors.lower_bound(inside ? last + 1 : last), content.sectors.end());
  if (const auto found = content.sectors.find(last); inside && found != content.sectors.end())
    std::fill(found->second.begin() + static_cast<ptrdiff_t>(inside), found->second.end(), std::byte{0});
}

// Calls visit(sector, begin inside it, count) for each sector that [begin, end) touches.
template <class Visit>
void for_each_sector(uint64_t begin, uint64_t end, Visit visit) {
  while (begin < end) {
    const uint64_t inside = begin % kSectorBytes;
    const uint64_t count = std::min(kSectorBytes - inside, end - begin);
    visit(begin / kSectorBytes, static_cast<size_t>(inside), static_cast<size_t>(count));
    begin += count;
  }
}

}  // namespace

Sector& SimNode::touch(uint64_t index) {
  dirty.insert(index);
  return now.sectors[index];
}

size_t SimNode::read(uint64_t offset, std::span<std::byte> buffer) const {
  if (offset >= now.bytes) return 0;
  const uint64_t count = std::min<uint64_t>(buffer.size(), now.bytes - offset);
  std::byte* target = buffer.data();
  for_each_sector(offset, offset + count, [&](uint64_t index, size_t inside, size_t bytes) {
    const auto found = now.sectors.find(index);
    if (found == now.sectors.end()) {
      std::memset(target, 0, bytes);
    } else {
      std::memcpy(target, found->second.data() + inside, bytes);
    }
    target += bytes;
  });
  return static_cast<size_t>(count);
}

void SimNode::write(uint64_t offset, std::span<const std::byte> data) {
  const std::byte* source = data.data();
  for_each_sector(offset, offset + data.size(), [&](uint64_t index, size_t inside, size_t bytes) {
    std::memcpy(touch(index).data() + inside, source, bytes);
    source += bytes;
  });
  now.bytes = std::max(now.bytes, offset + data.size());
}

void SimNode::resize(uint64_t bytes) {
  const uint64_t last = bytes / kSectorBytes;
  for (auto it = now.sectors.lower_bound(last); it != now.sectors.end(); ++it) dirty.insert(it->first);
  now.bytes = bytes;
  clear_past_end(now);
}

void SimNode::zero(uint64_t begin, uint64_t end, bool punch) {
  // By visiting what is there and not what is not: the range may be terabytes of hole.
  const auto first = now.sectors.lower_bound(begin / kSectorBytes);
  for (auto it = first; it != now.sectors.end() && it->first * kSectorBytes < end;) {
    const uint64_t sector_begin = it->first * kSectorBytes;
    const uint64_t from = std::max(begin, sector_begin);
    const uint64_t to = std::min(end, sector_begin + kSectorBytes);
    dirty.insert(it->first);
    if (punch && to - from == kSectorBytes) {
      it = now.sectors.erase(it);
      continue;
    }
    std::memset(it->second.data() + (from - sector_begin), 0, to - from);
    ++it;
  }
}

void SimNode::allocate(uint64_t begin, uint64_t end) {
  for_each_sector(begin, end, [&](uint64_t index, size_t, size_t) {
    if (!now.sectors.contains(index)) touch(index) = Sector{};
  });
}

uint64_t SimNode::missing_sectors(uint64_t begin, uint64_t end) const {
  if (begin >= end) return 0;
  const uint64_t first = begin / kSectorBytes;
  const uint64_t past = (end + kSectorBytes - 1) / kSectorBytes;
  const auto there = std::distance(now.sectors.lower_bound(first), now.sectors.lower_bound(past));
  return past - first - static_cast<uint64_t>(there);
}

bool SimNode::is_written_directly(uint64_t begin, uint64_t end) const {
  return std::ranges::any_of(direct, [&](const auto& one) { return one.first < end && begin < one.second; });
}

uint64_t SimNode::next_data(uint64_t offset) const {
  const auto found = now.sectors.lower_bound(offset / kSectorBytes);
  if (found == now.sectors.end()) return now.bytes;
  return std::max(offset, found->first * kSectorBytes);
}

uint64_t SimNode::next_hole(uint64_t offset) const {
  uint64_t index = offset / kSectorBytes;
  for (auto it = now.sectors.lower_bound(index); it != now.sectors.end() && it->first == index; ++it) ++index;
  return std::min(now.bytes, std::max(offset, index * kSectorBytes));
}

void SimNode::sync() {
  for (const uint64_t index : dirty) {
    if (const auto found = now.sectors.find(index); found != now.sectors.end()) {
      durable.sectors[index] = found->second;
    } else {
      durable.sectors.erase(index);
    }
  }
  dirty.clear();
  durable.bytes = now.bytes;
  durable.atime = now.atime;
  durable.mtime = now.mtime;
  durable.ctime = now.ctime;
}

SimContent SimNode::after_crash(Random& random) const {
  SimContent left{.sectors = durable.sectors, .bytes = durable.bytes};
  for (const uint64_t index : dirty) {
    if (random.below(2) == 0) continue;
    if (const auto found = now.sectors.find(index); found != now.sectors.end()) {
      left.sectors[index] = found->second;
    } else {
      left.sectors.erase(index);
    }
  }
  const uint64_t choice = random.below(3);
  if (choice == 1) left.bytes = now.bytes;
  if (choice == 2 && now.bytes > durable.bytes) left.bytes += random.below(now.bytes - durable.bytes);
  clear_past_end(left);
  const SimContent& times = random.below(2) == 0 ? durable : now;
  left.atime = times.atime;
  left.mtime = times.mtime;
  left.ctime = times.ctime;
  return left;
}

}  // namespace firn::io::internal
