#include <algorithm>

#include "base/bytes.h"
#include "base/check.h"
#include "base/checksum.h"
#include "tier/blob/compression.h"
#include "tier/blob/frame.h"

namespace firn::tier {

namespace {

// Writes the blocks of one frame one after another.
class BlockWriter {
 public:
  BlockWriter(BlockMap& map, BlockGuard& guard) : map_(map), guard_(guard) {
    if (map_.sealed) unsealed_.resize(map_.block_bytes);
  }

  // The stored block, seal and checksum included, into `to`; where it ends. Notes its length in the map.
  char* write(std::string_view plain, char* to) {
    const auto block = static_cast<uint32_t>(map_.stored_bytes.size());
    const size_t stored = map_.sealed ? write_sealed(block, plain, to) : write_plain(plain, to);
    map_.stored_bytes.push_back(static_cast<uint32_t>(stored));
    const size_t bytes = stored + (map_.sealed ? kTagBytes : 0);
    store_le(to + bytes, guard_.checksum(block, {to, bytes}));
    return to + bytes + kBlockChecksumBytes;
  }

 private:
  // These return the length of what is stored, without its seal.
  size_t write_plain(std::string_view plain, char* to) const {
    const size_t compressed = compress_into(plain, map_.codec, to);
    return compressed != 0 ? compressed : plain.copy(to, plain.size());
  }
  size_t write_sealed(uint32_t block, std::string_view plain, char* to) {
    const size_t compressed = compress_into(plain, map_.codec, unsealed_.data());
    if (compressed != 0) plain = std::string_view(unsealed_).substr(0, compressed);
    guard_.seal(block, plain, to);
    return plain.size();
  }

  BlockMap& map_;
  BlockGuard& guard_;
  std::string unsealed_;  // a compressed block
};

// Whether any block would become smaller.
bool compresses(std::string_view plain, Codec codec, uint32_t block_bytes) {
  if (codec == Codec::kStored) return false;
  std::string scratch(block_bytes, '\0');
  for (size_t at = 0; at < plain.size(); at += block_bytes)
    if (compress_into(plain.substr(at, block_bytes), codec, scratch.data()) != 0) return true;
  return false;
}

std::string encode_table(const BlockMap& map) {
  std::string table(map.stored_bytes.size() * kTableEntryBytes, '\0');
  for (size_t block = 0; block < map.stored_bytes.size(); ++block)
    store_le(table.data() + block * kTableEntryBytes, map.stored_bytes[block]);
  return table;
}

}  // namespace

MadeFrame make_frame(FrameHeader header, std::string_view plain, const std::optional<Key>& key) {
  CHECK(plain.size() <= kMaxFramePlainBytes);
  // Large blocks compress better. Without that, small ones spare who reads a few bytes the rest of a large one.
  if (plain.size() > header.block_bytes && !compresses(plain, header.codec, header.block_bytes)) {
    header.codec = Codec::kStored;
    header.block_bytes = std::min(header.block_bytes, kStoredBlockBytes);
  }
  const uint64_t plain_checksum = checksum64(plain);
  header.sealed = key.has_value();
  header.plain_bytes = static_cast<uint32_t>(plain.size());
  header.plain_checksum = header.sealed ? 0 : plain_checksum;
  MadeFrame made{.map = {.codec = header.codec,
                         .sealed = header.sealed,
                         .block_bytes = header.block_bytes,
                         .number = header.number,
                         .plain_bytes = header.plain_bytes},
                 .plain_checksum = plain_checksum};
  const uint32_t count = block_count(header.plain_bytes, header.block_bytes);
  made.map.stored_bytes.reserve(count);
  BlockGuard guard(header, plain_checksum, key);
  BlockWriter blocks(made.map, guard);
  const size_t head_bytes = kFrameHeaderBytes + count * kTableEntryBytes + (header.sealed ? kSealedChecksumBytes : 0);
  made.bytes.resize_and_overwrite(max_frame_bytes(plain.size(), header.block_bytes), [&](char* begin, size_t) {
    char* end = begin + head_bytes;
    for (size_t at = 0; at < plain.size(); at += header.block_bytes)
      end = blocks.write(plain.substr(at, header.block_bytes), end);
    return static_cast<size_t>(end - begin);
  });
  header.stored_bytes = static_cast<uint32_t>(made.bytes.size() - kFrameHeaderBytes);
  std::string table = encode_table(made.map);
  if (key) table += seal_checksum(plain_checksum, header, table, *key);
  header.table_checksum = checksum64(table);
  std::string head;
  encode(header, head);
  made.bytes.replace(0, head_bytes, head + table);
  made.header = header;
  return made;
}

}  // namespace firn::tier
