#include "meta/tiering_records.h"

#include "meta.pb.h"

namespace firn::meta {

namespace {

constexpr uint32_t kNanosecondsPerSecond = 1'000'000'000;

template <class Message>
bool parse(Message& message, std::string_view bytes) {
  return message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

}  // namespace

std::string encode_chunk(const Chunk& chunk) {
  record::Chunk m;
  m.set_version(chunk.version);
  m.set_bytes(chunk.bytes);
  m.set_checksum(chunk.checksum);
  m.set_blob(chunk.blob);
  m.set_offset(chunk.offset);
  m.set_frame_bytes(chunk.frame_bytes);
  return m.SerializeAsString();
}

Result<Chunk> decode_chunk(ChunkIndex index, std::string_view bytes) {
  record::Chunk m;
  if (!parse(m, bytes) || m.blob().size() != kBlobNameBytes || m.frame_bytes() == 0)
    return fail(Code::kCorrupt, "malformed chunk record");
  return Chunk{.index = index,
               .version = m.version(),
               .bytes = m.bytes(),
               .checksum = m.checksum(),
               .blob = m.blob(),
               .offset = m.offset(),
               .frame_bytes = m.frame_bytes()};
}

std::string encode_pending(const Pending& pending) {
  record::Pending m;
  m.set_generation(pending.generation);
  m.set_since_seconds(pending.since.seconds);
  m.set_since_nanoseconds(pending.since.nanoseconds);
  return m.SerializeAsString();
}

Result<Pending> decode_pending(InodeId inode, std::string_view bytes) {
  record::Pending m;
  if (!parse(m, bytes) || m.generation() == 0 || m.since_nanoseconds() >= kNanosecondsPerSecond)
    return fail(Code::kCorrupt, "malformed pending record of inode " + std::to_string(inode.value));
  return Pending{inode, m.generation(), {m.since_seconds(), m.since_nanoseconds()}};
}

std::string encode_blob(const Blob& blob) {
  record::Blob m;
  m.set_bytes(blob.bytes);
  m.set_tiers(blob.tiers);
  m.set_since_seconds(blob.since.seconds);
  m.set_since_nanoseconds(blob.since.nanoseconds);
  return m.SerializeAsString();
}

Result<Blob> decode_blob(std::string_view name, std::string_view bytes) {
  record::Blob m;
  if (!parse(m, bytes) || name.size() != kBlobNameBytes || m.since_nanoseconds() >= kNanosecondsPerSecond)
    return fail(Code::kCorrupt, "malformed blob record");
  return Blob{.name = std::string(name),
              .bytes = m.bytes(),
              .tiers = m.tiers(),
              .since = {m.since_seconds(), m.since_nanoseconds()}};
}

}  // namespace firn::meta
