#include "tier/metadata/bucket.h"

#include <bit>
#include <functional>

namespace firn::tier {

namespace {

constexpr uint64_t kMaxVolumeBytes = 1 << 20;
constexpr size_t kInlineBytes = 64 << 10;  // decoded on the reactor
constexpr int kMaxPuts = 3;                // of what the store says to have and has not
constexpr int kLooks = 2;                  // at what is damaged: bits may have flipped on their way
// Of an object with so much content: every piece adds its header and tag, at worst.
constexpr uint64_t stored_limit(uint64_t plain_bytes) {
  return kEnvelopeHeaderBytes + plain_bytes + (plain_bytes / kPieceBytes + 1) * (kPieceHeaderBytes + kTagBytes);
}

struct Header {
  Envelope envelope;
  uint64_t object_bytes = 0;
};

io::Task<Result<std::optional<Header>>> read_header(Bucket bucket, std::string name, io::CancelToken* token) {
  for (int look = 1;; ++look) {
    const auto fetched = co_await bucket.store.get(name, 0, kEnvelopeHeaderBytes, io::within(bucket.request_ns, token));
    if (!fetched && fetched.error().code() == Code::kNotFound) co_return std::nullopt;
    if (!fetched) co_return fail(fetched.error());
    Result<Envelope> envelope = decode_envelope(fetched->bytes);
    if (envelope) co_return Header{.envelope = *envelope, .object_bytes = fetched->object_bytes};
    if (look == kLooks) co_return fail(std::move(envelope).error().with_context(name));
  }
}

}  // namespace

io::Task<Result<void>> create_volume_object(Bucket bucket, std::string content, io::CancelToken* token) {
  if (content.size() > kMaxVolumeBytes) co_return fail(Code::kInvalid, "the volume's record is too large");
  const Envelope envelope{
      .type = ObjectType::kVolume, .nonce = random_bytes16(bucket.random), .plain_bytes = content.size()};
  object::Content made = make_object(envelope, kVolumeKey, content, Codec::kStored, std::nullopt);
  if (CO_TRY(co_await claim_and_look(bucket, kVolumeKey, std::move(made), envelope, token)))
    co_return fail(Code::kExists, bucket.store.describe() + " holds a volume already");
  co_return Result<void>();
}

io::Task<Result<std::string>> read_volume_object(Bucket bucket, io::CancelToken* token) {
  auto read = co_await read_object(bucket, kVolumeKey,
                                   {.type = ObjectType::kVolume, .max_plain_bytes = kMaxVolumeBytes}, token);
  if (!read && read.error().code() == Code::kNotFound)
    co_return fail(Code::kNotFound, bucket.store.describe() + " holds no volume");
  if (!read) co_return fail(std::move(read).error());
  co_return std::move(read->plain);
}

io::Task<Result<OpenedObject>> read_object(Bucket bucket, std::string name, ObjectReader::Expected expected,
                                           io::CancelToken* token) {
  for (int look = 1;; ++look) {
    const std::string bytes = CO_TRY(co_await object::get_all(
        bucket.store, name, stored_limit(expected.max_plain_bytes), io::within(bucket.request_ns, token)));
    const auto open = [&] { return open_object(bytes, expected, name, bucket.key); };
    Result<OpenedObject> opened = bytes.size() <= kInlineBytes ? open() : co_await bucket.pool.run(open);
    const bool damaged = !opened && (opened.error() == Code::kCorrupt || opened.error() == Code::kNotSupported);
    if (!damaged || look == kLooks) co_return opened;
  }
}

io::Task<Result<FoundRoot>> read_root(Bucket bucket, uint64_t number, io::CancelToken* token) {
  const OpenedObject opened = CO_TRY(
      co_await read_object(bucket, root_key(number),
                           {.type = ObjectType::kRoot, .number = number, .max_plain_bytes = kMaxRootBytes}, token));
  Result<Root> root = decode_root(opened.plain);
  if (!root) co_return fail(std::move(root).error().with_context(root_key(number)));
  co_return FoundRoot{.number = number, .envelope = opened.envelope, .root = *std::move(root)};
}

io::Task<Result<OpenedObject>> read_log(Bucket bucket, uint64_t number, io::CancelToken* token) {
  return read_object(bucket, log_key(number),
                     {.type = ObjectType::kLog, .number = number, .max_plain_bytes = kMaxLogBytes}, token);
}

io::Task<Result<std::optional<Envelope>>> read_envelope(Bucket bucket, std::string name, io::CancelToken* token) {
  const std::optional<Header> header = CO_TRY(co_await read_header(bucket, std::move(name), token));
  if (!header) co_return std::nullopt;
  co_return header->envelope;
}

io::Task<Result<bool>> is_kept(Bucket bucket, std::string name, Envelope ours, uint64_t object_bytes,
                               io::CancelToken* token) {
  const std::optional<Header> there = CO_TRY(co_await read_header(bucket, std::move(name), token));
  co_return there && there->envelope.writer == ours.writer && there->envelope.nonce == ours.nonce &&
      there->object_bytes == object_bytes;
}

io::Task<Result<bool>> object_exists(Bucket bucket, std::string name, io::CancelToken* token) {
  const auto found = co_await bucket.store.head(std::move(name), io::within(bucket.request_ns, token));
  if (found) co_return true;
  if (found.error().code() == Code::kNotFound) co_return false;
  co_return fail(found.error());
}

io::Task<Result<std::optional<Envelope>>> claim(Bucket bucket, std::string name, object::Content content, Envelope ours,
                                                io::CancelToken* token) {
  const Result<void> put =
      co_await bucket.store.put(name, std::move(content), {.if_absent = true}, io::within(bucket.request_ns, token));
  if (put) co_return std::nullopt;
  if (put.error().code() != Code::kExists) co_return fail(put.error());
  const std::optional<Envelope> there = CO_TRY(co_await read_envelope(bucket, name, token));
  if (!there) co_return fail(Code::kUnavailable, "the object " + name + " was there and is gone");
  if (there->writer == ours.writer && there->nonce == ours.nonce) co_return std::nullopt;
  co_return there;
}

io::Task<Result<std::optional<Envelope>>> claim_and_look(Bucket bucket, std::string name, object::Content content,
                                                         Envelope ours, io::CancelToken* token) {
  for (int attempt = 0; attempt < kMaxPuts; ++attempt) {
    if (auto other = CO_TRY(co_await claim(bucket, name, content, ours, token))) co_return other;
    const std::optional<Header> kept = CO_TRY(co_await read_header(bucket, name, token));
    if (!kept) continue;
    // It was forgotten, and somebody else came.
    if (kept->envelope.writer != ours.writer || kept->envelope.nonce != ours.nonce) co_return kept->envelope;
    if (kept->object_bytes == content.bytes()) co_return std::nullopt;
    // The name is ours for ever: the same bytes once more harm nobody.
    CO_TRY(co_await bucket.store.put(name, content, {}, io::within(bucket.request_ns, token)));
  }
  co_return fail(Code::kIo, bucket.store.describe() + " says that it has stored " + name + ", and does not have it");
}

// The roots from 1 on are a dense sequence in the order of their making, but old ones are removed. What stays of them
// is what this search asks for: the powers of two, and of the newest number N every number that is N with some of its
// low bits cleared. Bit by bit from the highest the search holds such a number, and asks for the one with the next bit
// set: if that is at most N it is another of them, and there; if not, there is none yet.
// (A number once removed is never needed again: if m is N' with low bits cleared, then so it is of every N between.)
io::Task<Result<uint64_t>> newest_root(Bucket bucket, uint64_t at_least, io::CancelToken* token) {
  uint64_t power = 1;
  for (;; power <<= 1) {
    if (power == uint64_t{1} << 62) co_return fail(Code::kCorrupt, "there is no end to the roots");
    if (power > at_least && !CO_TRY(co_await object_exists(bucket, root_key(power), token))) break;
  }
  uint64_t newest = 0;
  for (uint64_t bit = power >> 1; bit != 0; bit >>= 1)
    if (newest == 0 || newest + bit <= at_least ||
        CO_TRY(co_await object_exists(bucket, root_key(newest + bit), token)))
      newest += bit;
  co_return newest;
}

bool is_signpost(uint64_t number, uint64_t newest) {
  if (std::has_single_bit(number)) return true;
  const int shift = std::countr_zero(number);
  return (newest >> shift) << shift == number;
}

}  // namespace firn::tier
