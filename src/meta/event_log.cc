#include "meta/event_log.h"

#include <algorithm>

#include "base/log.h"
#include "base/metrics.h"
#include "io/reactor.h"
#include "meta.pb.h"
#include "meta/keys.h"

namespace firn::meta {

namespace {

constexpr int64_t kTrimEveryNs = 1'000'000'000;

metrics::Counter& written_total() {
  static metrics::Counter& counter =
      metrics::process_registry().counter("firn_events_written_total", "Changes of the namespace that were logged.");
  return counter;
}

metrics::Counter& trimmed_total() {
  static metrics::Counter& counter = metrics::process_registry().counter(
      "firn_events_trimmed_total", "Logged changes that were discarded, for there were enough.");
  return counter;
}

io::Task<Result<std::optional<record::EventLog>>> load_record(kv::Transaction& transaction) {
  const Key key = event_log_key();
  const auto stored = CO_TRY(co_await transaction.get(key));
  if (!stored) co_return std::nullopt;
  record::EventLog message;
  // A log whose record is damaged is none.
  if (!message.ParseFromString(*stored) || message.id() == 0 || message.first() == 0) co_return std::nullopt;
  co_return message;
}

io::Task<Result<bool>> has_events_from(kv::Transaction& transaction, uint64_t first) {
  kv::Range range = all_events();
  range.begin = event_key(first).str();
  co_return !CO_TRY(co_await transaction.scan(std::move(range), 1, kv::Isolation::kSnapshot)).empty();
}

// The greatest number in the store that is at least `first`; first - 1: there is none. By halves: scans go forward.
io::Task<Result<uint64_t>> last_from(kv::Transaction& transaction, uint64_t first) {
  if (!CO_TRY(co_await has_events_from(transaction, first))) co_return first - 1;
  uint64_t there = first, beyond = UINT64_MAX;  // there are events from `there`, none from `beyond`
  while (beyond - there > 1) {
    const uint64_t middle = there + (beyond - there) / 2;
    (CO_TRY(co_await has_events_from(transaction, middle)) ? there : beyond) = middle;
  }
  co_return there;
}

io::Task<Result<void>> store_record(kv::Engine& engine, record::EventLog message) {
  const std::string bytes = message.SerializeAsString();
  const auto transaction = engine.begin();
  transaction->put(event_log_key(), bytes);
  CO_TRY(co_await transaction->commit());
  co_return Result<void>();
}

io::Task<Result<void>> discard_now(kv::Engine& engine, kv::Range range) {
  constexpr int64_t kPauseNs = 10'000'000;
  for (;;) {
    const Result<void> done = engine.discard(range);
    if (done || done.error() != Code::kBusy) co_return done;
    co_await io::sleep_for(kPauseNs);
  }
}

}  // namespace

io::Task<Result<std::unique_ptr<EventLog>>> EventLog::open(kv::Engine& engine, Options options, Random& random) {
  std::optional<record::EventLog> known;
  {
    const auto transaction = engine.begin();
    known = CO_TRY(co_await load_record(*transaction));
  }
  if (!known || known->hot_id() != options.hot_id) {
    CO_TRY(co_await discard_now(engine, all_events()));
    record::EventLog fresh;
    while (fresh.id() == 0) fresh.set_id(random.next());
    fresh.set_hot_id(options.hot_id);
    fresh.set_first(1);
    CO_TRY(co_await store_record(engine, fresh));
    known = fresh;
  }
  const auto transaction = engine.begin();
  const uint64_t last = CO_TRY(co_await last_from(*transaction, known->first()));
  // What is told of it must not be taken back.
  CO_TRY(co_await engine.sync(engine.last_version()));
  co_return std::make_unique<EventLog>(engine, options, known->id(), known->first(), last);
}

io::Task<Result<void>> EventLog::forget(kv::Engine& engine) {
  {
    const auto transaction = engine.begin();
    const Key key = event_log_key();
    if (!CO_TRY(co_await transaction->get(key))) co_return Result<void>();
  }
  CO_TRY(co_await discard_now(engine, all_events()));
  const auto transaction = engine.begin();
  transaction->erase(event_log_key());
  CO_TRY(co_await transaction->commit());
  co_return co_await engine.sync(engine.last_version());
}

EventLog::EventLog(kv::Engine& engine, Options options, uint64_t id, uint64_t first, uint64_t last)
    : engine_(engine), options_(options), id_(id), given_(last), stored_(last), oldest_(first), durable_(last) {}

uint64_t EventLog::next() {
  std::lock_guard lock(numbers_mutex_);
  in_flight_.push_back(++given_);
  return given_;
}

void EventLog::ended(uint64_t sequence, bool stored) {
  {
    std::lock_guard lock(numbers_mutex_);
    *std::ranges::find(in_flight_, sequence) = in_flight_.back();
    in_flight_.pop_back();
    if (stored) stored_ = std::max(stored_, sequence);
  }
  if (stored) written_total().add();
}

uint64_t EventLog::settled_locked() const {
  const auto first = std::ranges::min_element(in_flight_);
  return first == in_flight_.end() ? given_ : *first - 1;
}

uint64_t EventLog::settled() const {
  std::lock_guard lock(numbers_mutex_);
  return settled_locked();
}

uint64_t EventLog::oldest() const {
  std::lock_guard lock(numbers_mutex_);
  return oldest_;
}

uint64_t EventLog::durable() const {
  std::lock_guard lock(numbers_mutex_);
  return durable_;
}

void EventLog::look() {
  std::lock_guard lock(numbers_mutex_);
  if (waiting_ && engine_.synced_version() >= waiting_->version) {
    durable_ = waiting_->sequence;
    waiting_.reset();
  }
  // Not above what is stored: a number that was given up would be given again after a crash.
  const uint64_t reached = std::min(settled_locked(), stored_);
  if (!waiting_ && reached > durable_) waiting_ = Mark{reached, engine_.last_version()};
}

io::Task<Result<void>> EventLog::sync() {
  constexpr int64_t kPauseNs = 1'000'000;
  const uint64_t wanted = [this] {
    std::lock_guard lock(numbers_mutex_);
    return given_;
  }();
  while (settled() < wanted) co_await io::sleep_for(kPauseNs);
  Mark mark;
  {
    std::lock_guard lock(numbers_mutex_);
    mark = {std::min(settled_locked(), stored_), engine_.last_version()};
  }
  CO_TRY(co_await engine_.sync(mark.version));
  std::lock_guard lock(numbers_mutex_);
  durable_ = std::max(durable_, mark.sequence);
  if (waiting_ && waiting_->sequence <= durable_) waiting_.reset();
  co_return Result<void>();
}

io::Task<Result<std::vector<LoggedEvent>>> EventLog::read(kv::Transaction& transaction, uint64_t after,
                                                          uint64_t through, size_t limit) {
  std::vector<LoggedEvent> events;
  if (after >= through) co_return events;
  const auto pairs =
      CO_TRY(co_await transaction.scan(events_between(after + 1, through + 1), limit, kv::Isolation::kSnapshot));
  if (after + 1 < oldest()) co_return fail(Code::kStale, "the events were discarded");
  for (const kv::Pair& pair : pairs) {
    const uint64_t sequence = CO_TRY(sequence_of_event_key(pair.key));
    events.push_back({sequence, CO_TRY(decode_event(pair.value))});
  }
  co_return events;
}

io::Task<Result<void>> EventLog::look_back(std::function<bool(LoggedEvent&)> look) {
  constexpr uint64_t kAtOnce = 1024;
  const auto transaction = engine_.begin();
  const auto last_given = [this] {
    std::lock_guard lock(numbers_mutex_);
    return given_;
  };
  for (uint64_t through = last_given(); through >= oldest();) {
    const uint64_t after = std::max(through - std::min(through, kAtOnce), oldest() - 1);
    auto events = co_await read(*transaction, after, through, kAtOnce);
    // Discarded meanwhile; or no firn wrote it.
    if (!events && (events.error() == Code::kStale || events.error() == Code::kCorrupt)) break;
    if (!events) co_return fail(events.error());
    for (auto logged = events->rbegin(); logged != events->rend(); ++logged)
      if (!look(*logged)) co_return Result<void>();
    through = after;
    co_await io::yield();
  }
  co_return Result<void>();
}

io::Task<Result<std::optional<std::string>>> EventLog::find_former_name(InodeId directory,
                                                                        std::function<bool(std::string_view)> is_it) {
  // Somebody who asks for what was never there has all of the log looked through: not for many at a time.
  const auto lock = co_await finding_.lock();
  std::optional<std::string> found;
  CO_TRY(co_await look_back([&](LoggedEvent& logged) {
    Event& event = logged.event;
    EventPlace* taken = event.kind == EventKind::kRemoved   ? &event.at
                        : event.kind == EventKind::kRenamed ? &event.from
                                                            : nullptr;
    if (!taken || taken->parent != directory || !is_it(taken->name)) return true;
    found = std::move(taken->name);
    return false;
  }));
  co_return found;
}

io::Task<Result<bool>> EventLog::trim() {
  uint64_t first = 0, gone = 0;
  {
    std::lock_guard lock(numbers_mutex_);
    // What nobody could have been told yet stays.
    const uint64_t last = durable_;
    if (last < oldest_ + options_.keep + options_.keep / 8) co_return false;
    first = last - options_.keep + 1;
    gone = first - oldest_;
    oldest_ = first;
  }
  record::EventLog message;
  message.set_id(id_);
  message.set_hot_id(options_.hot_id);
  message.set_first(first);
  CO_TRY(co_await store_record(engine_, std::move(message)));
  // From the start, so that what an earlier attempt left goes, too.
  CO_TRY(co_await discard_now(engine_, events_before(first)));
  trimmed_total().add(gone);
  co_return true;
}

io::Task<void> EventLog::keep_short(io::CancelToken* token) {
  while (co_await io::sleep_for(kTrimEveryNs, token)) {
    look();
    if (const Result<bool> done = co_await trim(); !done)
      log::warning("old events cannot be discarded: {}", done.error().to_string());
  }
}

}  // namespace firn::meta
