#include "tier/metadata/takeover.h"

#include <algorithm>

#include "base/failpoint.h"
#include "base/hex.h"
#include "tier/metadata/log_end.h"

namespace firn::tier {

namespace {

constexpr int kMaxRaces = 32;  // against other openers
constexpr size_t kPlacesAtOnce = 8;
constexpr size_t kMostPlacesAtOnce = 64;
constexpr int64_t kMillisecond = 1'000'000;
constexpr size_t kMaxSweeps = 256;  // openings since the last collection

// Clocks of two machines differ, by much less than that.
constexpr int64_t kClockRates = 50;

int64_t elapsed_ns() { return io::Reactor::current()->clock().elapsed_ns(); }
int64_t monotonic_ns() { return io::Reactor::current()->clock().monotonic_ns(); }
int64_t wall_seconds() { return io::Reactor::current()->clock().now().seconds; }

// One attempt to become the writer.
class TakeOver {
 public:
  TakeOver(const Bucket& bucket, const TakeOverOptions& options, io::CancelToken* token)
      : bucket_(bucket), options_(options), token_(token) {
    held_.writer = random_bytes16(bucket.random);
  }

  io::Task<Result<Writership>> run() {
    const int64_t begun_seconds = wall_seconds();
    uint64_t hint = options_.root_hint;
    for (int race = 0;; ++race) {
      const uint64_t newest = CO_TRY(co_await newest_root(bucket_, hint, token_));
      if (CO_TRY(co_await put_root(newest))) break;
      if (race == kMaxRaces) co_return fail(Code::kBusy, "too many others open the volume in the bucket");
      hint = newest;
    }
    CO_TRY(co_await put_fence());
    failpoint("takeover.after_fence");
    // Whoever put a later root is going to put a later fence, or has; better to know now. And only this tells somebody
    // who slept between reading a root and putting the next one for so long that its place was free again.
    const uint64_t newest = CO_TRY(co_await newest_root(bucket_, held_.root.number, token_));
    if (newest != held_.root.number) {
      const FoundRoot other = CO_TRY(co_await read_root(bucket_, newest, token_));
      co_return fail(taken_over(bucket_, other.envelope));
    }
    if (took_too_long() || wall_seconds() - begun_seconds > options_.within_ns / 1'000'000'000)
      co_return fail(too_long());
    co_return std::move(held_);
  }

 private:
  Status too_long() const {
    return Status(Code::kTimedOut, "opening the volume in " + bucket_.store.describe() + " took too long to be safe");
  }
  bool took_too_long() const { return monotonic_ns() - begun_ns_ > options_.within_ns; }

  Status check(const FoundRoot& former) const {
    if (former.number == 0) return {};
    if (former.root.volume != options_.volume)
      return Status(Code::kCorrupt, bucket_.store.describe() + " holds another volume than it should");
    if (!options_.from_others && former.root.database != options_.database)
      return Status(Code::kNotPermitted, "the volume in " + bucket_.store.describe() +
                                             " belongs to another copy of it by now (epoch " +
                                             std::to_string(former.envelope.epoch) + ")");
    return {};
  }

  // The newest root, or the one before it.
  io::Task<Result<FoundRoot>> read_former(uint64_t newest) {
    Result<FoundRoot> found = co_await read_root(bucket_, newest, token_);
    held_.damaged_root = found ? Status() : found.error();
    if (found || found.error() != Code::kCorrupt || !options_.passes_damaged_root || newest == 1) co_return found;
    // Another writer's could be one of another database.
    const Result<std::optional<Envelope>> damaged = co_await read_envelope(bucket_, root_key(newest), token_);
    if (!damaged || !*damaged) co_return found;
    Result<FoundRoot> before = co_await read_root(bucket_, newest - 1, token_);
    if (!before || before->envelope.writer != (*damaged)->writer) co_return found;
    co_return before;
  }

  // False: somebody else was faster.
  io::Task<Result<bool>> put_root(uint64_t newest) {
    former_ = {};
    if (newest != 0) former_ = CO_TRY(co_await read_former(newest));
    const FoundRoot& former = former_;
    CO_TRY(check(former));
    held_.epoch = former.envelope.epoch + 1;
    FoundRoot next{.number = newest + 1, .root = succeed(former, wall_seconds())};
    next.root.volume = options_.volume;
    next.root.database = options_.database;
    next.root.lease_ms = static_cast<uint64_t>(options_.lease_ns / kMillisecond);
    former_lease_ns_ = static_cast<int64_t>(former.root.lease_ms) * kMillisecond;
    if (options_.own_database != Bytes16{} && former.root.database == options_.own_database) former_lease_ns_ = 0;
    if (newest != 0) {
      next.root.sweeps.push_back({former.envelope.epoch, former.root.tables_made + 1, wall_seconds()});
      if (next.root.sweeps.size() > kMaxSweeps) next.root.sweeps.erase(next.root.sweeps.begin());
    }
    next.root.tables_made = 0;
    if (newest != former.number) next.root.signposts.push_back(newest);
    const std::string payload = encode_root(next.root);
    next.envelope = header(ObjectType::kRoot, LogKind::kNone, next.number, payload.size());
    const std::string name = root_key(next.number);
    object::Content content = co_await bucket_.pool.run(
        [&] { return make_object(next.envelope, name, payload, bucket_.codec, bucket_.key); });
    failpoint("takeover.before_root");
    if (CO_TRY(co_await claim_and_look(bucket_, name, std::move(content), next.envelope, token_))) co_return false;
    failpoint("takeover.after_root");
    held_.root = std::move(next);
    co_return true;
  }

  io::Task<Result<void>> put_fence() {
    LogEnd end = CO_TRY(co_await find_log_end(bucket_, former_, token_));
    while (!took_too_long()) {
      if (end.epoch > held_.epoch) co_return fail(taken_over(bucket_, {.epoch = end.epoch, .writer = end.writer}));
      const Envelope fence = header(ObjectType::kLog, LogKind::kFence, end.place, 0);
      const std::string name = log_key(end.place);
      held_.lease_from_ns = elapsed_ns();
      object::Content content = make_object(fence, name, {}, Codec::kStored, bucket_.key);
      if (!CO_TRY(co_await claim_and_look(bucket_, name, std::move(content), fence, token_))) {
        held_.fence = end.place;
        held_.clean = end.released;
        if (!held_.clean && former_lease_ns_ > 0)
          held_.others_until_ns = elapsed_ns() + former_lease_ns_ + former_lease_ns_ / kClockRates;
        co_return Result<void>();
      }
      CO_TRY(co_await catch_up(end));
    }
    co_return fail(too_long());
  }

  // To the log's end, whose place is taken by now, by asking for many places at once: one after another would never
  // come up with a writer that goes on. Who comes first to that end is not certain for all that; a writer that always
  // does is stopped by its next root, a thousand of its objects from now, whose place ours has.
  io::Task<Result<void>> catch_up(LogEnd& end) {
    const uint64_t taken = end.place;
    for (size_t at_once = kPlacesAtOnce;; at_once = std::min(2 * at_once, kMostPlacesAtOnce)) {
      const LogHeaders there = CO_TRY(co_await read_log_headers(bucket_, end.place, at_once, token_));
      const auto free = std::ranges::find(there, false, &std::optional<Envelope>::has_value);
      for (auto one = there.begin(); one != free; ++one) {
        if ((*one)->epoch > held_.epoch) co_return fail(taken_over(bucket_, **one));
        end.pass(**one);
      }
      if (free == there.end()) continue;
      if (end.place == taken) co_return fail(Code::kUnavailable, "the log is being removed under us");
      co_return Result<void>();
    }
  }

  Envelope header(ObjectType type, LogKind kind, uint64_t number, uint64_t bytes) {
    return {.type = type,
            .kind = kind,
            .sealed = bucket_.key.has_value(),
            .epoch = held_.epoch,
            .number = number,
            .writer = held_.writer,
            .nonce = random_bytes16(bucket_.random),
            .plain_bytes = bytes};
  }

  const Bucket& bucket_;
  const TakeOverOptions& options_;
  io::CancelToken* const token_;
  const int64_t begun_ns_ = monotonic_ns();
  FoundRoot former_;
  int64_t former_lease_ns_ = 0;
  Writership held_;
};

}  // namespace

Status taken_over(const Bucket& bucket, const Envelope& by) {
  const std::string_view writer(reinterpret_cast<const char*>(by.writer.data()), by.writer.size());
  return Status(Code::kNotPermitted, "another daemon has taken over this volume in " + bucket.store.describe() +
                                         " (epoch " + std::to_string(by.epoch) + ", writer " + firn::to_hex(writer) +
                                         ")");
}

Root succeed(const FoundRoot& former, int64_t now_seconds) {
  Root root = former.root;
  if (former.number != 0)
    root.past.push_back({.number = former.number, .first_log = former.root.first_log, .replaced = now_seconds});
  root.seconds = now_seconds;
  return root;
}

io::Task<Result<bool>> is_released(Bucket bucket, io::CancelToken* token) {
  const uint64_t newest = CO_TRY(co_await newest_root(bucket, 0, token));
  if (newest == 0) co_return true;
  const FoundRoot root = CO_TRY(co_await read_root(bucket, newest, token));
  co_return CO_TRY(co_await find_log_end(bucket, root, token)).released;
}

io::Task<Result<Writership>> take_over(Bucket bucket, TakeOverOptions options, io::CancelToken* token) {
  TakeOver attempt(bucket, options, token);
  co_return co_await attempt.run();
}

}  // namespace firn::tier
