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
  if (state.total_bytes == 0 && state.total_files == 0) {
    fmt::print(stderr, "\r{} {} files, {}\x1b[K", what_, state.files, human_size(state.bytes));
    return;
  }
  // Where there are no bytes, files are what takes time.
  const bool by_files = state.total_bytes == 0;
  const uint64_t of = by_files ? state.total_files : state.total_bytes;
  const uint64_t done = std::min(by_files ? state.files : state.bytes, of);
  const int64_t elapsed_ns = std::max<int64_t>(system_clock().monotonic_ns() - started_ns_, 1);
  const uint64_t moved = by_files ? state.files : state.bytes - state.earlier_bytes;
  const auto rate = static_cast<uint64_t>(static_cast<double>(moved) * 1e9 / static_cast<double>(elapsed_ns));
  const auto cells = static_cast<size_t>(static_cast<double>(done) / static_cast<double>(of) * kBarCells);
  std::string text =
      fmt::format("{} [{:<{}}] {}/{} files", what_, std::string(cells, '#'), kBarCells, state.files, state.total_files);
  if (by_files) {
    text += fmt::format(", {}/s", rate);
  } else {
    text += fmt::format(", {} of {}, {}/s", human_size(state.bytes), human_size(of), human_size(rate));
  }
  if (rate > 0 && done < of) text += ", " + time_left((of - done) / rate) + " left";
  fmt::print(stderr, "\r{}\x1b[K", text);
}

void ProgressBar::clear() {
  if (std::exchange(shown_, false)) fmt::print(stderr, "\r\x1b[K");
}

}  // namespace firn::cli
