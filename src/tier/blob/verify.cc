#include "tier/blob/verify.h"

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
    const std::string_view rest = blob.substr(entry.offset);
    const std::string where = "frame " + std::to_string(entry.header.number) + ": ";
    const auto frame = verify_stored_frame(rest.substr(0, kFrameHeaderBytes + entry.header.stored_bytes));
    if (!frame) return Status(Code::kCorrupt, where + frame.error().message());
    if (!(*frame == entry.header)) return Status(Code::kCorrupt, where + "it is not the one that the index names");
    if (frame->sealed != header->sealed) return Status(Code::kCorrupt, where + "it is not sealed as its blob is");
  }
  return {};
}

}  // namespace firn::tier
