#include <gtest/gtest.h>

#include "base/checksum.h"
#include "base/random.h"
#include "object/testing/noise.h"
#include "tier/blob/compression.h"
#include "tier/blob/frame.h"
#include "tier/blob/verify.h"
#include "tier/blob/writer.h"

namespace firn::tier {
namespace {

using object::testing::noise;

BlobId test_id() {
  SeededRandom random(7);
  return BlobId::make(random);
}

Key test_key(uint64_t seed = 1) {
  SeededRandom random(seed);
  Key key;
  random.fill(key);
  return key;
}

std::string prose(size_t bytes) {
  std::string made;
  for (size_t i = 0; made.size() < bytes; ++i)
    made += "line " + std::to_string(i) + " of a text that compresses well\n";
  made.resize(bytes);
  return made;
}

FrameId frame(uint64_t number) { return {InodeId(100 + number), ChunkIndex(number), number + 1}; }

struct Made {
  std::string bytes;
  std::vector<FrameRef> refs;
};

Made make(const std::vector<std::string>& chunks, Codec codec, std::optional<Key> key,
          uint32_t block_bytes = kBlockBytes) {
  BlobWriter writer(test_id(), codec, key, block_bytes);
  Made made;
  for (size_t i = 0; i < chunks.size(); ++i) made.refs.push_back(writer.append(frame(i), chunks[i]).value());
  const uint64_t expected = writer.bytes();
  made.bytes = writer.finish().flatten();
  EXPECT_EQ(made.bytes.size(), expected);
  return made;
}

const std::vector<std::string>& chunks() {
  static const std::vector<std::string> some = {prose(100'000),   noise(50'000, 2), "", "x", std::string(1 << 20, '\0'),
                                                noise(4 << 20, 3)};
  return some;
}

class BlobTest : public ::testing::TestWithParam<std::tuple<Codec, bool>> {
 protected:
  Codec codec() const { return std::get<0>(GetParam()); }
  std::optional<Key> volume_key() const { return std::get<1>(GetParam()) ? std::optional(test_key()) : std::nullopt; }
  std::optional<Key> key() const {
    return volume_key() ? std::optional(blob_key(*volume_key(), test_id())) : std::nullopt;
  }
};
INSTANTIATE_TEST_SUITE_P(Tier, BlobTest,
                         ::testing::Combine(::testing::Values(Codec::kStored, Codec::kLz4, Codec::kZstd),
                                            ::testing::Bool()));

TEST_P(BlobTest, GivesBackItsChunks) {
  const Made made = make(chunks(), codec(), volume_key());
  const auto header = decode_blob_header(std::string_view(made.bytes).substr(0, kBlobHeaderBytes));
  ASSERT_TRUE(header);
  EXPECT_EQ(header->id, test_id());
  EXPECT_EQ(header->sealed, key().has_value());
  for (size_t i = 0; i < chunks().size(); ++i) {
    const auto bytes = std::string_view(made.bytes).substr(made.refs[i].offset, made.refs[i].bytes);
    const auto plain = open_frame(bytes, frame(i), key());
    ASSERT_TRUE(plain) << i << ": " << plain.error().to_string();
    EXPECT_TRUE(*plain == chunks()[i]) << i;
    EXPECT_EQ(made.refs[i].plain_checksum, checksum64(chunks()[i]));
    EXPECT_EQ(open_frame(bytes, frame(i + 1), key()).error(), Code::kCorrupt);
  }
}

TEST_P(BlobTest, HasAnIndex) {
  const Made made = make(chunks(), codec(), volume_key());
  const auto tail = read_tail(made.bytes, made.bytes.size());
  ASSERT_TRUE(tail) << tail.error().to_string();
  ASSERT_TRUE(tail->index);
  ASSERT_EQ(tail->index->size(), chunks().size());
  for (size_t i = 0; i < chunks().size(); ++i) {
    EXPECT_EQ((*tail->index)[i].offset, made.refs[i].offset);
    EXPECT_EQ((*tail->index)[i].header.id, frame(i));
    EXPECT_EQ((*tail->index)[i].header.plain_bytes, chunks()[i].size());
  }
  const std::string_view end = std::string_view(made.bytes).substr(made.bytes.size() - kBlobFooterBytes);
  const auto short_tail = read_tail(end, made.bytes.size());
  ASSERT_TRUE(short_tail);
  EXPECT_FALSE(short_tail->index);
  EXPECT_EQ(short_tail->index_offset, tail->index_offset);
}

// Blocks [first, first + count) of chunk `number`, read as a hydrator would.
Result<io::PageBytes> open_some(const Made& made, uint64_t number, const std::string& chunk, BlockRange blocks,
                                const std::optional<Key>& key) {
  const FrameRef& ref = made.refs[number];
  const BlockMap map = TRY(decode_block_map(ref.blocks, static_cast<uint32_t>(chunk.size()), key.has_value()));
  const Extent place = map.place_of(blocks);
  return open_blocks(std::string_view(made.bytes).substr(ref.offset + place.offset, place.bytes),
                     {.id = frame(number), .plain_checksum = ref.plain_checksum, .blocks = blocks}, map, key);
}

TEST_P(BlobTest, GivesBackBlocks) {
  for (const uint32_t block_bytes : {kMinBlockBytes, kBlockBytes, kMaxBlockBytes >> 4}) {
    const Made made = make(chunks(), codec(), volume_key(), block_bytes);
    SeededRandom random(block_bytes);
    for (size_t i = 0; i < chunks().size(); ++i) {
      const auto bytes = static_cast<uint32_t>(chunks()[i].size());
      ASSERT_EQ(made.refs[i].blocks.empty(), block_count(bytes, block_bytes) < 2);
      if (made.refs[i].blocks.empty()) continue;
      const BlockMap map = decode_block_map(made.refs[i].blocks, bytes, key().has_value()).value();
      const bool smaller = map.block_bytes != block_bytes;  // where nothing compresses
      EXPECT_TRUE(!smaller || (map.codec == Codec::kStored && map.block_bytes == kStoredBlockBytes));
      const uint32_t count = block_count(bytes, map.block_bytes);
      for (int attempt = 0; attempt < 20; ++attempt) {
        BlockRange some{.first = static_cast<uint32_t>(random.below(count))};
        some.count = 1 + static_cast<uint32_t>(random.below(count - some.first));
        const auto plain = open_some(made, i, chunks()[i], some, key());
        ASSERT_TRUE(plain) << plain.error().to_string();
        EXPECT_TRUE(*plain == chunks()[i].substr(uint64_t{some.first} * map.block_bytes, some.count * map.block_bytes));
      }
    }
  }
}

TEST_P(BlobTest, ABlockIsOfItsChunkAlone) {
  const std::vector<std::string> two = {prose(4096), prose(4096)};
  const Made made = make(two, codec(), volume_key(), 1024);
  const BlockMap map = decode_block_map(made.refs[0].blocks, 4096, key().has_value()).value();
  const Extent place = map.place_of({.first = 2, .count = 1});
  const auto bytes = std::string_view(made.bytes).substr(made.refs[0].offset + place.offset, place.bytes);
  const SomeBlocks right{.id = frame(0), .plain_checksum = made.refs[0].plain_checksum, .blocks = {2, 1}};
  EXPECT_TRUE(open_blocks(bytes, right, map, key()));
  const auto refuses = [&](SomeBlocks which, const BlockMap& by) {
    const auto opened = open_blocks(bytes, which, by, key());
    EXPECT_EQ(opened.error(), Code::kCorrupt);
  };
  SomeBlocks wrong = right;
  wrong.id = frame(1);
  refuses(wrong, map);
  wrong = right;
  wrong.plain_checksum ^= 1;  // another state of the chunk
  refuses(wrong, map);
  wrong = right;
  wrong.blocks.first = 1;
  BlockMap same_lengths = map;
  std::ranges::fill(same_lengths.stored_bytes, map.stored_bytes[2]);
  refuses(wrong, same_lengths);
  BlockMap other = map;
  ++other.number;
  refuses(right, other);
}

// Whatever byte is changed, no chunk comes back different.
TEST_P(BlobTest, NoticesEveryChangedByte) {
  const std::string chunk = prose(1500);
  const Made made = make({chunk}, codec(), volume_key(), 512);
  const FrameRef& ref = made.refs[0];
  for (size_t i = 0; i < made.bytes.size(); ++i) {
    Made damaged = made;
    damaged.bytes[i] = static_cast<char>(damaged.bytes[i] ^ 0x20);
    const auto bytes = std::string_view(damaged.bytes).substr(ref.offset, ref.bytes);
    const bool in_frame = i >= ref.offset && i < ref.offset + ref.bytes;
    EXPECT_EQ(open_frame(bytes, frame(0), key()).has_value(), !in_frame) << i;
    EXPECT_EQ(verify_stored_frame(bytes).has_value(), !in_frame) << i;
    EXPECT_EQ(verify_stored(damaged.bytes, test_id()).ok(), false) << i;
    EXPECT_EQ(read_tail(damaged.bytes, damaged.bytes.size()).has_value(), i < ref.offset + ref.bytes) << i;
    EXPECT_EQ(decode_blob_header(std::string_view(damaged.bytes).substr(0, kBlobHeaderBytes)).has_value(),
              i >= kBlobHeaderBytes)
        << i;
    const Extent middle = decode_block_map(ref.blocks, 1500, key().has_value())->place_of({.first = 1, .count = 1});
    const bool in_middle = i >= ref.offset + middle.offset && i < ref.offset + middle.offset + middle.bytes;
    EXPECT_EQ(open_some(damaged, 0, chunk, {.first = 1, .count = 1}, key()).has_value(), !in_middle) << i;
  }
  for (size_t bytes = 0; bytes < made.bytes.size(); ++bytes) {
    const std::string_view cut = std::string_view(made.bytes).substr(0, bytes);
    EXPECT_FALSE(read_tail(cut, cut.size()));
    EXPECT_FALSE(verify_stored(cut, test_id()).ok());
    if (bytes < ref.bytes) EXPECT_FALSE(open_frame(made.bytes.substr(ref.offset, bytes), frame(0), key()));
  }
  EXPECT_TRUE(verify_stored(made.bytes, test_id()).ok());
}

TEST(Blob, StoresWhatDoesNotCompress) {
  EXPECT_EQ(compress(noise(100'000, 1), Codec::kZstd).codec, Codec::kStored);
  EXPECT_EQ(compress(noise(100'000, 1), Codec::kLz4).codec, Codec::kStored);
  EXPECT_EQ(compress(prose(100'000), Codec::kZstd).codec, Codec::kZstd);
  EXPECT_LT(compress(prose(100'000), Codec::kZstd).bytes.size(), 20'000u);
  EXPECT_EQ(compress("", Codec::kZstd).codec, Codec::kStored);
}

// A sparse file has any number of them.
TEST(Blob, CompressesZerosInAnyCase) {
  for (const bool sealed : {false, true}) {
    const std::optional<Key> key = sealed ? std::optional(test_key()) : std::nullopt;
    const std::string zeros(4 << 20, '\0'), nearly = zeros.substr(1) + "x";
    const Made made = make({zeros, nearly}, Codec::kStored, key);
    EXPECT_LT(made.refs[0].bytes, 8192u);
    EXPECT_GT(made.refs[1].bytes, nearly.size());
    const std::optional<Key> of_blob = sealed ? std::optional(blob_key(*key, test_id())) : std::nullopt;
    const auto bytes = std::string_view(made.bytes).substr(made.refs[0].offset, made.refs[0].bytes);
    const auto opened = open_frame(bytes, frame(0), of_blob);
    ASSERT_TRUE(opened);
    EXPECT_TRUE(*opened == zeros);
  }
}

TEST(Blob, NeedsItsKey) {
  const Made made = make({"secret chunk"}, Codec::kZstd, test_key(1));
  EXPECT_EQ(made.bytes.find("secret chunk"), std::string::npos);
  const auto bytes = std::string_view(made.bytes).substr(made.refs[0].offset, made.refs[0].bytes);
  EXPECT_TRUE(open_frame(bytes, frame(0), blob_key(test_key(1), test_id())));
  EXPECT_EQ(open_frame(bytes, frame(0), blob_key(test_key(2), test_id())).error(), Code::kCorrupt);
  EXPECT_EQ(open_frame(bytes, frame(0), blob_key(test_key(1), BlobId())).error(), Code::kCorrupt);
  EXPECT_EQ(open_frame(bytes, frame(0), std::nullopt).error(), Code::kCorrupt);
  // The checksum of a sealed chunk would tell whether it is a known one.
  EXPECT_EQ(decode_frame_header(bytes.substr(0, kFrameHeaderBytes))->plain_checksum, 0u);
}

TEST(Blob, IsBounded) {
  BlobWriter writer(test_id(), Codec::kZstd, std::nullopt);
  EXPECT_FALSE(writer.append(frame(0), std::string(kMaxFramePlainBytes + 1, 'x')));
  const std::string chunk = noise(kMaxFramePlainBytes, 1);
  int chunks = 0;
  while (writer.has_room_for(chunk.size())) {
    ASSERT_TRUE(writer.append(frame(0), chunk));
    ++chunks;
  }
  EXPECT_EQ(chunks, 3);
  EXPECT_FALSE(writer.append(frame(0), chunk));
  EXPECT_LE(writer.finish().bytes(), kMaxBlobBytes);
}

TEST(Compression, OfAnySizeComesBack) {
  for (const Codec codec : {Codec::kLz4, Codec::kZstd})
    for (size_t bytes = 0; bytes < 300; ++bytes) {
      const std::string plain(bytes, 'x');
      const Compressed compressed = compress(plain, codec);
      const bool stored = compressed.codec == Codec::kStored;
      const auto back = decompress(stored ? plain : compressed.bytes, compressed.codec, bytes);
      ASSERT_TRUE(back) << bytes << ": " << back.error().to_string();
      ASSERT_EQ(*back, plain);
    }
}

// docs/formats/blob.md shows these.
TEST(Blob, GoldenBytes) {
  std::string header, frame_header, footer;
  encode(BlobHeader{.id = {}, .sealed = true}, header);
  encode(FrameHeader{.id = {InodeId(1), ChunkIndex(2), 3},
                     .codec = Codec::kZstd,
                     .sealed = true,
                     .block_bytes = 64 << 10,
                     .number = 4,
                     .plain_bytes = 5,
                     .stored_bytes = 6,
                     .plain_checksum = 7,
                     .table_checksum = 8},
         frame_header);
  encode(BlobFooter{.index_offset = 48, .frame_count = 1, .index_checksum = 2}, footer);
  EXPECT_EQ(checksum64(header + frame_header + footer), 8388667225427106701u);
  EXPECT_EQ(header.substr(0, 16), std::string("firnblob\x01\x00\x01\x00\x00\x00\x00\x00", 16));
  EXPECT_EQ(frame_header.substr(0, 44), std::string("FRAM\x02\x10\x01\x00"
                                                    "\x01\x00\x00\x00\x00\x00\x00\x00"
                                                    "\x02\x00\x00\x00"
                                                    "\x04\x00\x00\x00"
                                                    "\x03\x00\x00\x00\x00\x00\x00\x00"
                                                    "\x05\x00\x00\x00"
                                                    "\x06\x00\x00\x00"
                                                    "\x07\x00\x00\x00",
                                                    44));
  EXPECT_EQ(footer.substr(0, 32), std::string("\x30\x00\x00\x00\x00\x00\x00\x00"
                                              "\x01\x00\x00\x00"
                                              "\x00\x00\x00\x00"
                                              "\x02\x00\x00\x00\x00\x00\x00\x00"
                                              "firnindx",
                                              32));
}

// What does not depend on a compressor's version: blocks stored as they are, in the clear and sealed.
TEST(Blob, GoldenFrames) {
  const std::string chunk = noise(1300, 5);
  const Made clear = make({chunk}, Codec::kStored, std::nullopt, 512);
  const Made sealed = make({chunk}, Codec::kStored, test_key(), 512);
  EXPECT_EQ(clear.refs[0].bytes, kFrameHeaderBytes + 3 * 4 + 1300 + 3 * 8);
  EXPECT_EQ(sealed.refs[0].bytes, kFrameHeaderBytes + 3 * 4 + 24 + 1300 + 3 * (16 + 8));
  const size_t table = kBlobHeaderBytes + kFrameHeaderBytes;
  EXPECT_EQ(clear.bytes.substr(table, 12), std::string("\x00\x02\x00\x00\x00\x02\x00\x00\x14\x01\x00\x00", 12));
  EXPECT_EQ(clear.bytes.substr(table + 12, 512), chunk.substr(0, 512));
  EXPECT_EQ(checksum64(clear.bytes), 11456416781903723758u);
  EXPECT_EQ(checksum64(sealed.bytes), 17352191993202351013u);
}

TEST(BlockMaps, GoldenBytes) {
  BlockMap map{.codec = Codec::kZstd, .block_bytes = 64 << 10, .number = 3, .plain_bytes = 130'000};
  map.stored_bytes = {65'536, 64'464};
  EXPECT_EQ(encode(map), std::string("\x02\x10\x03\x00\x00\x00", 6));
  map.stored_bytes = {65'536, 1};
  EXPECT_EQ(encode(map), std::string("\x02\x10\x03\x00\x00\x00\xff\xff\x00\x00", 10));
  map.block_bytes = 128 << 10;
  map.plain_bytes = 140'000;
  EXPECT_EQ(encode(map), std::string("\x02\x11\x03\x00\x00\x00\xff\xff\x00\x00\x00\x00", 12));
  const auto back = decode_block_map(encode(map), 140'000, false);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->stored_bytes, map.stored_bytes);
  EXPECT_EQ(back->number, 3u);
}

TEST(BlockMaps, RefuseWhatCannotBe) {
  const std::string good("\x02\x10\x03\x00\x00\x00\xff\xff\x00\x00", 10);
  EXPECT_TRUE(decode_block_map(good, 130'000, false));
  EXPECT_TRUE(decode_block_map(good.substr(0, 6), 130'000, true));
  EXPECT_FALSE(decode_block_map("", 130'000, false));
  EXPECT_FALSE(decode_block_map(good.substr(0, 9), 130'000, false));
  EXPECT_FALSE(decode_block_map(good + "x", 130'000, false));
  EXPECT_FALSE(decode_block_map(good, 64'000, false));   // one block
  EXPECT_FALSE(decode_block_map(good, 200'000, false));  // four
  EXPECT_FALSE(decode_block_map(good, kMaxFramePlainBytes + 1, false));
  EXPECT_FALSE(decode_block_map("\x03" + good.substr(1), 130'000, false));
  EXPECT_FALSE(decode_block_map(good.substr(0, 1) + "\x30" + good.substr(2), 130'000, false));
  EXPECT_FALSE(decode_block_map(good.substr(0, 1) + "\x08" + good.substr(2), 130'000, false));
}

TEST(Blob, RefusesWhatItDoesNotKnow) {
  std::string header;
  encode(BlobHeader{.id = test_id()}, header);
  header[8] = 2;
  EXPECT_EQ(decode_blob_header(header).error(), Code::kNotSupported);
  EXPECT_EQ(decode_blob_header("").error(), Code::kCorrupt);
  EXPECT_EQ(decode_blob_header("something else altogether, quite long").error(), Code::kCorrupt);
}

TEST(BlobIds, HaveNames) {
  const BlobId id = test_id();
  EXPECT_EQ(blob_id_of_hex(to_hex(id)), id);
  EXPECT_EQ(key_of(id), "blob/" + to_hex(id).substr(0, 2) + "/" + to_hex(id));
  EXPECT_FALSE(blob_id_of_hex("abc"));
  EXPECT_FALSE(blob_id_of_hex(std::string(32, 'g')));
}

}  // namespace
}  // namespace firn::tier
