#include "base/time.h"

#include <ctime>

namespace firn {
namespace {

class SystemClock final : public Clock {
 public:
  Timestamp now() override {
    timespec ts{};
    // The kernel stamps files with the coarse clock: a finer one would put our stamps after its later ones.
    clock_gettime(CLOCK_REALTIME_COARSE, &ts);
    return {ts.tv_sec, static_cast<uint32_t>(ts.tv_nsec)};
  }
  int64_t monotonic_ns() override {
    timespec ts{};
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1'000'000'000LL + ts.tv_nsec;
  }
};

}  // namespace

Clock& system_clock() {
  static SystemClock clock;
  return clock;
}

}  // namespace firn
