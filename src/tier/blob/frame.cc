#include "tier/blob/frame.h"

#include "base/bytes.h"
#include "base/checksum.h"
#include "tier/blob/compression.h"

namespace firn::tier {

namespace {

struct ParsedFrame {
  FrameHeader header;
  BlockMap map;
  std::string_view table;            // of lengths
  std::string_view sealed_checksum;  // of the chunk; empty unless the frame is sealed
};

Result<ParsedFrame> parse(std::string_view bytes) {
  if (bytes.size() < kFrameHeaderBytes) return fail(Code::kCorrupt, "a frame is cut short");
  ParsedFrame frame{.header = TRY(decode_frame_header(bytes.substr(0, kFrameHeaderBytes)))};
  const FrameHeader& header = frame.header;
  bytes.remove_prefix(kFrameHeaderBytes);
  const uint32_t count = block_count(header.plain_bytes, header.block_bytes);
  const size_t table_bytes = count * kTableEntryBytes, sealed_bytes = header.sealed ? kSealedChecksumBytes : 0;
  if (bytes.size() != header.stored_bytes || bytes.size() < table_bytes + sealed_bytes)
    return fail(Code::kCorrupt, "a frame is cut short");
  if (checksum64(bytes.substr(0, table_bytes + sealed_bytes)) != header.table_checksum)
    return fail(Code::kCorrupt, "a frame's table fails its checksum");
  frame.table = bytes.substr(0, table_bytes);
  frame.sealed_checksum = bytes.substr(table_bytes, sealed_bytes);
  frame.map = {.codec = header.codec,
               .sealed = header.sealed,
               .block_bytes = header.block_bytes,
               .number = header.number,
               .plain_bytes = header.plain_bytes};
  for (uint32_t block = 0; block < count; ++block) {
    const auto stored = load_le<uint32_t>(frame.table.data() + block * kTableEntryBytes);
    if (stored == 0 || stored > frame.map.plain_bytes_of(block))
      return fail(Code::kCorrupt, "a frame's table gives an impossible size");
    frame.map.stored_bytes.push_back(stored);
  }
  if (frame.map.frame_bytes() != kFrameHeaderBytes + bytes.size())
    return fail(Code::kCorrupt, "a frame's table contradicts its header");
  return frame;
}

// The bytes of a block without its checksum, which is verified. `bytes` are all of it.
Result<std::string_view> checked(std::string_view bytes, uint32_t block, const BlockGuard& guard) {
  const std::string_view stored = bytes.substr(0, bytes.size() - kBlockChecksumBytes);
  if (load_le<uint64_t>(bytes.data() + stored.size()) != guard.checksum(block, stored))
    return fail(Code::kCorrupt, "block " + std::to_string(block) + " of a frame fails its checksum");
  return stored;
}

// Opens blocks one after another.
class BlockReader {
 public:
  BlockReader(const BlockMap& map, BlockGuard& guard) : map_(map), guard_(guard) {}

  // The plain bytes of `block` into `to`. `bytes` are all of it.
  Result<void> open(std::string_view bytes, uint32_t block, char* to) {
    std::string_view stored = TRY(checked(bytes, block, guard_));
    const size_t plain_bytes = map_.plain_bytes_of(block);
    const bool compressed = map_.stored_bytes[block] < plain_bytes;
    if (map_.sealed && !compressed) return guard_.unseal(block, stored, to);
    if (map_.sealed) {
      unsealed_.resize(map_.block_bytes + kTagBytes);
      TRY(guard_.unseal(block, stored, unsealed_.data()));
      stored = std::string_view(unsealed_).substr(0, map_.stored_bytes[block]);
    }
    if (!compressed) {
      stored.copy(to, plain_bytes);
    } else if (!decompress_into(stored, map_.codec, to, plain_bytes)) {
      return fail(Code::kCorrupt, "block " + std::to_string(block) + " of a frame does not decompress");
    }
    return {};
  }

  // The plain bytes of `blocks`, which `bytes` are.
  Result<io::PageBytes> open_all(std::string_view bytes, BlockRange blocks) {
    io::PageBytes plain(map_.plain_of(blocks).bytes);
    char* to = plain.data();
    for (uint32_t block = blocks.first; block < blocks.first + blocks.count; ++block) {
      const size_t stored = map_.bytes_of(block);
      TRY(open(bytes.substr(0, stored), block, to));
      bytes.remove_prefix(stored);
      to += map_.plain_bytes_of(block);
    }
    return plain;
  }

 private:
  const BlockMap& map_;
  BlockGuard& guard_;
  std::string unsealed_;
};

}  // namespace

Result<io::PageBytes> open_frame(std::string_view bytes, const FrameId& expected, const std::optional<Key>& key) {
  return TRY(open_whole(bytes, expected, key)).plain;
}

Result<OpenedFrame> open_whole(std::string_view bytes, const FrameId& expected, const std::optional<Key>& key) {
  const ParsedFrame frame = TRY(parse(bytes));
  const FrameHeader& header = frame.header;
  if (!(header.id == expected)) return fail(Code::kCorrupt, "a frame holds another chunk than it should");
  if (header.sealed != key.has_value())
    return fail(Code::kCorrupt, header.sealed ? "a frame is sealed" : "a frame is not sealed");
  uint64_t plain_checksum = header.plain_checksum;
  if (key) plain_checksum = TRY(unseal_checksum(frame.sealed_checksum, header, frame.table, *key));
  BlockGuard guard(header, plain_checksum, key);
  const BlockRange all{.first = 0, .count = static_cast<uint32_t>(frame.map.stored_bytes.size())};
  io::PageBytes plain = TRY(BlockReader(frame.map, guard).open_all(bytes.substr(frame.map.place_of(all).offset), all));
  if (checksum64(plain.view()) != plain_checksum) return fail(Code::kCorrupt, "a chunk fails its checksum");
  return OpenedFrame{std::move(plain), plain_checksum};
}

Result<io::PageBytes> open_blocks(std::string_view bytes, const SomeBlocks& which, const BlockMap& map,
                                  const std::optional<Key>& key) {
  if (map.sealed != key.has_value())
    return fail(Code::kCorrupt, map.sealed ? "a frame is sealed" : "a frame is not sealed");
  if (uint64_t{which.blocks.first} + which.blocks.count > map.stored_bytes.size() ||
      bytes.size() != map.place_of(which.blocks).bytes)
    return fail(Code::kCorrupt, "blocks of a frame are cut short");
  const FrameHeader header{.id = which.id,
                           .codec = map.codec,
                           .sealed = map.sealed,
                           .block_bytes = map.block_bytes,
                           .number = map.number,
                           .plain_bytes = map.plain_bytes,
                           .plain_checksum = map.sealed ? 0 : which.plain_checksum};
  BlockGuard guard(header, which.plain_checksum, key);
  return BlockReader(map, guard).open_all(bytes, which.blocks);
}

Result<FrameHeader> verify_stored_frame(std::string_view bytes) {
  const ParsedFrame frame = TRY(parse(bytes));
  const BlockGuard guard(frame.header, 0, std::nullopt);
  const auto count = static_cast<uint32_t>(frame.map.stored_bytes.size());
  bytes.remove_prefix(frame.map.place_of({.first = 0, .count = count}).offset);
  for (uint32_t block = 0; block < count; ++block) {
    TRY(checked(bytes.substr(0, frame.map.bytes_of(block)), block, guard));
    bytes.remove_prefix(frame.map.bytes_of(block));
  }
  return frame.header;
}

Result<BlobTail> read_tail(std::string_view bytes, uint64_t blob_bytes) {
  if (bytes.size() < kBlobFooterBytes || blob_bytes < bytes.size())
    return fail(Code::kCorrupt, "the blob is cut short");
  const BlobFooter footer = TRY(decode_blob_footer(bytes.substr(bytes.size() - kBlobFooterBytes)));
  const uint64_t index_bytes = uint64_t{footer.frame_count} * kIndexEntryBytes;
  if (footer.index_offset + index_bytes + kBlobFooterBytes != blob_bytes)
    return fail(Code::kCorrupt, "the blob's footer does not fit its size");
  BlobTail tail{.index_offset = footer.index_offset};
  if (bytes.size() < index_bytes + kBlobFooterBytes) return tail;
  std::string_view index = bytes.substr(bytes.size() - kBlobFooterBytes - index_bytes, index_bytes);
  if (checksum64(index) != footer.index_checksum) return fail(Code::kCorrupt, "the blob's index fails its checksum");
  tail.index.emplace();
  uint64_t expected_offset = kBlobHeaderBytes;
  for (uint32_t number = 0; number < footer.frame_count; ++number, index.remove_prefix(kIndexEntryBytes)) {
    IndexEntry entry{.offset = load_le<uint64_t>(index.data())};
    entry.header = TRY(decode_frame_header(index.substr(sizeof entry.offset, kFrameHeaderBytes)));
    if (entry.offset != expected_offset || entry.header.number != number)
      return fail(Code::kCorrupt, "the blob's index contradicts itself");
    expected_offset += kFrameHeaderBytes + entry.header.stored_bytes;
    tail.index->push_back(entry);
  }
  if (expected_offset != footer.index_offset) return fail(Code::kCorrupt, "the blob's index contradicts itself");
  return tail;
}

}  // namespace firn::tier
