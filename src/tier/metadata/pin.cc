#include "tier/metadata/pin.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

#include "io/reactor.h"

namespace firn::tier {

namespace {

// As in memory: little-endian.
static_assert(std::endian::native == std::endian::little);
constexpr size_t kPinBytes = 17;
constexpr int64_t kClaimAnewNs = kPinLifeNs - kPinRenewNs;
constexpr int64_t kEndNs = 5'000'000'000;
constexpr int kMaxRaces = 32;
// Stores refuse requests of clocks that are off by a quarter of that.
constexpr int64_t kSurelyDeadSeconds = 3600;
constexpr Timestamp kEndOfTime{std::numeric_limits<int64_t>::max(), 0};

int64_t elapsed_ns() { return io::Reactor::current()->clock().elapsed_ns(); }
Timestamp wall_time() { return io::Reactor::current()->clock().now(); }

}  // namespace

std::string encode_pin(const Pin& pin) {
  std::string bytes(kPinBytes, '\0');
  std::memcpy(bytes.data(), &pin.next_log, 8);
  std::memcpy(bytes.data() + 8, &pin.seconds, 8);
  bytes[16] = pin.ended ? 1 : 0;
  return bytes;
}

Result<Pin> decode_pin(std::string_view bytes) {
  if (bytes.size() != kPinBytes || static_cast<unsigned char>(bytes[16]) > 1)
    return fail(Code::kCorrupt, "a pin does not parse");
  Pin pin{.ended = bytes[16] == 1};
  std::memcpy(&pin.next_log, bytes.data(), 8);
  std::memcpy(&pin.seconds, bytes.data() + 8, 8);
  return pin;
}

// ---- the reader

Envelope ReaderPin::header(uint64_t number) const {
  return {.type = ObjectType::kPin,
          .sealed = bucket_.key.has_value(),
          .number = number,
          .writer = reader_,
          .nonce = random_bytes16(bucket_.random),
          .plain_bytes = kPinBytes};
}

object::Content ReaderPin::content(const Envelope& envelope, bool ended) const {
  const Pin pin{.next_log = said_log_, .seconds = wall_time().seconds, .ended = ended};
  return make_object(envelope, pin_key(envelope.number), encode_pin(pin), Codec::kStored, bucket_.key);
}

io::Task<Result<bool>> ReaderPin::claim_at(uint64_t number, io::CancelToken* token) {
  const Envelope ours = header(number);
  const int64_t sent = elapsed_ns();
  if (CO_TRY(co_await tier::claim(bucket_, pin_key(number), content(ours, false), ours, token))) co_return false;
  number_ = number;
  put_ns_ = sent;
  co_return true;
}

io::Task<Result<void>> ReaderPin::claim(io::CancelToken* token) {
  said_log_ = next_said_log_ = 0;
  for (int race = 0; race < kMaxRaces; ++race) {
    const uint64_t newest = CO_TRY(co_await newest_root(bucket_, 0, token));
    if (newest == 0) co_return fail(Code::kNotFound, bucket_.store.describe() + " holds no volume");
    uint64_t number = CO_TRY(co_await read_root(bucket_, newest, token)).root.first_pin;
    while (CO_TRY(co_await object_exists(bucket_, pin_key(number), token))) ++number;
    if (!CO_TRY(co_await claim_at(number, token))) continue;
    // Pins that count no more are removed after a root has said so: who found one missing would not be seen.
    const uint64_t now = CO_TRY(co_await newest_root(bucket_, newest, token));
    if (now == newest || CO_TRY(co_await read_root(bucket_, now, token)).root.first_pin <= number)
      co_return Result<void>();
  }
  co_return fail(Code::kBusy, "too many others open the volume in the bucket");
}

io::Task<Result<void>> ReaderPin::renew(uint64_t next_log, io::CancelToken* token) {
  const int64_t age = elapsed_ns() - put_ns_;
  if (number_ != 0 && said_log_ != 0 && age < kPinRenewNs) co_return Result<void>();
  if (number_ == 0 || age > kClaimAnewNs) CO_TRY(co_await claim(token));
  said_log_ = next_said_log_ == 0 ? next_log : next_said_log_;
  next_said_log_ = next_log;
  const int64_t sent = elapsed_ns();
  CO_TRY(co_await bucket_.store.put(pin_key(number_), content(header(number_), false), {},
                                    io::within(bucket_.request_ns, token)));
  put_ns_ = sent;
  co_return Result<void>();
}

io::Task<void> ReaderPin::end() {
  if (number_ == 0) co_return;
  // Where that fails it ends with its time.
  (void)co_await bucket_.store.put(pin_key(number_), content(header(number_), true), {}, io::within(kEndNs, nullptr));
  number_ = 0;
}

// ---- the writer

void ReaderPins::start(uint64_t first) {
  first_ = first;
  mark();
}

bool ReaderPins::is_dead(const Seen& seen) const {
  return seen.pin.ended || elapsed_ns() - seen.since_ns > kPinLifeNs ||
         wall_time().seconds - seen.pin.seconds > kSurelyDeadSeconds;
}

io::Task<Result<uint64_t>> ReaderPins::look(io::CancelToken* token) {
  uint64_t applied = std::numeric_limits<uint64_t>::max();
  size_t live = 0;
  for (uint64_t number = first_;; ++number) {
    const auto known = seen_.find(number);
    if (known != seen_.end() && known->second.pin.ended) continue;
    const Result<OpenedObject> found = co_await read_object(
        bucket_, pin_key(number), {.type = ObjectType::kPin, .number = number, .max_plain_bytes = kPinBytes}, token);
    if (!found && found.error() == Code::kNotFound) break;
    if (!found) co_return fail(found.error());
    Seen& seen = seen_[number];
    if (seen.nonce != found->envelope.nonce)
      seen = {found->envelope.nonce, elapsed_ns(), CO_TRY(decode_pin(found->plain))};
    if (is_dead(seen)) continue;
    ++live;
    applied = std::min(applied, seen.pin.next_log);
  }
  while (!seen_.empty() && seen_.begin()->first == first_ && is_dead(seen_.begin()->second)) {
    seen_.erase(seen_.begin());
    ++first_;
  }
  live_.store(live, std::memory_order_relaxed);
  co_return applied;
}

// A clock that was set back would make what is young old: then all that was marked before counts as of now.
void ReaderPins::mark() {
  const Mark now{wall_time(), log_.next()};
  if (!marks_.empty() && now.time < marks_.back().time) {
    marks_ = {{marks_.back().time, now.place}};
    return;
  }
  marks_.push_back(now);
  if (marks_.size() > kMaxMarks) marks_.erase(marks_.begin());
}

io::Task<Result<Timestamp>> ReaderPins::removable_until(io::CancelToken* token) {
  mark();
  const uint64_t applied = CO_TRY(co_await look(token));
  if (live() == 0) co_return kEndOfTime;
  Timestamp until;
  for (const Mark& one : marks_)
    if (one.place <= applied) until = one.time;
  co_return until;
}

}  // namespace firn::tier
