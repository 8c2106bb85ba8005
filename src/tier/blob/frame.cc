#include "tier/blob/frame.h"

#include "base/bytes.h"
#include "base/checksum.h"
#include "tier/blob/compression.h"

namespace firn::tier {

namespace {

// The fields that say what the frame is, without sizes and checksums of what is sealed.
std::string associated(const FrameHeader& header) {
  FrameHeader identity = header;
  identity.stored_bytes = 0;
  identity.plain_checksum = identity.stored_checksum = 0;
  std::string bytes;
  encode(identity, bytes);
  return bytes;
}

}  // namespace

std::string seal_frame(std::string_view stored, uint64_t plain_checksum, const FrameHeader& header, const Key& key) {
  char checksum[sizeof plain_checksum];
  store_le(checksum, plain_checksum);
  return seal(std::string(checksum, sizeof checksum).append(stored), key, header.number, associated(header));
}

Result<std::string> open_frame(std::string_view bytes, const FrameId& expected, const std::optional<Key>& key) {
  if (bytes.size() < kFrameHeaderBytes) return fail(Code::kCorrupt, "a frame is cut short");
  const FrameHeader header = TRY(decode_frame_header(bytes.substr(0, kFrameHeaderBytes)));
  if (!(header.id == expected)) return fail(Code::kCorrupt, "a frame holds another chunk than it should");
  std::string_view stored = bytes.substr(kFrameHeaderBytes);
  if (stored.size() != header.stored_bytes) return fail(Code::kCorrupt, "a frame is cut short");
  if (checksum64(stored) != header.stored_checksum) return fail(Code::kCorrupt, "a frame fails its checksum");
  uint64_t plain_checksum = header.plain_checksum;
  std::string unsealed;
  if (key) {
    unsealed = TRY(unseal(stored, *key, header.number, associated(header)));
    if (unsealed.size() < sizeof plain_checksum) return fail(Code::kCorrupt, "a sealed frame is cut short");
    plain_checksum = load_le<uint64_t>(unsealed.data());
    stored = std::string_view(unsealed).substr(sizeof plain_checksum);
  }
  std::string plain = TRY(decompress(stored, header.codec, header.plain_bytes));
  if (checksum64(plain) != plain_checksum) return fail(Code::kCorrupt, "a chunk fails its checksum");
  return plain;
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
