// Randomness: the source that all code asks, so that a simulated run can be repeated from its seed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace firn {

class Random {
 public:
  virtual ~Random() = default;

  virtual uint64_t next() = 0;
  // Uniform in [0, bound); bound > 0.
  uint64_t below(uint64_t bound);
  // Uniform in [0, 1).
  double unit() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }
  void fill(std::span<std::byte> bytes);
};

// The kernel's generator: unpredictable, thread-safe, a system call per call.
Random& system_random();

// xoshiro256++ (Blackman and Vigna, public domain): fast, repeatable, not for secrets. Not thread-safe.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(uint64_t seed);
  uint64_t next() override;

 private:
  uint64_t state_[4];
};

}  // namespace firn
