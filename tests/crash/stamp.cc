#include "stamp.h"

#include <algorithm>
#include <cstring>

namespace firn::crash {
namespace {

constexpr uint64_t kMultiplier = 0xff51afd7ed558ccdULL;

// The inverse of an odd number modulo 2^64, by Newton's iteration.
constexpr uint64_t invert(uint64_t odd) {
  uint64_t inverse = odd;
  for (int i = 0; i < 6; ++i) inverse *= 2 - odd * inverse;
  return inverse;
}
static_assert(kMultiplier * invert(kMultiplier) == 1);

constexpr uint64_t scramble(uint64_t x) {
  x ^= x >> 33;
  x *= kMultiplier;
  return x ^ (x >> 33);
}

constexpr uint64_t unscramble(uint64_t x) {
  x ^= x >> 33;  // a shift by more than half the width undoes itself
  x *= invert(kMultiplier);
  return x ^ (x >> 33);
}
static_assert(unscramble(scramble(0x123456789abcdefULL)) == 0x123456789abcdefULL);

}  // namespace

uint64_t stamp_word(Stamp stamp) {
  return scramble((uint64_t{stamp.file} << 42) | (uint64_t{stamp.version} << 22) | stamp.word);
}

void fill_stamps(std::span<std::byte> out, uint32_t file, uint32_t version, uint64_t offset) {
  for (size_t done = 0; done < out.size();) {
    uint64_t word = stamp_word({file, version, (offset + done) / 8});
    size_t skip = (offset + done) % 8;
    size_t take = std::min(8 - skip, out.size() - done);
    std::memcpy(out.data() + done, reinterpret_cast<std::byte*>(&word) + skip, take);
    done += take;
  }
}

std::optional<Stamp> read_stamp(uint64_t word) {
  uint64_t plain = unscramble(word);
  Stamp stamp{static_cast<uint32_t>(plain >> 42), static_cast<uint32_t>((plain >> 22) & 0xfffff), plain & 0x3fffff};
  constexpr uint32_t kPlausibleFiles = 1 << 18;
  constexpr uint64_t kPlausibleWords = 1 << 20;
  if (stamp.file == 0 || stamp.file >= kPlausibleFiles || stamp.word >= kPlausibleWords) return std::nullopt;
  return stamp;
}

}  // namespace firn::crash
