#include "tier/blob/writer.h"

#include <bit>
#include <utility>

#include "base/bytes.h"
#include "base/check.h"
#include "base/checksum.h"
#include "tier/blob/frame.h"

namespace firn::tier {

namespace {

constexpr size_t kSmallFrameBytes = 64 << 10;  // copied into a piece with others
constexpr size_t kPieceBytes = 1 << 20;

bool is_zeros(std::string_view plain) {
  return !plain.empty() && plain.front() == '\0' && plain.substr(1) == plain.substr(0, plain.size() - 1);
}

}  // namespace

BlobWriter::BlobWriter(BlobId id, Codec codec, std::optional<Key> volume_key, uint32_t block_bytes)
    : id_(id),
      codec_(codec),
      block_bytes_(block_bytes),
      key_(volume_key ? std::optional(blob_key(*volume_key, id)) : std::nullopt) {
  CHECK(std::has_single_bit(block_bytes) && block_bytes >= kMinBlockBytes && block_bytes <= kMaxBlockBytes);
  std::string header;
  encode(BlobHeader{.id = id_, .sealed = key_.has_value()}, header);
  content_.append(std::move(header));
}

uint64_t BlobWriter::bytes() const { return written_bytes() + index_.size() * kIndexEntryBytes + kBlobFooterBytes; }

bool BlobWriter::has_room_for(uint64_t plain_bytes) const {
  return index_.size() < kMaxFrames && plain_bytes <= kMaxFramePlainBytes &&
         bytes() + max_frame_bytes(plain_bytes, std::min(block_bytes_, kStoredBlockBytes)) + kIndexEntryBytes <=
             kMaxBlobBytes;
}

Result<FrameRef> BlobWriter::append(FrameId id, std::string_view plain) {
  if (!has_room_for(plain.size())) return fail(Code::kInvalid, "the chunk does not fit into the blob");
  const Codec codec = codec_ == Codec::kStored && is_zeros(plain) ? Codec::kZstd : codec_;
  MadeFrame frame =
      make_frame({.id = id, .codec = codec, .block_bytes = block_bytes_, .number = frame_count()}, plain, key_);
  FrameRef ref{.offset = written_bytes(),
               .bytes = static_cast<uint32_t>(frame.bytes.size()),
               .plain_checksum = frame.plain_checksum,
               .blocks = encode(frame.map)};
  add(std::move(frame.bytes));
  index_.push_back({ref.offset, frame.header});
  return ref;
}

// A frame was made where the worst of it would have had room.
void BlobWriter::add(std::string frame) {
  if (frame.size() <= kSmallFrameBytes) {
    small_frames_ += frame;
    if (small_frames_.size() >= kPieceBytes) add_small_frames();
    return;
  }
  add_small_frames();
  if (frame.capacity() - frame.size() > frame.size() / 8) frame.shrink_to_fit();
  content_.append(std::move(frame));
}

void BlobWriter::add_small_frames() {
  if (!small_frames_.empty()) content_.append(std::exchange(small_frames_, {}));
}

object::Content BlobWriter::finish() {
  add_small_frames();
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
