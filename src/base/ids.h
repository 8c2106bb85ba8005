// Strong types for ids and versions, so that swapped arguments do not compile.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>

namespace firn {

template <class Tag>
struct Id {
  uint64_t value = 0;

  constexpr Id() = default;
  constexpr explicit Id(uint64_t v) : value(v) {}
  constexpr explicit operator bool() const { return value != 0; }
  friend constexpr auto operator<=>(Id, Id) = default;
};

// An inode number: 64 bits, never reused within a volume. 0 is "none", 1 the root directory.
using InodeId = Id<struct InodeTag>;
// The name of a backing file in the hot tier (data/hot). 0 is "none". Never reused.
using BackingId = Id<struct BackingTag>;
// The position of a chunk in its file: byte offset / chunk size.
using ChunkIndex = Id<struct ChunkIndexTag>;

inline constexpr InodeId kRootInode{1};

}  // namespace firn

template <class Tag>
struct std::hash<firn::Id<Tag>> {
  size_t operator()(firn::Id<Tag> id) const noexcept {
    // Fibonacci hashing: inode numbers are handed out in sequence.
    return static_cast<size_t>((id.value * 0x9E3779B97F4A7C15ULL) ^ (id.value >> 32));
  }
};
