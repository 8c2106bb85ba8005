#include "tier/blob/blocks.h"

#include <algorithm>
#include <bit>
#include <numeric>

#include "base/bytes.h"
#include "base/check.h"
#include "base/checksum.h"

namespace firn::tier {

namespace {

// Of an encoded map, before the blocks' lengths: codec, log2 of block_bytes, number.
constexpr size_t kMapHeaderBytes = 1 + 1 + 4;

uint32_t extra_bytes(bool sealed) { return kBlockChecksumBytes + (sealed ? kTagBytes : 0); }

// Of a block's length less one.
size_t length_bytes(uint32_t block_bytes) { return block_bytes <= (1 << 16) ? 2 : 3; }

// Stands for a block's number where the chunk's checksum is sealed.
constexpr uint32_t kChecksumBlock = 0xffff'ffff;

// Each frame has its number in its blob, each blob its own key.
uint64_t nonce_of(uint32_t frame, uint32_t block) { return uint64_t{frame} << 32 | block; }

void append_length(std::string& to, uint32_t stored_bytes, size_t bytes) {
  char length[sizeof(uint32_t)];
  store_le(length, stored_bytes - 1);
  to.append(length, bytes);
}

uint32_t take_length(std::string_view from, size_t bytes) {
  char length[sizeof(uint32_t)] = {};
  from.copy(length, bytes);
  return load_le<uint32_t>(length) + 1;
}

}  // namespace

uint32_t block_count(uint32_t plain_bytes, uint32_t block_bytes) {
  return plain_bytes / block_bytes + (plain_bytes % block_bytes != 0 ? 1 : 0);
}

uint64_t max_frame_bytes(uint64_t plain_bytes, uint32_t block_bytes) {
  const uint64_t blocks = (plain_bytes + block_bytes - 1) / block_bytes;
  return kFrameHeaderBytes + kSealedChecksumBytes + plain_bytes + blocks * (kTableEntryBytes + extra_bytes(true));
}

uint32_t BlockMap::plain_bytes_of(uint32_t block) const {
  return std::min(block_bytes, plain_bytes - block * block_bytes);
}

uint32_t BlockMap::bytes_of(uint32_t block) const { return stored_bytes[block] + extra_bytes(sealed); }

Extent BlockMap::place_of(BlockRange blocks) const {
  const auto bytes = [this](uint32_t begin, uint32_t count) {
    const auto first = stored_bytes.begin() + begin;
    return std::accumulate(first, first + count, uint64_t{0}) + uint64_t{count} * extra_bytes(sealed);
  };
  const uint64_t begin =
      kFrameHeaderBytes + stored_bytes.size() * kTableEntryBytes + (sealed ? kSealedChecksumBytes : 0);
  return {.offset = begin + bytes(0, blocks.first), .bytes = bytes(blocks.first, blocks.count)};
}

BlockRange BlockMap::covering(Extent plain) const {
  const uint64_t first = plain.offset / block_bytes, last = (plain.offset + plain.bytes - 1) / block_bytes;
  return {.first = static_cast<uint32_t>(first), .count = static_cast<uint32_t>(last - first + 1)};
}

Extent BlockMap::plain_of(BlockRange blocks) const {
  const uint64_t begin = uint64_t{blocks.first} * block_bytes;
  return {.offset = begin, .bytes = std::min(uint64_t{blocks.count} * block_bytes, plain_bytes - begin)};
}

uint64_t BlockMap::frame_bytes() const {
  const Extent all = place_of({.first = 0, .count = static_cast<uint32_t>(stored_bytes.size())});
  return all.offset + all.bytes;
}

bool BlockMap::is_stored() const {
  return std::accumulate(stored_bytes.begin(), stored_bytes.end(), uint64_t{0}) == plain_bytes;
}

std::string encode(const BlockMap& map) {
  std::string bytes;
  if (map.stored_bytes.size() < 2) return bytes;
  bytes += static_cast<char>(map.codec);
  bytes += static_cast<char>(std::countr_zero(map.block_bytes));
  char number[sizeof map.number];
  store_le(number, map.number);
  bytes.append(number, sizeof number);
  if (map.is_stored()) return bytes;  // the lengths are no news
  for (const uint32_t one : map.stored_bytes) append_length(bytes, one, length_bytes(map.block_bytes));
  return bytes;
}

Result<BlockMap> decode_block_map(std::string_view bytes, uint32_t plain_bytes, bool sealed) {
  const auto malformed = [] { return fail(Code::kCorrupt, "malformed block map"); };
  if (bytes.size() < kMapHeaderBytes || plain_bytes > kMaxFramePlainBytes) return malformed();
  const auto codec = static_cast<uint8_t>(bytes[0]), block_log2 = static_cast<uint8_t>(bytes[1]);
  if (codec > static_cast<uint8_t>(Codec::kZstd) || block_log2 >= 32) return malformed();
  BlockMap map{.codec = static_cast<Codec>(codec),
               .sealed = sealed,
               .block_bytes = uint32_t{1} << block_log2,
               .number = load_le<uint32_t>(bytes.data() + 2),
               .plain_bytes = plain_bytes};
  if (map.block_bytes < kMinBlockBytes || map.block_bytes > kMaxBlockBytes) return malformed();
  map.stored_bytes.resize(block_count(plain_bytes, map.block_bytes));
  bytes.remove_prefix(kMapHeaderBytes);
  const size_t width = length_bytes(map.block_bytes), count = map.stored_bytes.size();
  if (count < 2 || (!bytes.empty() && bytes.size() != count * width)) return malformed();
  for (uint32_t block = 0; block < count; ++block) {
    const uint32_t plain = map.plain_bytes_of(block);
    map.stored_bytes[block] = bytes.empty() ? plain : take_length(bytes.substr(block * width), width);
    if (map.stored_bytes[block] > plain) return malformed();
  }
  return map;
}

std::string identity_of(FrameHeader header) {
  header.stored_bytes = 0;
  header.table_checksum = 0;
  std::string bytes;
  encode(header, bytes);
  return bytes;
}

BlockGuard::BlockGuard(const FrameHeader& header, uint64_t plain_checksum, const std::optional<Key>& key)
    : number_(header.number), plain_checksum_(plain_checksum), identity_(identity_of(header)) {
  if (header.sealed && key) sealer_.emplace(*key);
}

// The seed makes it the checksum of this block of this frame.
uint64_t BlockGuard::checksum(uint32_t block, std::string_view stored) const {
  return checksum64(stored, checksum64(identity_, block));
}

std::string BlockGuard::associated(uint32_t block) const {
  std::string bytes = identity_;
  char tail[sizeof plain_checksum_ + sizeof block];
  store_le(tail, plain_checksum_);
  store_le(tail + sizeof plain_checksum_, block);
  return bytes.append(tail, sizeof tail);
}

void BlockGuard::seal(uint32_t block, std::string_view stored, char* to) {
  CHECK(sealer_);
  sealer_->seal(stored, nonce_of(number_, block), associated(block), to);
}

Result<void> BlockGuard::unseal(uint32_t block, std::string_view sealed, char* to) {
  CHECK(sealer_);
  return sealer_->unseal(sealed, nonce_of(number_, block), associated(block), to);
}

std::string seal_checksum(uint64_t plain_checksum, const FrameHeader& header, std::string_view table, const Key& key) {
  char plain[sizeof plain_checksum];
  store_le(plain, plain_checksum);
  return seal({plain, sizeof plain}, key, nonce_of(header.number, kChecksumBlock), identity_of(header).append(table));
}

Result<uint64_t> unseal_checksum(std::string_view sealed, const FrameHeader& header, std::string_view table,
                                 const Key& key) {
  const std::string plain =
      TRY(unseal(sealed, key, nonce_of(header.number, kChecksumBlock), identity_of(header).append(table)));
  if (plain.size() != sizeof(uint64_t)) return fail(Code::kCorrupt, "a sealed frame is cut short");
  return load_le<uint64_t>(plain.data());
}

}  // namespace firn::tier
