#include "cli/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "base/bytes.h"
#include "base/time.h"

namespace firn::cli {

namespace {
constexpr uint64_t kBarCells = 24;

// In whole minutes or hours where it is long: nobody needs the seconds of an estimate.
std::string time_left(uint64_t seconds) {
  constexpr uint64_t kMinute = 60, kHour = 60 * kMinute;
  const uint64_t step = seconds >= 10 * kHour ? kHour : seconds >= 10 * kMinute ? kMinute : 1;
  return format_duration(static_cast<int64_t>(seconds / step * step) * 1'000'000'000);
}
}  // namespace

ProgressBar::ProgressBar(std::string what)
    : what_(std::move(what)), terminal_(isatty(STDERR_FILENO) != 0), started_ns_(system_clock().monotonic_ns()) {}

void ProgressBar::show(const State& state) {
  if (!terminal_) return;
  shown_ = true;
  const int64_t elapsed_ns = std::max<int64_t>(system_clock().monotonic_ns() - started_ns_, 1);
  const auto rate = static_cast<uint64_t>(static_cast<double>(state.bytes - state.earlier_bytes) * 1e9 /
                                          static_cast<double>(elapsed_ns));
  if (state.total_bytes == 0 && state.total_files == 0) {
    fmt::print(stderr, "\r{} {} files, {}\x1b[K", what_, state.files, human_size(state.bytes));
    return;
  }
  const uint64_t of = std::max<uint64_t>(state.total_bytes, 1), done = std::min(state.bytes, of);
  const auto cells = static_cast<size_t>(static_cast<double>(done) / static_cast<double>(of) * kBarCells);
  std::string left;
  if (rate > 0 && done < of) left = ", " + time_left((of - done) / rate) + " left";
  fmt::print(stderr, "\r{} [{:<{}}] {}/{} files, {} of {}, {}/s{}\x1b[K", what_, std::string(cells, '#'), kBarCells,
             state.files, state.total_files, human_size(state.bytes), human_size(state.total_bytes), human_size(rate),
             left);
}

void ProgressBar::clear() {
  if (std::exchange(shown_, false)) fmt::print(stderr, "\r\x1b[K");
}

}  // namespace firn::cli
