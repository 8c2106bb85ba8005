#include "tier/metadata/follower.h"

#include <algorithm>

#include "base/check.h"

namespace firn::tier {

namespace {

constexpr int kMaxOpenings = 5;                                                 // against a collector that is faster
constexpr int64_t kFirstPauseNs = 1'000'000'000, kMaxPauseNs = 60'000'000'000;  // of start_over()

// `place` outlives it.
std::shared_ptr<kv::Engine> in_place(std::unique_ptr<kv::Engine> engine, std::shared_ptr<void> place) {
  kv::Engine* const raw = engine.get();
  auto both = std::make_shared<std::pair<std::shared_ptr<void>, std::unique_ptr<kv::Engine>>>(std::move(place),
                                                                                              std::move(engine));
  return {std::move(both), raw};
}

std::unexpected<Status> read_only() {
  return fail(Code::kReadOnly, "the volume is mounted for reading only: somebody else writes it");
}

// A transaction of the state that was there at its beginning.
class View final : public kv::Transaction {
 public:
  explicit View(std::shared_ptr<kv::Engine> engine) : engine_(std::move(engine)), inner_(engine_->begin()) {}

  io::Task<Result<std::optional<std::string>>> get(std::string_view key, kv::Isolation isolation) override {
    return inner_->get(key, isolation);
  }
  io::Task<Result<std::vector<std::optional<std::string>>>> multi_get(std::vector<std::string> keys,
                                                                      kv::Isolation isolation) override {
    return inner_->multi_get(std::move(keys), isolation);
  }
  io::Task<Result<std::vector<kv::Pair>>> scan(kv::Range range, size_t limit, kv::Isolation isolation) override {
    return inner_->scan(std::move(range), limit, isolation);
  }
  void put(std::string_view key, std::string_view value) override {
    writes_ = true;
    inner_->put(key, value);
  }
  void erase(std::string_view key) override {
    writes_ = true;
    inner_->erase(key);
  }
  void add(std::string_view key, int64_t delta) override {
    writes_ = true;
    inner_->add(key, delta);
  }
  void add_read_conflict(std::string_view key) override { inner_->add_read_conflict(key); }
  io::Task<Result<kv::Version>> commit() override {
    if (writes_) co_return read_only();
    co_return co_await inner_->commit();
  }

 private:
  const std::shared_ptr<kv::Engine> engine_;  // outlives the transaction
  const std::unique_ptr<kv::Transaction> inner_;
  bool writes_ = false;
};

}  // namespace

class MetadataFollower::Engine final : public kv::Engine {
 public:
  std::unique_ptr<kv::Transaction> begin() override { return std::make_unique<View>(current()); }
  io::Task<Result<void>> sync(kv::Version) override { co_return Result<void>(); }
  kv::Version last_version() const override { return current()->last_version(); }
  kv::Version synced_version() const override { return last_version(); }
  Result<void> flush_to_os() override { return {}; }
  Result<void> discard(kv::Range) override { return read_only(); }
  std::vector<std::pair<std::string, std::string>> statistics() const override { return current()->statistics(); }
  uint64_t disk_bytes() const override { return current()->disk_bytes(); }
  // The follower's to do: whoever closes it has no more transactions.
  io::Task<Result<void>> close() override {
    std::shared_ptr<kv::Engine> last;
    {
      std::lock_guard lock(current_mutex_);
      last = std::exchange(current_, nullptr);
    }
    if (last == nullptr) co_return Result<void>();
    co_return co_await last->close();
  }

  std::shared_ptr<kv::Engine> current() const {
    std::lock_guard lock(current_mutex_);
    CHECK(current_ != nullptr);
    return current_;
  }
  void replace(std::shared_ptr<kv::Engine> engine) {
    {
      std::lock_guard lock(current_mutex_);
      current_.swap(engine);
    }
    // The former one goes with its last transaction.
  }

 private:
  mutable std::mutex current_mutex_;  // guards current_
  std::shared_ptr<kv::Engine> current_;
};

MetadataFollower::MetadataFollower(Bucket bucket, MakeTarget make_target, FollowOptions options)
    : bucket_(std::move(bucket)),
      make_target_(std::move(make_target)),
      options_(std::move(options)),
      engine_(std::make_unique<Engine>()) {}

MetadataFollower::~MetadataFollower() = default;

kv::Engine& MetadataFollower::engine() { return *engine_; }

io::Task<Result<void>> MetadataFollower::open(io::CancelToken* token) { return read_newest(token); }

io::Task<Result<void>> MetadataFollower::read_newest(io::CancelToken* token) {
  for (int attempt = 1;; ++attempt) {
    RestoreOptions options = options_.restore;
    options.root_hint = std::max(options.root_hint, position_.root);
    FollowTarget to = make_target_();
    Result<Restored> restored = co_await restore_metadata(bucket_, std::move(to.target), std::move(options), token);
    if (restored) {
      position_ = restored->position;
      position_.is_old = true;
      engine_->replace(in_place(std::move(restored->engine), std::move(to.place)));
      break;
    }
    if (restored.error().code() != Code::kUnavailable || attempt == kMaxOpenings)
      co_return fail(std::move(restored).error());
  }
  next_check_ns_ = io::Reactor::current()->clock().monotonic_ns() + options_.root_check_ns;
  if (options_.on_replaced) options_.on_replaced();
  co_return Result<void>();
}

io::Task<Result<void>> MetadataFollower::poll(io::CancelToken* token) {
  if (!position_.at_break) {
    const std::shared_ptr<kv::Engine> engine = engine_->current();
    const Result<uint64_t> applied =
        co_await replay_log(bucket_, *engine, position_, options_.logs_in_flight, options_.on_applied, token);
    // The log may have been removed.
    if (!applied && applied.error().code() == Code::kUnavailable) co_return co_await look_for_root(token);
    if (!applied && applied.error() == Code::kStale) co_return co_await start_over(token);
    if (!applied) co_return fail(applied.error());
    const int64_t now = io::Reactor::current()->clock().monotonic_ns();
    if (*applied > 0) next_check_ns_ = now + options_.root_check_ns;
    if (now < next_check_ns_ && !position_.at_break) co_return Result<void>();
  }
  co_return co_await look_for_root(token);
}

// All of it is read for that: after a failure not again for a while.
io::Task<Result<void>> MetadataFollower::start_over(io::CancelToken* token) {
  Clock& clock = io::Reactor::current()->clock();
  if (clock.monotonic_ns() < next_start_ns_) co_return fail(start_failure_);
  const Result<void> done = co_await read_newest(token);
  if (done) {
    start_pause_ns_ = 0;
    co_return done;
  }
  start_failure_ = done.error();
  start_pause_ns_ = std::min({std::max(2 * start_pause_ns_, kFirstPauseNs), kMaxPauseNs, options_.root_check_ns});
  if (done.error() == Code::kCorrupt) start_pause_ns_ = options_.root_check_ns;
  next_start_ns_ = clock.monotonic_ns() + start_pause_ns_;
  co_return done;
}

// Nothing stands at our place in the log: either nothing has been put there yet, or it has been removed, or there was a
// break. In the last two cases there is a root beyond.
io::Task<Result<void>> MetadataFollower::look_for_root(io::CancelToken* token) {
  const uint64_t newest = CO_TRY(co_await newest_root(bucket_, position_.root, token));
  if (newest != position_.root) {
    const FoundRoot found = CO_TRY(co_await read_root(bucket_, newest, token));
    if (found.root.first_log > position_.next_log) co_return co_await start_over(token);
    // Its writer's fence is not behind us: it is still to come, or stands in a place whose object we have applied, and
    // which the store has forgotten since.
    if (found.envelope.epoch > position_.epoch && position_.epoch != 0) co_return co_await start_over(token);
    position_.root = newest;
    position_.root_seconds = found.root.seconds;
  }
  next_check_ns_ = io::Reactor::current()->clock().monotonic_ns() + options_.root_check_ns;
  co_return Result<void>();
}

}  // namespace firn::tier
