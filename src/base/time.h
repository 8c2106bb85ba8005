// Time: a POSIX timestamp, and the clock that all code asks instead of the system.
#pragma once

#include <compare>
#include <cstdint>

namespace firn {

// Seconds since 1970 (negative before) and nanoseconds in [0, 999'999'999].
struct Timestamp {
  int64_t seconds = 0;
  uint32_t nanoseconds = 0;
  friend constexpr auto operator<=>(const Timestamp&, const Timestamp&) = default;
};

// A nanosecond later.
constexpr Timestamp next_after(Timestamp time) {
  constexpr uint32_t kLast = 999'999'999;
  return time.nanoseconds == kLast ? Timestamp{time.seconds + 1, 0} : Timestamp{time.seconds, time.nanoseconds + 1};
}

// Thread-safe. The simulator supplies a virtual one; `system_clock()` is the real one.
class Clock {
 public:
  virtual ~Clock() = default;
  // Wall time, for inode timestamps. May step when an administrator sets the clock.
  virtual Timestamp now() = 0;
  // Nanoseconds since an arbitrary start; never goes back.
  virtual int64_t monotonic_ns() = 0;
  // The same, of another start, and the time for which the machine was suspended counts. For promises to others.
  virtual int64_t elapsed_ns() { return monotonic_ns(); }
};

Clock& system_clock();

// The time to stamp a file with. The kernel stamps with the coarse clock: a finer one would put our stamps after its
// later ones. But where the host lets the processor that counts the ticks stand still, the coarse clock does, too, and
// two changes far apart would look like one: then it is the fine one, which the coarse one will have passed by its next
// tick.
Timestamp stamp_of(Timestamp coarse, Timestamp fine);

}  // namespace firn
