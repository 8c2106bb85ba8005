#include "tier/metadata/restore.h"

#include <algorithm>

#include "base/failpoint.h"
#include "base/log.h"
#include "tier/metadata/concurrently.h"
#include "tier/metadata/log_end.h"
#include "tier/metadata/table_fetch.h"

namespace firn::tier {

namespace {

// What is missing may have been removed while we read: then there is a newer root.
std::unexpected<Status> moved_on(const std::string& name) {
  return fail(Code::kUnavailable, "the object " + name + " is not there (any more)");
}

// A log object is missing and a later one is there: either it has been removed, which leaves fences behind, and there
// is a root that does without it; or it is lost.
io::Task<Status> judge_hole(Bucket bucket, uint64_t number, io::CancelToken* token) {
  const uint64_t newest = CO_TRY(co_await newest_root(bucket, 0, token));
  const FoundRoot found = CO_TRY(co_await read_root(bucket, newest, token));
  if (found.root.first_log > number) co_return moved_on(log_key(number)).error();
  co_return Status(Code::kCorrupt, "the log has a hole: " + log_key(number) + " is missing and a later one is there");
}

class Restore {
 public:
  Restore(const Bucket& bucket, kv::RestoreTarget& target, const RestoreOptions& options, io::CancelToken* token)
      : bucket_(bucket), target_(target), options_(options), token_(token) {}

  io::Task<Result<Restored>> run() {
    const uint64_t newest = CO_TRY(co_await newest_root(bucket_, options_.root_hint, token_));
    if (newest == 0) co_return fail(Code::kNotFound, bucket_.store.describe() + " holds no metadata");
    const FoundRoot found = CO_TRY(co_await read_root(bucket_, newest, token_));
    const Root& root = found.root;
    if (!options_.volume.empty() && root.volume != options_.volume)
      co_return fail(Code::kCorrupt, bucket_.store.describe() + " holds another volume than it should");
    progress_.tables = root.tables.size();
    for (const TableRef& table : root.tables) progress_.bytes += table.bytes;
    report();
    CO_TRY(co_await concurrently(root.tables.size(), options_.tables_in_flight,
                                 [&](size_t index) { return fetch(root.tables[index]); }));
    Restored restored;
    failpoint("restore.after_tables");
    restored.engine = CO_TRY(co_await target_.finish(root.manifest));
    restored.position = {.root = newest,
                         .next_log = root.first_log,
                         .epoch = root.log_epoch,
                         .root_seconds = root.seconds,
                         .at_break = false};
    Result<void> replayed = co_await replay(restored, options_.logs_in_flight);
    // What is asked for together fails together.
    const bool rewinds = options_.rewinds && !replayed && replayed.error() == Code::kCorrupt;
    if (rewinds) replayed = co_await replay(restored, 1);
    if (rewinds && !replayed && replayed.error() == Code::kCorrupt)
      restored.given_up = std::move(replayed).error();
    else
      CO_TRY(replayed);
    failpoint("restore.after_replay");
    CO_TRY(co_await restored.engine->sync(restored.engine->last_version()));
    co_return restored;
  }

 private:
  // From the position on, to the end.
  io::Task<Result<void>> replay(Restored& restored, size_t in_flight) {
    const Result<uint64_t> replayed = co_await replay_log(
        bucket_, *restored.engine, restored.position, in_flight,
        [this](std::string_view) {
          ++progress_.logs_done;
          report();
        },
        token_);
    if (!replayed && replayed.error() == Code::kStale) co_return fail(Code::kCorrupt, replayed.error().message());
    CO_TRY(replayed);
    if (!restored.position.at_break) CO_TRY(co_await look_behind(restored.position));
    co_return Result<void>();
  }

  // Where the log seems to end there may be a hole.
  io::Task<Result<void>> look_behind(const Position& position) {
    const LogEnd end{.place = position.next_log, .epoch = position.epoch};
    const auto in_force = [&end](const std::optional<Envelope>& at) { return at && !end.is_stray(*at); };
    bool goes_on = false;
    for (size_t seen = 0; !goes_on && seen < kPlacesFarBehind; seen += kPlacesBehind) {
      const LogHeaders there = CO_TRY(co_await read_log_headers(bucket_, end.place + seen, kPlacesBehind, token_));
      // What has come since we looked comes after all that had been acknowledged before.
      if (seen == 0 && there.front()) co_return Result<void>();
      goes_on = std::ranges::any_of(there, in_force);
    }
    if (!goes_on) co_return Result<void>();
    if (CO_TRY(co_await object_exists(bucket_, log_key(end.place), token_))) co_return Result<void>();
    co_return fail(co_await judge_hole(bucket_, end.place, token_));
  }

  io::Task<Result<void>> fetch(const TableRef& table) {
    const Result<void> fetched = co_await fetch_table(
        bucket_, table, options_.request_bytes,
        [this, &table](std::string plain) {
          progress_.bytes_done += plain.size();
          report();
          return target_.append(table.name, std::move(plain));
        },
        token_);
    if (!fetched && fetched.error().code() == Code::kNotFound) co_return moved_on(table_key(table.epoch, table.number));
    if (!fetched) co_return fail(fetched.error());
    if (table.bytes == 0) CO_TRY(co_await target_.append(table.name, {}));
    failpoint("restore.after_table");
    ++progress_.tables_done;
    report();
    co_return Result<void>();
  }

  void report() const {
    if (options_.on_progress) options_.on_progress(progress_);
  }

  const Bucket& bucket_;
  kv::RestoreTarget& target_;
  const RestoreOptions& options_;
  io::CancelToken* const token_;
  RestoreProgress progress_;
};

// The first object of an epoch is its fence. (Nobody's fence has an epoch that its opener did not come to the end of:
// that is no reason to doubt what comes from one reading, and a small one to start over.)
bool misses_fence(const Position& position, const Envelope& next) {
  if (position.epoch == 0 || next.epoch == position.epoch) return false;
  return next.kind != LogKind::kFence || (position.is_old && next.epoch > position.epoch + 1);
}

using Window = std::vector<std::optional<OpenedObject>>;

// The next log objects side by side, as many as there are. `epoch`: in force before them.
io::Task<Result<Window>> read_window(Bucket bucket, uint64_t first, uint64_t epoch, size_t count,
                                     io::CancelToken* token) {
  Window window(count);
  const auto read = [&](size_t index) -> io::Task<Result<void>> {
    return [](Bucket from, uint64_t number, std::optional<OpenedObject>& to,
              io::CancelToken* t) -> io::Task<Result<void>> {
      auto opened = co_await read_log(from, number, t);
      if (opened) to = *std::move(opened);
      if (!opened && opened.error().code() != Code::kNotFound) co_return fail(std::move(opened).error());
      co_return Result<void>();
    }(bucket, first + index, window[index], token);
  };
  CO_TRY(co_await concurrently(count, count, read));
  const auto present = [](const std::optional<OpenedObject>& object) { return object.has_value(); };
  const auto hole = std::ranges::find_if_not(window, present);
  for (auto one = window.begin(); one != hole; ++one) epoch = std::max(epoch, (*one)->envelope.epoch);
  // Whoever puts strays is beyond the log's end.
  const auto in_force = [epoch](const std::optional<OpenedObject>& object) {
    return object && object->envelope.epoch >= epoch;
  };
  if (std::any_of(hole, window.end(), in_force)) {
    // They may have been put in between the requests.
    const uint64_t number = first + static_cast<uint64_t>(hole - window.begin());
    auto again = co_await read_log(bucket, number, token);
    if (!again && again.error().code() == Code::kNotFound) co_return fail(co_await judge_hole(bucket, number, token));
    if (!again) co_return fail(std::move(again).error());
    *hole = *std::move(again);
  }
  window.erase(std::ranges::find_if_not(window, present), window.end());
  co_return window;
}

}  // namespace

io::Task<Result<uint64_t>> replay_log(Bucket bucket, kv::Engine& engine, Position& position, size_t in_flight,
                                      std::function<void(std::string_view payload)> on_batches,
                                      io::CancelToken* token) {
  // The first request is by itself: mostly there is nothing, or one.
  uint64_t applied = 0, strays = 0;
  for (size_t count = 1;; count = std::max<size_t>(in_flight, 1)) {
    const Window window = CO_TRY(co_await read_window(bucket, position.next_log, position.epoch, count, token));
    for (const std::optional<OpenedObject>& object : window) {
      const Envelope& envelope = object->envelope;
      if (envelope.epoch < position.epoch) {
        if (strays++ == 0)
          log::warning(
              "metadata: {} is of a daemon that had been taken over and did not know; it is passed over, as "
              "are others behind it",
              log_key(position.next_log));
        ++position.next_log;
        continue;
      }
      if (misses_fence(position, envelope))
        co_return fail(Code::kStale, log_key(position.next_log) + " is of a writer whose fence is not before it");
      if (envelope.kind == LogKind::kBreak) {
        position.at_break = true;
        co_return applied;
      }
      if (Result<void> done = co_await apply_log(engine, object->plain); !done)
        co_return fail(std::move(done).error().with_context(log_key(position.next_log)));
      position.epoch = envelope.epoch;
      ++position.next_log;
      ++applied;
      if (on_batches) on_batches(object->plain);
    }
    if (window.size() < count) co_return applied;
  }
}

io::Task<Result<Restored>> restore_metadata(Bucket bucket, std::unique_ptr<kv::RestoreTarget> target,
                                            RestoreOptions options, io::CancelToken* token) {
  Restore restore(bucket, *target, options, token);
  co_return co_await restore.run();
}

}  // namespace firn::tier
