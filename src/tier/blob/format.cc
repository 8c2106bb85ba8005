#include "tier/blob/format.h"

#include <bit>
#include <cstring>

#include "base/bytes.h"
#include "base/check.h"
#include "base/checksum.h"

namespace firn::tier {

namespace {

constexpr std::string_view kHeaderMagic = "firnblob";
constexpr std::string_view kFooterMagic = "firnindx";
constexpr uint32_t kFrameMagic = 0x4d415246;  // "FRAM"
constexpr uint16_t kSealedFlag = 1;           // of blobs, and of frames

template <std::unsigned_integral T>
void append(std::string& to, T value) {
  char bytes[sizeof value];
  store_le(bytes, value);
  to.append(bytes, sizeof bytes);
}

// Reads fields one after another from bytes that are known to be enough.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : at_(bytes.data()) {}
  template <std::unsigned_integral T>
  T take() {
    const T value = load_le<T>(at_);
    at_ += sizeof(T);
    return value;
  }
  std::string_view take(size_t bytes) {
    const std::string_view view(at_, bytes);
    at_ += bytes;
    return view;
  }

 private:
  const char* at_;
};

// Each structure ends with the checksum of what is before it.
void append_checksum(std::string& to, size_t begin) { append(to, checksum64(std::string_view(to).substr(begin))); }

Status check(std::string_view bytes, size_t expected_bytes, const char* what) {
  if (bytes.size() != expected_bytes) return Status(Code::kCorrupt, std::string(what) + " is cut short");
  const size_t covered = expected_bytes - sizeof(uint64_t);
  if (load_le<uint64_t>(bytes.data() + covered) != checksum64(bytes.substr(0, covered)))
    return Status(Code::kCorrupt, std::string(what) + " fails its checksum");
  return {};
}

}  // namespace

void encode(const BlobHeader& header, std::string& to) {
  const size_t begin = to.size();
  to += kHeaderMagic;
  append(to, kBlobVersion);
  append(to, header.sealed ? kSealedFlag : uint16_t{0});
  append(to, uint32_t{0});
  to.append(reinterpret_cast<const char*>(header.id.bytes.data()), header.id.bytes.size());
  append(to, uint64_t{0});
  append_checksum(to, begin);
  CHECK(to.size() - begin == kBlobHeaderBytes);
}

Result<BlobHeader> decode_blob_header(std::string_view bytes) {
  if (bytes.size() < 10 || !bytes.starts_with(kHeaderMagic)) return fail(Code::kCorrupt, "this is not a blob");
  if (const auto version = load_le<uint16_t>(bytes.data() + 8); version > kBlobVersion)
    return fail(Code::kNotSupported, "the blob has format version " + std::to_string(version) + "; this firn knows " +
                                         std::to_string(kBlobVersion));
  TRY(check(bytes, kBlobHeaderBytes, "the blob's header"));
  Reader reader(bytes.substr(10));
  const auto flags = reader.take<uint16_t>();
  if ((flags & ~kSealedFlag) != 0) return fail(Code::kCorrupt, "the blob's header has unknown flags");
  (void)reader.take<uint32_t>();
  BlobHeader header{.sealed = (flags & kSealedFlag) != 0};
  std::memcpy(header.id.bytes.data(), reader.take(header.id.bytes.size()).data(), header.id.bytes.size());
  return header;
}

void encode(const FrameHeader& header, std::string& to) {
  const size_t begin = to.size();
  append(to, kFrameMagic);
  append(to, static_cast<uint8_t>(header.codec));
  append(to, static_cast<uint8_t>(std::countr_zero(header.block_bytes)));
  append(to, header.sealed ? kSealedFlag : uint16_t{0});
  append(to, header.id.inode.value);
  append(to, static_cast<uint32_t>(header.id.chunk.value));
  append(to, header.number);
  append(to, header.id.version);
  append(to, header.plain_bytes);
  append(to, header.stored_bytes);
  append(to, header.plain_checksum);
  append(to, header.table_checksum);
  append_checksum(to, begin);
  CHECK(to.size() - begin == kFrameHeaderBytes);
}

Result<FrameHeader> decode_frame_header(std::string_view bytes) {
  TRY(check(bytes, kFrameHeaderBytes, "a frame's header"));
  Reader reader(bytes);
  if (reader.take<uint32_t>() != kFrameMagic) return fail(Code::kCorrupt, "a frame does not begin where it should");
  FrameHeader header;
  const auto codec = reader.take<uint8_t>();
  if (codec > static_cast<uint8_t>(Codec::kZstd))
    return fail(Code::kNotSupported, "a frame is compressed in a way that this firn does not know");
  header.codec = static_cast<Codec>(codec);
  const auto block_log2 = reader.take<uint8_t>();
  const auto flags = reader.take<uint16_t>();
  if (block_log2 >= 32 || (header.block_bytes = uint32_t{1} << block_log2) < kMinBlockBytes ||
      header.block_bytes > kMaxBlockBytes || (flags & ~kSealedFlag) != 0)
    return fail(Code::kCorrupt, "a frame's header gives impossible blocks");
  header.sealed = (flags & kSealedFlag) != 0;
  header.id.inode = InodeId(reader.take<uint64_t>());
  header.id.chunk = ChunkIndex(reader.take<uint32_t>());
  header.number = reader.take<uint32_t>();
  header.id.version = reader.take<uint64_t>();
  header.plain_bytes = reader.take<uint32_t>();
  header.stored_bytes = reader.take<uint32_t>();
  header.plain_checksum = reader.take<uint64_t>();
  header.table_checksum = reader.take<uint64_t>();
  if (header.plain_bytes > kMaxFramePlainBytes || header.stored_bytes > kMaxBlobBytes)
    return fail(Code::kCorrupt, "a frame's header gives an impossible size");
  return header;
}

void encode(const BlobFooter& footer, std::string& to) {
  const size_t begin = to.size();
  append(to, footer.index_offset);
  append(to, footer.frame_count);
  append(to, uint32_t{0});
  append(to, footer.index_checksum);
  to += kFooterMagic;
  append_checksum(to, begin);
  CHECK(to.size() - begin == kBlobFooterBytes);
}

Result<BlobFooter> decode_blob_footer(std::string_view bytes) {
  TRY(check(bytes, kBlobFooterBytes, "the blob's footer"));
  Reader reader(bytes);
  BlobFooter footer{.index_offset = reader.take<uint64_t>(), .frame_count = reader.take<uint32_t>()};
  (void)reader.take<uint32_t>();
  footer.index_checksum = reader.take<uint64_t>();
  if (reader.take(kFooterMagic.size()) != kFooterMagic) return fail(Code::kCorrupt, "the blob's footer is not one");
  if (footer.index_offset < kBlobHeaderBytes || footer.index_offset > kMaxBlobBytes || footer.frame_count > kMaxFrames)
    return fail(Code::kCorrupt, "the blob's footer gives impossible sizes");
  return footer;
}

}  // namespace firn::tier
