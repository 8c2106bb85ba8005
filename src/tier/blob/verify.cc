#include "tier/blob/verify.h"

#include "base/checksum.h"
#include "tier/blob/frame.h"

namespace firn::tier {

Status verify_stored(std::string_view blob, const BlobId& id) {
  if (blob.size() < kBlobHeaderBytes + kBlobFooterBytes) return Status(Code::kCorrupt, "the blob is too short");
  const auto header = decode_blob_header(blob.substr(0, kBlobHeaderBytes));
  if (!header) return header.error();
  if (header->id != id) return Status(Code::kCorrupt, "the blob is another one");
  const auto tail = read_tail(blob, blob.size());
  if (!tail) return tail.error();
  if (!tail->index) return Status(Code::kCorrupt, "the blob's index is beyond it");
  for (const IndexEntry& entry : *tail->index) {
    const std::string_view frame = blob.substr(entry.offset);
    const std::string where = "frame " + std::to_string(entry.header.number);
    if (frame.size() < kFrameHeaderBytes + entry.header.stored_bytes)
      return Status(Code::kCorrupt, where + " is beyond the blob's end");
    std::string expected;
    encode(entry.header, expected);
    if (frame.substr(0, kFrameHeaderBytes) != expected)
      return Status(Code::kCorrupt, where + " is not the one that the index names");
    if (checksum64(frame.substr(kFrameHeaderBytes, entry.header.stored_bytes)) != entry.header.stored_checksum)
      return Status(Code::kCorrupt, where + " has a wrong checksum");
  }
  return {};
}

}  // namespace firn::tier
