// What surrounds every metadata object in a bucket: a header that says what it is and who wrote it, then its content in
// pieces that are compressed, sealed and checksummed one by one. docs/formats/bucket.md is the grammar;
// envelope_test.cc holds golden bytes.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/random.h"
#include "base/status.h"
#include "object/content.h"
#include "tier/blob/format.h"
#include "tier/blob/sealing.h"

namespace firn::tier {

inline constexpr uint16_t kEnvelopeVersion = 1;
inline constexpr size_t kEnvelopeHeaderBytes = 80;
inline constexpr size_t kPieceHeaderBytes = 24;
inline constexpr size_t kPieceBytes = 1 << 20;  // of content in every piece but the last

enum class ObjectType : uint8_t { kVolume = 1, kRoot = 2, kLog = 3, kTable = 4, kPin = 5 };

enum class LogKind : uint8_t {
  kNone = 0,     // not a log object
  kBatches = 1,  // what was committed
  kFence = 2,    // a new writer's first object: the log goes on where it was
  kBreak = 3,    // commits are missing: what follows goes on from a root whose first_log is beyond this
  kRelease = 4,  // the writer has ended, and everything that it committed is in the log
};

using Bytes16 = std::array<std::byte, 16>;
Bytes16 random_bytes16(Random& random);

struct Envelope {
  ObjectType type = ObjectType::kVolume;
  LogKind kind = LogKind::kNone;
  bool sealed = false;
  uint64_t epoch = 0;
  uint64_t number = 0;       // of the root, log object, pin, or table in its epoch
  Bytes16 writer{};          // random, of one opening of the volume
  Bytes16 nonce{};           // random, of this object
  uint64_t plain_bytes = 0;  // of the content
  friend bool operator==(const Envelope&, const Envelope&) = default;
};

std::string encode_envelope(const Envelope& envelope);
// kCorrupt: not one, damaged, or impossible. kNotSupported: of a newer firn.
Result<Envelope> decode_envelope(std::string_view bytes);

// Makes an object piece by piece. Compresses and seals: keep it off the reactor for large content. With `volume_key`
// everything but the header is sealed.
class ObjectWriter {
 public:
  // `name`: the key it will be put under. envelope.plain_bytes tells how much content will come; `sealed` is set here.
  ObjectWriter(Envelope envelope, std::string_view name, Codec codec, const std::optional<Key>& volume_key);

  // In pieces of kPieceBytes but for the last.
  void append(std::string_view plain);
  object::Content finish();

 private:
  void append_piece(std::string_view plain);

  const std::string header_;
  const Codec codec_;
  const std::optional<Key> key_;  // of this object
  object::Content content_;
  uint64_t plain_left_;
  uint32_t pieces_ = 0;
};

object::Content make_object(Envelope envelope, std::string_view name, std::string_view plain, Codec codec,
                            const std::optional<Key>& volume_key);

// Reads an object as it comes. Every byte is verified before it is handed out.
class ObjectReader {
 public:
  struct Expected {
    ObjectType type;
    uint64_t number = 0;
    uint64_t max_plain_bytes = 0;
  };
  // With `volume_key` an object that is not sealed is refused (kCorrupt), except the volume's, which never is; without,
  // one that is (kAccessDenied).
  ObjectReader(Expected expected, std::string name, const std::optional<Key>& volume_key)
      : expected_(expected), name_(std::move(name)), volume_key_(volume_key) {}

  // The content that became complete by `bytes`, the next ones of the object.
  Result<std::string> feed(std::string_view bytes);
  // kCorrupt: something is missing.
  Status finish() const;
  // Once anything was handed out, or finish() was well.
  const Envelope& envelope() const { return *envelope_; }

 private:
  Status begin();
  Result<bool> take_piece(std::string& plain);
  Status corrupt(const char* what) const;

  const Expected expected_;
  const std::string name_;
  const std::optional<Key> volume_key_;
  std::optional<Key> key_;
  std::optional<Envelope> envelope_;
  std::string header_;
  std::string pending_;
  uint64_t plain_left_ = 0;
  uint32_t pieces_ = 0;
  bool complete_ = false;
};

struct OpenedObject {
  Envelope envelope;
  std::string plain;
};
Result<OpenedObject> open_object(std::string_view bytes, ObjectReader::Expected expected, std::string name,
                                 const std::optional<Key>& volume_key);

}  // namespace firn::tier
