#include "base/time.h"

#include <ctime>

namespace firn {

// A tick at the lowest HZ there is.
constexpr int64_t kLongestTickNs = 10'000'000;

Timestamp stamp_of(Timestamp coarse, Timestamp fine) {
  const int64_t behind_ns = (fine.seconds - coarse.seconds) * 1'000'000'000 + fine.nanoseconds - coarse.nanoseconds;
  return behind_ns > kLongestTickNs ? fine : coarse;
}

namespace {

Timestamp read_clock(clockid_t clock) {
  timespec ts{};
  clock_gettime(clock, &ts);
  return {ts.tv_sec, static_cast<uint32_t>(ts.tv_nsec)};
}

int64_t nanoseconds_of(clockid_t clock) {
  timespec ts{};
  clock_gettime(clock, &ts);
  return ts.tv_sec * 1'000'000'000LL + ts.tv_nsec;
}

class SystemClock final : public Clock {
 public:
  Timestamp now() override {
    const Timestamp coarse = read_clock(CLOCK_REALTIME_COARSE);
    return stamp_of(coarse, read_clock(CLOCK_REALTIME));
  }
  int64_t monotonic_ns() override { return nanoseconds_of(CLOCK_MONOTONIC); }
  int64_t elapsed_ns() override { return nanoseconds_of(CLOCK_BOOTTIME); }
};

}  // namespace

Clock& system_clock() {
  static SystemClock clock;
  return clock;
}

}  // namespace firn
