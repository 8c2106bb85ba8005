// The bytes of metadata objects: what is written comes back, what was damaged never does.
#include "tier/metadata/envelope.h"

#include <gtest/gtest.h>

#include "base/checksum.h"
#include "object/testing/noise.h"
#include "tier/metadata/log_payload.h"
#include "tier/metadata/names.h"
#include "tier/metadata/root.h"

namespace firn::tier {
namespace {

using object::testing::noise;

Bytes16 numbered(uint8_t first) {
  Bytes16 bytes;
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(first + i);
  return bytes;
}

Envelope log_header() {
  return {.type = ObjectType::kLog,
          .kind = LogKind::kBatches,
          .epoch = 3,
          .number = 7,
          .writer = numbered(1),
          .nonce = numbered(100)};
}

constexpr ObjectReader::Expected kLog7{.type = ObjectType::kLog, .number = 7, .max_plain_bytes = 8 << 20};

Result<OpenedObject> open(std::string_view bytes, const std::optional<Key>& key = std::nullopt) {
  return open_object(bytes, kLog7, log_key(7), key);
}

std::string make(std::string_view plain, const std::optional<Key>& key = std::nullopt) {
  return make_object(log_header(), log_key(7), plain, Codec::kZstd, key).flatten();
}

const std::optional<Key> kKey = Key{std::byte{1}, std::byte{2}};

TEST(MetadataObject, ComesBack) {
  for (const auto& key : {std::optional<Key>(), kKey})
    for (const size_t bytes :
         {size_t{0}, size_t{1}, size_t{1000}, kPieceBytes - 1, kPieceBytes, kPieceBytes + 1, 3 * kPieceBytes + 12345})
      for (const bool compressible : {false, true}) {
        const std::string plain = compressible ? std::string(bytes, 'z') : noise(bytes, bytes);
        const std::string made = make(plain, key);
        const auto opened = open(made, key);
        ASSERT_TRUE(opened) << opened.error().to_string();
        EXPECT_TRUE(opened->plain == plain);
        EXPECT_EQ(opened->envelope.writer, numbered(1));
        EXPECT_EQ(opened->envelope.sealed, key.has_value());
        if (bytes > 1000 && compressible) EXPECT_LT(made.size(), bytes / 10);
      }
}

TEST(MetadataObject, IsReadAsItComes) {
  const std::string plain = noise(2 * kPieceBytes + 5, 1);
  const std::string made = make(plain, kKey);
  for (const size_t step : {size_t{7919}, size_t{100'003}, kPieceBytes}) {
    ObjectReader reader(kLog7, log_key(7), kKey);
    std::string got;
    for (size_t at = 0; at < made.size(); at += step) {
      EXPECT_FALSE(reader.finish().ok());
      auto part = reader.feed(std::string_view(made).substr(at, step));
      ASSERT_TRUE(part) << part.error().to_string();
      got += *part;
    }
    EXPECT_TRUE(reader.finish().ok());
    EXPECT_TRUE(got == plain);
  }
}

TEST(MetadataObject, NoDamagePasses) {
  for (const auto& key : {std::optional<Key>(), kKey}) {
    const std::string plain = noise(300, 9);
    const std::string made = make(plain, key);
    for (size_t at = 0; at < made.size(); ++at) {
      std::string damaged = made;
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << (at % 8)));
      EXPECT_FALSE(open(damaged, key)) << at;
      EXPECT_FALSE(open(made.substr(0, at), key)) << at;
    }
    EXPECT_EQ(open(made + "x", key).error(), Code::kCorrupt);
    EXPECT_EQ(open("", key).error(), Code::kCorrupt);
  }
}

TEST(MetadataObject, IsTheOneThatWasAskedFor) {
  const std::string made = make("content", kKey);
  EXPECT_EQ(
      open_object(made, {.type = ObjectType::kLog, .number = 8, .max_plain_bytes = 100}, log_key(8), kKey).error(),
      Code::kCorrupt);
  EXPECT_EQ(
      open_object(made, {.type = ObjectType::kRoot, .number = 7, .max_plain_bytes = 100}, root_key(7), kKey).error(),
      Code::kCorrupt);
  EXPECT_EQ(open_object(made, {.type = ObjectType::kLog, .number = 7, .max_plain_bytes = 3}, log_key(7), kKey).error(),
            Code::kCorrupt);
  // The same bytes under another name cannot be opened.
  EXPECT_EQ(open_object(made, kLog7, "log/elsewhere", kKey).error(), Code::kCorrupt);
  // Pieces that change places are noticed.
  const std::string two = noise(kPieceBytes, 1) + noise(kPieceBytes, 2);
  const std::string object = make_object(log_header(), log_key(7), two, Codec::kStored, std::nullopt).flatten();
  const size_t piece = kPieceHeaderBytes + kPieceBytes;
  const std::string swapped = object.substr(0, kEnvelopeHeaderBytes) + object.substr(kEnvelopeHeaderBytes + piece) +
                              object.substr(kEnvelopeHeaderBytes, piece);
  ASSERT_EQ(swapped.size(), object.size());
  EXPECT_EQ(open(swapped).error(), Code::kCorrupt);
}

TEST(MetadataObject, KeysMatter) {
  const std::string sealed = make("a secret name", kKey);
  EXPECT_EQ(sealed.find("secret"), std::string::npos);
  EXPECT_EQ(open(sealed).error(), Code::kAccessDenied);
  EXPECT_EQ(open(sealed, Key{std::byte{9}}).error(), Code::kCorrupt);
  EXPECT_EQ(open(make("in the clear"), kKey).error(), Code::kCorrupt);
  // Two writings of one name share no key.
  Envelope other = log_header();
  other.nonce = numbered(101);
  const std::string again = make_object(other, log_key(7), "a secret name", Codec::kZstd, kKey).flatten();
  EXPECT_NE(again.substr(kEnvelopeHeaderBytes), sealed.substr(kEnvelopeHeaderBytes));
}

TEST(MetadataObject, RefusesWhatIsNewer) {
  std::string made = make("x");
  made[8] = 2;
  EXPECT_EQ(open(made).error(), Code::kNotSupported);
}

// docs/formats/bucket.md shows these.
TEST(MetadataObject, GoldenBytes) {
  const std::string made = make_object(log_header(), log_key(7), "hello", Codec::kStored, std::nullopt).flatten();
  EXPECT_EQ(made.size(), kEnvelopeHeaderBytes + kPieceHeaderBytes + 5);
  EXPECT_EQ(made.substr(0, 32), std::string("firnmeta\x01\x00\x00\x00\x03\x01\x00\x00"
                                            "\x03\x00\x00\x00\x00\x00\x00\x00"
                                            "\x07\x00\x00\x00\x00\x00\x00\x00",
                                            32));
  EXPECT_EQ(made.substr(64, 8), std::string("\x05\x00\x00\x00\x00\x00\x00\x00", 8));
  EXPECT_EQ(made.substr(80, 16), std::string("\x05\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", 16));
  EXPECT_EQ(made.substr(104), "hello");
  EXPECT_EQ(checksum64(made), 17870572109545362495u);
  const std::string sealed = make_object(log_header(), log_key(7), "hello", Codec::kStored, kKey).flatten();
  EXPECT_EQ(checksum64(sealed), 16609829097542527196u);
}

Root full_root() {
  return {.volume = "volume",
          .database = numbered(5),
          .seconds = 1'700'000'000,
          .first_log = 17,
          .manifest = "MANIFEST-000004\nbytes",
          .tables = {{"000007.sst", "identity", 2, 1, 1000, 99}, {"000008.sst", "", 3, 1, 0, 0}},
          .tables_made = 4,
          .past = {{4, 10, 1'600'000'000}, {5, 17, 1'600'000'100}},
          .dropped = {{1, 1, 5}},
          .first_kept_log = 9,
          .fences = {{3, 1'500'000'000}},
          .signposts = {1, 2, 4},
          .sweeps = {{2, 5, 1'600'000'000}}};
}

TEST(MetadataRoot, ComesBack) {
  const auto decoded = decode_root(encode_root(full_root()));
  ASSERT_TRUE(decoded) << decoded.error().to_string();
  EXPECT_EQ(*decoded, full_root());
  EXPECT_EQ(checksum64(encode_root(full_root())), 9770625981450836272u);
  Root newer = full_root();
  newer.lease_ms = 6000;
  newer.log_epoch = 3;
  newer.first_pin = 9;
  newer.first_kept_pin = 7;
  EXPECT_EQ(decode_root(encode_root(newer)).value(), newer);
}

TEST(MetadataRoot, RefusesWhatCannotBe) {
  const auto refuses = [](auto change) {
    Root root = full_root();
    change(root);
    const auto decoded = decode_root(encode_root(root));
    return !decoded && decoded.error() == Code::kCorrupt;
  };
  EXPECT_FALSE(refuses([](Root&) {}));
  EXPECT_TRUE(refuses([](Root& root) { root.first_log = 0; }));
  EXPECT_TRUE(refuses([](Root& root) { root.lease_ms = 1ULL << 40; }));
  EXPECT_TRUE(refuses([](Root& root) { root.manifest.clear(); }));
  EXPECT_TRUE(refuses([](Root& root) { root.tables[0].name.clear(); }));
  EXPECT_TRUE(refuses([](Root& root) { root.tables[0].name = std::string(300, 'n'); }));
  EXPECT_TRUE(refuses([](Root& root) { root.tables[0].bytes = 1ULL << 40; }));
  EXPECT_TRUE(refuses([](Root& root) { root.past[0].first_log = 18; }));
  EXPECT_EQ(decode_root("nonsense").error(), Code::kCorrupt);
  EXPECT_EQ(decode_root("").error(), Code::kCorrupt);
}

TEST(MetadataLog, PayloadsAreTakenApart) {
  std::string payload;
  append_commit(payload, "one");
  append_commit(payload, "");
  append_commit(payload, "three");
  EXPECT_EQ(payload.substr(0, 7), std::string("\x03\x00\x00\x00one", 7));
  std::string_view rest = payload;
  EXPECT_EQ(take_commit(rest), "one");
  EXPECT_EQ(take_commit(rest), "");
  EXPECT_EQ(take_commit(rest), "three");
  EXPECT_TRUE(rest.empty());
  for (size_t bytes = 1; bytes < 7; ++bytes) {
    rest = std::string_view(payload).substr(0, bytes);
    EXPECT_EQ(take_commit(rest).error(), Code::kCorrupt);
  }
}

TEST(MetadataNames, AreKeys) {
  EXPECT_EQ(root_key(1), "root/00000000000000000001");
  EXPECT_EQ(log_key(~uint64_t{0}), "log/18446744073709551615");
  EXPECT_EQ(table_key(2, 3), "sst/00000000000000000002/00000000000000000003");
}

}  // namespace
}  // namespace firn::tier
