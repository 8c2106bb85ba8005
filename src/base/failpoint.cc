#include "base/failpoint.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstdlib>

namespace firn::failpoints {

namespace {

constexpr const char* kVariable = "FIRN_FAILPOINT";

size_t chosen = kNames.size();  // written before `armed`
std::atomic<uint64_t> visits_left = 0;

bool parse_count(std::string_view text, uint64_t& count) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  return error == std::errc() && end == text.data() + text.size() && count > 0;
}

}  // namespace

Status arm_from_environment() {
  const char* const text = std::getenv(kVariable);
  if (text == nullptr || *text == '\0') return {};
  const std::string_view whole(text), name = whole.substr(0, whole.find(':'));
  uint64_t count = 1;
  if (name.size() < whole.size() && !parse_count(whole.substr(name.size() + 1), count))
    return Status(Code::kInvalid,
                  fmt::format("{}={}: what follows the colon is not a number from 1", kVariable, whole));
  const auto found = std::ranges::find(kNames, name);
  if (found == kNames.end())
    return Status(Code::kInvalid, fmt::format("{}={}: there is no such point; there are: {}", kVariable, whole,
                                              fmt::join(kNames, " ")));
  chosen = static_cast<size_t>(found - kNames.begin());
  visits_left = count;
  internal::armed = true;
  return {};
}

void internal::reach(Point point) {
  if (point.index() != chosen || visits_left.fetch_sub(1, std::memory_order_relaxed) != 1) return;
  (void)kill(getpid(), SIGKILL);
  // The signal may find another thread first: this one must not go past the point.
  for (;;) pause();
}

}  // namespace firn::failpoints
