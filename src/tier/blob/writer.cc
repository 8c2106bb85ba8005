#include "tier/blob/writer.h"

#include "base/bytes.h"
#include "base/check.h"
#include "base/checksum.h"
#include "tier/blob/compression.h"
#include "tier/blob/frame.h"

namespace firn::tier {

namespace {

constexpr uint64_t kSealedExtraBytes = sizeof(uint64_t) + kTagBytes;

}  // namespace

BlobWriter::BlobWriter(BlobId id, Codec codec, std::optional<Key> volume_key)
    : id_(id), codec_(codec), key_(volume_key ? std::optional(blob_key(*volume_key, id)) : std::nullopt) {
  std::string header;
  encode(BlobHeader{.id = id_, .sealed = key_.has_value()}, header);
  content_.append(std::move(header));
}

uint64_t BlobWriter::bytes() const { return content_.bytes() + index_.size() * kIndexEntryBytes + kBlobFooterBytes; }

bool BlobWriter::has_room_for(uint64_t plain_bytes) const {
  return index_.size() < kMaxFrames && plain_bytes <= kMaxFramePlainBytes &&
         bytes() + kFrameHeaderBytes + plain_bytes + kSealedExtraBytes + kIndexEntryBytes <= kMaxBlobBytes;
}

Result<FrameRef> BlobWriter::append(FrameId id, std::string_view plain) {
  if (!has_room_for(plain.size())) return fail(Code::kInvalid, "the chunk does not fit into the blob");
  FrameHeader header{.id = id, .number = frame_count(), .plain_bytes = static_cast<uint32_t>(plain.size())};
  const FrameRef ref{.offset = content_.bytes(), .plain_checksum = checksum64(plain)};
  Compressed compressed = compress(plain, codec_);
  header.codec = compressed.codec;
  std::string stored = compressed.codec == Codec::kStored ? std::string(plain) : std::move(compressed.bytes);
  if (key_) {
    stored = seal_frame(stored, ref.plain_checksum, header, *key_);
  } else {
    header.plain_checksum = ref.plain_checksum;
  }
  header.stored_bytes = static_cast<uint32_t>(stored.size());
  header.stored_checksum = checksum64(stored);
  std::string bytes;
  encode(header, bytes);
  content_.append(std::move(bytes));
  content_.append(std::move(stored));
  index_.push_back({ref.offset, header});
  return FrameRef{ref.offset, static_cast<uint32_t>(kFrameHeaderBytes + header.stored_bytes), ref.plain_checksum};
}

object::Content BlobWriter::finish() {
  BlobFooter footer{.index_offset = content_.bytes(), .frame_count = frame_count()};
  std::string tail;
  for (const Entry& entry : index_) {
    char offset[sizeof(uint64_t)];
    store_le(offset, entry.offset);
    tail.append(offset, sizeof offset);
    encode(entry.header, tail);
  }
  footer.index_checksum = checksum64(tail);
  encode(footer, tail);
  content_.append(std::move(tail));
  CHECK(content_.bytes() <= kMaxBlobBytes);
  index_.clear();
  return std::exchange(content_, {});
}

}  // namespace firn::tier
