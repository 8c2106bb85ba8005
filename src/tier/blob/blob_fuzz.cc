// Whatever is found in place of a blob: an answer, and never more than the limits say.
#include <algorithm>
#include <cstdint>

#include "base/bytes.h"
#include "base/check.h"
#include "tier/blob/compression.h"
#include "tier/blob/frame.h"
#include "tier/blob/verify.h"

namespace {

using namespace firn::tier;

constexpr FrameId kFrame{firn::InodeId(100), firn::ChunkIndex(0), 1};

// `input`: two bytes of the chunk's length, eight of its checksum, one of the map's length, the map, and what is found
// where it says the blocks are.
void read_blocks(std::string_view input) {
  if (input.size() < 11) return;
  const auto byte = [&](size_t at) { return static_cast<uint32_t>(static_cast<unsigned char>(input[at])); };
  const uint32_t plain_bytes = byte(0) << 8 | byte(1);
  const auto checksum = firn::load_le<uint64_t>(input.data() + 2);
  const size_t map_bytes = byte(10);
  input.remove_prefix(11);
  const auto map = decode_block_map(input.substr(0, map_bytes), plain_bytes, false);
  if (!map) return;
  CHECK(map->frame_bytes() <= max_frame_bytes(plain_bytes, map->block_bytes));
  input.remove_prefix(std::min(map_bytes, input.size()));
  for (const Extent wanted : {Extent{0, 1}, Extent{plain_bytes - 1, 1}, Extent{0, plain_bytes}}) {
    const BlockRange blocks = map->covering(wanted);
    const SomeBlocks which{.id = kFrame, .plain_checksum = checksum, .blocks = blocks};
    const auto plain = open_blocks(input, which, *map, std::nullopt);
    if (plain) CHECK(plain->size() == map->plain_of(blocks).bytes);
    (void)open_blocks(input.substr(0, map->place_of(blocks).bytes), which, *map, std::nullopt);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t bytes) {
  const std::string_view input(reinterpret_cast<const char*>(data), bytes);
  (void)decode_blob_header(input);
  (void)read_tail(input, bytes);
  if (bytes > 0) (void)read_tail(input, static_cast<uint64_t>(bytes) * data[0]);
  const auto plain = open_frame(input, kFrame, std::nullopt);
  if (plain) CHECK(plain->size() <= kMaxFramePlainBytes);
  (void)open_frame(input, kFrame, Key{});
  if (verify_stored_frame(input)) CHECK(input.size() <= max_frame_bytes(kMaxFramePlainBytes, kMinBlockBytes));
  (void)verify_stored(input, {});
  read_blocks(input);
  for (const Codec codec : {Codec::kLz4, Codec::kZstd}) {
    const auto opened = decompress(input, codec, 1 << 16);
    if (opened) CHECK(opened->size() == 1 << 16);
  }
  return 0;
}
