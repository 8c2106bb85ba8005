#include "tier/metadata/envelope.h"

#include <algorithm>
#include <cstring>

#include "base/bytes.h"
#include "base/check.h"
#include "base/checksum.h"
#include "tier/blob/compression.h"

namespace firn::tier {

namespace {

constexpr std::string_view kMagic = "firnmeta";
constexpr uint16_t kSealedFlag = 1;
constexpr std::string_view kPurpose = "firn metadata v1";
constexpr size_t kPieceFieldBytes = 16;  // of a piece's header, before its checksum

template <std::unsigned_integral T>
void append_le(std::string& to, T value) {
  char bytes[sizeof value];
  store_le(bytes, value);
  to.append(bytes, sizeof bytes);
}

std::string_view view(const Bytes16& bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

Bytes16 bytes16(const char* from) {
  Bytes16 bytes;
  std::memcpy(bytes.data(), from, bytes.size());
  return bytes;
}

// The nonce makes the key another one for every writing of a name: two openers may put different roots under one.
Key object_key(const Key& volume_key, std::string_view name, const Bytes16& nonce) {
  return derive_key(volume_key, std::string(name).append(view(nonce)), kPurpose);
}

// Pieces cannot change places: the seed is their number.
uint64_t piece_checksum(std::string_view fields, std::string_view stored, uint32_t number) {
  return checksum64(stored, checksum64(fields, number));
}

Envelope with_seal(Envelope envelope, bool sealed) {
  envelope.sealed = sealed;
  return envelope;
}

Status check_fields(const Envelope& e) {
  const auto type = static_cast<uint8_t>(e.type);
  const auto kind = static_cast<uint8_t>(e.kind);
  if (type < 1 || type > 5 || kind > 4 || (e.type == ObjectType::kLog) != (e.kind != LogKind::kNone))
    return Status(Code::kNotSupported, "the object is of a kind that this firn does not know");
  if (e.type == ObjectType::kVolume && e.sealed) return Status(Code::kCorrupt, "the volume's object is sealed");
  return {};
}

}  // namespace

Bytes16 random_bytes16(Random& random) {
  Bytes16 bytes;
  random.fill(bytes);
  return bytes;
}

std::string encode_envelope(const Envelope& envelope) {
  std::string bytes(kMagic);
  append_le(bytes, kEnvelopeVersion);
  append_le(bytes, envelope.sealed ? kSealedFlag : uint16_t{0});
  append_le(bytes, static_cast<uint8_t>(envelope.type));
  append_le(bytes, static_cast<uint8_t>(envelope.kind));
  append_le(bytes, uint16_t{0});
  append_le(bytes, envelope.epoch);
  append_le(bytes, envelope.number);
  bytes.append(view(envelope.writer)).append(view(envelope.nonce));
  append_le(bytes, envelope.plain_bytes);
  append_le(bytes, checksum64(bytes));
  CHECK(bytes.size() == kEnvelopeHeaderBytes);
  return bytes;
}

Result<Envelope> decode_envelope(std::string_view bytes) {
  if (bytes.size() < kEnvelopeHeaderBytes || !bytes.starts_with(kMagic))
    return fail(Code::kCorrupt, "this is not an object of firn's metadata");
  const char* at = bytes.data() + kMagic.size();
  if (const auto version = load_le<uint16_t>(at); version > kEnvelopeVersion)
    return fail(Code::kNotSupported, "the object has format version " + std::to_string(version) + "; this firn knows " +
                                         std::to_string(kEnvelopeVersion));
  if (load_le<uint64_t>(bytes.data() + kEnvelopeHeaderBytes - 8) !=
      checksum64(bytes.substr(0, kEnvelopeHeaderBytes - 8)))
    return fail(Code::kCorrupt, "the object's header fails its checksum");
  const auto flags = load_le<uint16_t>(at + 2);
  if ((flags & ~kSealedFlag) != 0) return fail(Code::kNotSupported, "the object's header has unknown flags");
  const Envelope envelope{.type = static_cast<ObjectType>(at[4]),
                          .kind = static_cast<LogKind>(at[5]),
                          .sealed = (flags & kSealedFlag) != 0,
                          .epoch = load_le<uint64_t>(at + 8),
                          .number = load_le<uint64_t>(at + 16),
                          .writer = bytes16(at + 24),
                          .nonce = bytes16(at + 40),
                          .plain_bytes = load_le<uint64_t>(at + 56)};
  TRY(check_fields(envelope));
  return envelope;
}

ObjectWriter::ObjectWriter(Envelope envelope, std::string_view name, Codec codec, const std::optional<Key>& volume_key)
    : header_(encode_envelope(with_seal(envelope, volume_key.has_value()))),
      codec_(codec),
      key_(volume_key ? std::optional(object_key(*volume_key, name, envelope.nonce)) : std::nullopt),
      plain_left_(envelope.plain_bytes) {
  content_.append(header_);
}

void ObjectWriter::append_piece(std::string_view plain) {
  CHECK(plain.size() <= plain_left_ && (plain.size() == kPieceBytes || plain.size() == plain_left_));
  const Compressed compressed = compress(plain, codec_);
  const std::string_view stored = compressed.codec == Codec::kStored ? plain : compressed.bytes;
  std::string piece;
  append_le(piece, static_cast<uint32_t>(plain.size()));
  append_le(piece, static_cast<uint32_t>(stored.size() + (key_ ? kTagBytes : 0)));
  append_le(piece, static_cast<uint64_t>(compressed.codec));
  const std::string sealed = key_ ? seal(stored, *key_, pieces_, header_ + piece) : std::string();
  const std::string_view final_bytes = key_ ? std::string_view(sealed) : stored;
  append_le(piece, piece_checksum(piece, final_bytes, pieces_));
  piece.append(final_bytes);
  content_.append(std::move(piece));
  plain_left_ -= plain.size();
  ++pieces_;
}

void ObjectWriter::append(std::string_view plain) {
  for (; plain.size() > kPieceBytes; plain.remove_prefix(kPieceBytes)) append_piece(plain.substr(0, kPieceBytes));
  if (!plain.empty()) append_piece(plain);
}

// Content without bytes has a piece all the same, so that a sealed header is always authenticated.
object::Content ObjectWriter::finish() {
  if (pieces_ == 0) append_piece({});
  CHECK(plain_left_ == 0);
  return std::move(content_);
}

object::Content make_object(Envelope envelope, std::string_view name, std::string_view plain, Codec codec,
                            const std::optional<Key>& volume_key) {
  envelope.plain_bytes = plain.size();
  ObjectWriter writer(envelope, name, codec, volume_key);
  writer.append(plain);
  return writer.finish();
}

Status ObjectReader::corrupt(const char* what) const { return Status(Code::kCorrupt, "the object " + name_ + what); }

Status ObjectReader::begin() {
  Result<Envelope> decoded = decode_envelope(pending_);
  if (!decoded) return std::move(decoded).error().with_context(name_);
  if (decoded->type != expected_.type || decoded->number != expected_.number)
    return corrupt(" is another one than its name says");
  if (decoded->plain_bytes > expected_.max_plain_bytes) return corrupt(" gives an impossible size");
  if (decoded->sealed && !volume_key_)
    return Status(Code::kAccessDenied, "the volume is encrypted: its key is needed to read " + name_);
  if (!decoded->sealed && volume_key_ && decoded->type != ObjectType::kVolume)
    return corrupt(" is not sealed, though the volume is");
  if (decoded->sealed) key_ = object_key(*volume_key_, name_, decoded->nonce);
  header_ = pending_.substr(0, kEnvelopeHeaderBytes);
  pending_.erase(0, kEnvelopeHeaderBytes);
  plain_left_ = decoded->plain_bytes;
  envelope_ = *decoded;
  return {};
}

// False: more bytes are needed.
Result<bool> ObjectReader::take_piece(std::string& plain) {
  const std::string_view pending(pending_);
  if (pending.size() < kPieceHeaderBytes) return false;
  const std::string_view fields = pending.substr(0, kPieceFieldBytes);
  const auto plain_bytes = load_le<uint32_t>(fields.data());
  const auto stored_bytes = load_le<uint32_t>(fields.data() + 4);
  const auto codec = load_le<uint64_t>(fields.data() + 8);
  if (plain_bytes != std::min<uint64_t>(plain_left_, kPieceBytes) || stored_bytes > kPieceBytes + kTagBytes)
    return fail(corrupt(" has a piece of an impossible size"));
  if (pending.size() < kPieceHeaderBytes + stored_bytes) return false;
  std::string_view stored = pending.substr(kPieceHeaderBytes, stored_bytes);
  if (load_le<uint64_t>(pending.data() + kPieceFieldBytes) != piece_checksum(fields, stored, pieces_))
    return fail(corrupt(" fails its checksum"));
  if (codec > static_cast<uint64_t>(Codec::kZstd))
    return fail(Code::kNotSupported, name_ + " is compressed in a way that this firn does not know");
  std::string unsealed;
  if (key_) {
    Result<std::string> opened = unseal(stored, *key_, pieces_, header_ + std::string(fields));
    if (!opened) return fail(corrupt(" fails its authentication: it is damaged, or the key is another"));
    unsealed = *std::move(opened);
    stored = unsealed;
  }
  plain += TRY(decompress(stored, static_cast<Codec>(codec), plain_bytes));
  pending_.erase(0, kPieceHeaderBytes + stored_bytes);
  plain_left_ -= plain_bytes;
  ++pieces_;
  complete_ = plain_left_ == 0;
  return true;
}

Result<std::string> ObjectReader::feed(std::string_view bytes) {
  std::string plain;
  pending_.append(bytes);
  if (!envelope_) {
    if (pending_.size() < kEnvelopeHeaderBytes) return plain;
    TRY(begin());
  }
  while (!complete_)
    if (!TRY(take_piece(plain))) return plain;
  if (!pending_.empty()) return fail(corrupt(" has more bytes than it should"));
  return plain;
}

Status ObjectReader::finish() const { return complete_ ? Status() : corrupt(" is cut short"); }

Result<OpenedObject> open_object(std::string_view bytes, ObjectReader::Expected expected, std::string name,
                                 const std::optional<Key>& volume_key) {
  ObjectReader reader(expected, std::move(name), volume_key);
  std::string plain = TRY(reader.feed(bytes));
  TRY(reader.finish());
  return OpenedObject{.envelope = reader.envelope(), .plain = std::move(plain)};
}

}  // namespace firn::tier
