#include "base/random.h"

#include <sys/random.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/check.h"

namespace firn {
namespace {

class SystemRandom final : public Random {
 public:
  uint64_t next() override {
    uint64_t value = 0;
    // 8 bytes are never short once the generator is seeded, which it is long before firn runs.
    CHECK(getrandom(&value, sizeof value, 0) == static_cast<ssize_t>(sizeof value));
    return value;
  }
};

// splitmix64: spreads a small seed over the whole state.
uint64_t split_mix(uint64_t& state) {
  uint64_t z = (state += 0x9E3779B97F4A7C15ULL);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31);
}

}  // namespace

uint64_t Random::below(uint64_t bound) {
  CHECK(bound > 0);
  // Lemire's multiply-shift, with rejection of the few values that would bias it.
  for (;;) {
    const auto product = static_cast<unsigned __int128>(next()) * bound;
    if (static_cast<uint64_t>(product) >= (-bound) % bound) return static_cast<uint64_t>(product >> 64);
  }
}

void Random::fill(std::span<std::byte> bytes) {
  while (!bytes.empty()) {
    const uint64_t value = next();
    const size_t count = std::min(bytes.size(), sizeof value);
    std::memcpy(bytes.data(), &value, count);
    bytes = bytes.subspan(count);
  }
}

Random& system_random() {
  static SystemRandom random;
  return random;
}

SeededRandom::SeededRandom(uint64_t seed) {
  for (uint64_t& word : state_) word = split_mix(seed);
}

uint64_t SeededRandom::next() {
  const uint64_t result = std::rotl(state_[0] + state_[3], 23) + state_[0];
  const uint64_t shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

}  // namespace firn
