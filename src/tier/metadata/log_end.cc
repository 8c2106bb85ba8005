#include "tier/metadata/log_end.h"

#include <algorithm>

#include "tier/metadata/concurrently.h"

namespace firn::tier {

namespace {

constexpr size_t kPlacesAtOnce = 64;

// The first number from `first` on that no log object has, if those before it are all there.
io::Task<Result<uint64_t>> first_free_place(Bucket bucket, uint64_t first, io::CancelToken* token) {
  // Invariant: everything before `low` is there; `high` is not.
  uint64_t low = first, high = first;
  for (uint64_t step = 1; CO_TRY(co_await object_exists(bucket, log_key(high), token)); step *= 2) {
    low = high + 1;
    high = low + step;
  }
  while (low < high) {
    const uint64_t middle = low + (high - low) / 2;
    if (CO_TRY(co_await object_exists(bucket, log_key(middle), token)))
      low = middle + 1;
    else
      high = middle;
  }
  co_return low;
}

bool in_force(const LogEnd& end, const std::optional<Envelope>& at) { return at && !end.is_stray(*at); }

// One place after another.
io::Task<Result<LogEnd>> walk(Bucket bucket, LogEnd end, io::CancelToken* token) {
  for (;;) {
    const LogHeaders there = CO_TRY(co_await read_log_headers(bucket, end.place, kPlacesAtOnce, token));
    const auto free = std::ranges::find(there, false, &std::optional<Envelope>::has_value);
    for (auto one = there.begin(); one != free; ++one) end.pass(**one);
    if (free != there.begin()) continue;
    if (std::none_of(free, there.end(), [&](const auto& later) { return in_force(end, later); })) co_return end;
    // It may have been put in between the requests.
    if (!CO_TRY(co_await object_exists(bucket, log_key(end.place), token))) ++end.place;
  }
}

}  // namespace

io::Task<Result<LogHeaders>> read_log_headers(Bucket bucket, uint64_t first, size_t count, io::CancelToken* token) {
  LogHeaders headers(count);
  const auto read = [&](size_t index) -> io::Task<Result<void>> {
    return
        [](Bucket from, std::string name, std::optional<Envelope>& to, io::CancelToken* t) -> io::Task<Result<void>> {
          auto header = co_await read_envelope(from, std::move(name), t);
          if (!header && header.error() != Code::kCorrupt) co_return fail(std::move(header).error());
          to = header ? *header : Envelope{.type = ObjectType::kLog};
          co_return Result<void>();
        }(bucket, log_key(first + index), headers[index], token);
  };
  CO_TRY(co_await concurrently(count, count, read));
  co_return headers;
}

io::Task<Result<LogEnd>> find_log_end(Bucket bucket, const FoundRoot& newest, io::CancelToken* token) {
  const uint64_t first = newest.root.first_log;
  const uint64_t free = CO_TRY(co_await first_free_place(bucket, first, token));
  // The one before it, itself, and those behind it.
  const uint64_t from = free > first ? free - 1 : free;
  const LogHeaders around = CO_TRY(co_await read_log_headers(bucket, from, free - from + 1 + kPlacesBehind, token));
  LogEnd end{.place = from, .epoch = newest.root.log_epoch};
  if (free > first && !around.front()) co_return fail(Code::kUnavailable, "the log is being removed under us");
  auto next = around.begin();
  for (; next != around.end() && *next; ++next) end.pass(**next);
  // Whoever put the newest root put the last object, too; mostly.
  const bool is_newest = free == first || end.epoch >= newest.envelope.epoch;
  if (is_newest && std::none_of(next, around.end(), [](const auto& behind) { return behind.has_value(); }))
    co_return end;
  co_return co_await walk(bucket, {.place = first, .epoch = newest.root.log_epoch}, token);
}

}  // namespace firn::tier
