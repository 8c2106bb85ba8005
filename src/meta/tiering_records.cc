#include "meta/tiering_records.h"

#include "meta.pb.h"
#include "meta/keys.h"

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
  m.set_blocks(chunk.blocks);
  if (chunk.origin) {
    m.set_origin_inode(chunk.origin->inode.value);
    m.set_origin_chunk(static_cast<uint32_t>(chunk.origin->chunk.value));
    m.set_origin_version(chunk.origin->version);
  }
  return m.SerializeAsString();
}

Result<Chunk> decode_chunk(ChunkIndex index, std::string_view bytes) {
  record::Chunk m;
  if (!parse(m, bytes) || m.blob().size() != kBlobNameBytes || m.frame_bytes() == 0)
    return fail(Code::kCorrupt, "malformed chunk record");
  Chunk chunk{.index = index,
              .version = m.version(),
              .bytes = m.bytes(),
              .checksum = m.checksum(),
              .blob = m.blob(),
              .offset = m.offset(),
              .frame_bytes = m.frame_bytes(),
              .blocks = m.blocks()};
  if (m.origin_inode() != 0)
    chunk.origin = FrameOrigin{InodeId(m.origin_inode()), ChunkIndex(m.origin_chunk()), m.origin_version()};
  return chunk;
}

std::string encode_content(const Chunk& frame) { return encode_chunk(frame); }

Result<Chunk> decode_content(std::string_view bytes) {
  Chunk frame = TRY(decode_chunk(ChunkIndex(), bytes));
  if (!frame.origin || frame.version != 0) return fail(Code::kCorrupt, "malformed record of a content");
  return frame;
}

Result<FileChunk> decode_file_chunk(const kv::Pair& stored) {
  const InodeId inode = TRY(inode_of_key(stored.key));
  const ChunkIndex index = TRY(chunk_of_key(stored.key));
  auto chunk = decode_chunk(index, stored.value);
  if (!chunk)
    return fail(std::move(chunk).error().with_context("inode " + std::to_string(inode.value) + ", chunk " +
                                                      std::to_string(index.value)));
  return FileChunk{inode, *std::move(chunk)};
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
  m.set_skip_tiers(blob.skip);
  m.set_damaged(blob.damaged);
  m.set_left_tiers(blob.left);
  m.set_leaving_tiers(blob.leaving);
  m.set_unsound_tiers(blob.unsound);
  m.set_since_seconds(blob.since.seconds);
  m.set_since_nanoseconds(blob.since.nanoseconds);
  if (blob.dead_since) {
    m.set_dead_since_seconds(blob.dead_since->seconds);
    m.set_dead_since_nanoseconds(blob.dead_since->nanoseconds);
  }
  return m.SerializeAsString();
}

Result<Blob> decode_blob(std::string_view name, std::string_view bytes) {
  record::Blob m;
  if (!parse(m, bytes) || name.size() != kBlobNameBytes || m.since_nanoseconds() >= kNanosecondsPerSecond ||
      m.dead_since_nanoseconds() >= kNanosecondsPerSecond || m.skip_tiers() > kEveryTier ||
      (m.left_tiers() & (m.tiers() | ~kEveryTier)) != 0 || (m.leaving_tiers() & ~m.left_tiers()) != 0 ||
      (m.unsound_tiers() & ~m.tiers()) != 0)
    return fail(Code::kCorrupt, "malformed blob record");
  Blob blob{.name = std::string(name),
            .bytes = m.bytes(),
            .tiers = m.tiers(),
            .skip = m.skip_tiers(),
            .left = m.left_tiers(),
            .leaving = m.leaving_tiers(),
            .unsound = m.unsound_tiers(),
            .since = {m.since_seconds(), m.since_nanoseconds()},
            .damaged = m.damaged()};
  if (m.dead_since_seconds() != 0 || m.dead_since_nanoseconds() != 0)
    blob.dead_since = Timestamp{m.dead_since_seconds(), m.dead_since_nanoseconds()};
  return blob;
}

}  // namespace firn::meta
