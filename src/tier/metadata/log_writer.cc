#include "tier/metadata/log_writer.h"

#include <algorithm>

#include "base/failpoint.h"
#include "base/log.h"
#include "tier/metadata/concurrently.h"
#include "tier/metadata/log_end.h"

namespace firn::tier {

namespace {

// Compressed on the reactor: what a few dozen appends add up to, which is gone sooner than a thread has been woken.
constexpr size_t kInlineBytes = 128 << 10;
constexpr size_t kStraysAtOnce = 16;

int64_t elapsed_ns() { return io::Reactor::current()->clock().elapsed_ns(); }

}  // namespace

io::Task<LogWriter::Prepared> LogWriter::prepare(LogKind kind, std::string_view payload) {
  Prepared made;
  made.made_ns = elapsed_ns();
  made.envelope = {.type = ObjectType::kLog,
                   .kind = kind,
                   .sealed = bucket_.key.has_value(),
                   .epoch = epoch_,
                   .number = next(),
                   .writer = writer_,
                   .nonce = random_bytes16(bucket_.random),
                   .plain_bytes = payload.size()};
  const std::string name = log_key(made.envelope.number);
  const auto make = [&] { return make_object(made.envelope, name, payload, bucket_.codec, bucket_.key); };
  made.content = payload.size() <= kInlineBytes ? make() : co_await bucket_.pool.run(make);
  co_return made;
}

io::Task<Result<void>> LogWriter::put(Prepared object, io::CancelToken* token) {
  if (Status status = fenced(); !status.ok()) co_return fail(std::move(status));
  failpoint("log.before_put");
  const auto other = CO_TRY(
      co_await claim(bucket_, log_key(object.envelope.number), std::move(object.content), object.envelope, token));
  failpoint("log.after_put");
  if (other && is_stray(*other)) {
    CO_TRY(co_await pass_strays(object.envelope.number, token));
    co_return fail(Code::kStale, log_key(object.envelope.number) + " holds what a former writer put too late");
  }
  if (other) co_return fail(fence_by(*other));
  next_.store(object.envelope.number + 1, std::memory_order_release);
  fence_is_due_ = false;
  // An earlier attempt may have arrived, and a fence after it since.
  renew_lease(object.made_ns);
  co_return Result<void>();
}

io::Task<Result<void>> LogWriter::put_again(Prepared object, io::CancelToken* token) {
  if (Status status = fenced(); !status.ok()) co_return fail(std::move(status));
  const std::string name = log_key(object.envelope.number);
  const auto other = CO_TRY(co_await claim_and_look(bucket_, name, std::move(object.content), object.envelope, token));
  if (other && is_stray(*other)) co_return fail(Code::kStale, name + " holds what a former writer put too late");
  if (other) co_return fail(fence_by(*other));
  co_return Result<void>();
}

io::Task<Result<void>> LogWriter::confirm(io::CancelToken* token) {
  if (Status status = fenced(); !status.ok()) co_return fail(std::move(status));
  const int64_t sent = elapsed_ns();
  CO_TRY(co_await concurrently(
      2, 2, [&](size_t which) { return which == 0 ? look_for_fence(token) : look_for_root(token); }));
  renew_lease(sent);
  co_return Result<void>();
}

io::Task<Result<void>> LogWriter::glance(io::CancelToken* token) {
  if (Status status = fenced(); !status.ok()) co_return fail(std::move(status));
  const bool at_fence = fence_is_due_;
  CO_TRY(co_await (at_fence ? look_for_fence(token) : look_for_root(token)));
  fence_is_due_ = !at_fence;
  co_return Result<void>();
}

io::Task<Result<void>> LogWriter::look_at(KeyOf* key_of, uint64_t place, io::CancelToken* token) {
  // What is there may be of a put of this writer that nobody knows the outcome of; another's comes after that then.
  for (;;) {
    const std::string name = key_of(place);
    if (!CO_TRY(co_await object_exists(bucket_, name, token))) co_return Result<void>();
    const auto there = CO_TRY(co_await read_envelope(bucket_, name, token));
    if (!there) co_return fail(Code::kUnavailable, "the object " + name + " was there and is gone");
    if (there->writer != writer_ && !is_stray(*there)) co_return fail(fence_by(*there));
    place = is_stray(*there) ? CO_TRY(co_await pass_strays(place, token)) : place + 1;
  }
}

io::Task<Result<uint64_t>> LogWriter::pass_strays(uint64_t stray, io::CancelToken* token) {
  uint64_t place = stray + 1;
  for (bool all = true; all;) {
    const LogHeaders there = CO_TRY(co_await read_log_headers(bucket_, place, kStraysAtOnce, token));
    const auto end = std::ranges::find_if_not(there, [&](const auto& at) { return at && is_stray(*at); });
    place += static_cast<uint64_t>(end - there.begin());
    all = end == there.end();
  }
  // Beside a put for that place, whoever comes first.
  if (uint64_t expected = stray; next_.compare_exchange_strong(expected, place, std::memory_order_acq_rel))
    log::warning(
        "metadata: {} objects from {} on are of a daemon that had been taken over and did not know, because "
        "the store had lost what it put before; they are passed over",
        place - stray, log_key(stray));
  co_return place;
}

void LogWriter::renew_lease(int64_t sent_ns) {
  if (lease_until_ns_.load() < sent_ns + lease_ns_)
    lease_until_ns_.store(sent_ns + lease_ns_, std::memory_order_release);
}

Status LogWriter::fence_by(const Envelope& other) {
  {
    std::lock_guard lock(fenced_mutex_);
    if (!fenced_.ok()) return fenced_;
    fenced_ = taken_over(bucket_, other);
    is_fenced_.store(true, std::memory_order_release);
  }
  if (on_fenced_) on_fenced_(fenced());
  return fenced();
}

Status LogWriter::fenced() const {
  std::lock_guard lock(fenced_mutex_);
  return fenced_;
}

}  // namespace firn::tier
