// Any bytes in the store decode or are kCorrupt; what decodes, encodes and decodes to the same.
#include <string_view>

#include "base/check.h"
#include "meta/acl.h"
#include "meta/event.h"
#include "meta/keys.h"
#include "meta/records.h"
#include "meta/tiering_records.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace firn;        // NOLINT
  using namespace firn::meta;  // NOLINT
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);

  const auto inode = decode_inode(InodeId(1), bytes);
  CHECK(inode || inode.error().code() == Code::kCorrupt);
  if (inode) {
    const std::string encoded(encode_inode(*inode));
    const auto again = decode_inode(InodeId(1), encoded);
    CHECK(again && encode_inode(*again) == encoded);
  }
  const auto dirent = decode_dirent(bytes);
  CHECK(dirent || dirent.error().code() == Code::kCorrupt);
  if (dirent) CHECK(decode_dirent(encode_dirent(*dirent)) == *dirent);
  if (const auto acl = parse_acl(bytes)) CHECK(encode_acl(*acl) == bytes);
  const auto chunk = decode_chunk(ChunkIndex(1), bytes);
  CHECK(chunk || chunk.error().code() == Code::kCorrupt);
  if (chunk) CHECK(decode_chunk(ChunkIndex(1), encode_chunk(*chunk)) == *chunk);
  const auto frame = decode_content(bytes);
  CHECK(frame || frame.error().code() == Code::kCorrupt);
  if (frame) CHECK(decode_content(encode_content(*frame)) == *frame);
  const auto blob = decode_blob("0123456789abcdef", bytes);
  CHECK(blob || blob.error().code() == Code::kCorrupt);
  if (blob) CHECK(encode_blob(*decode_blob(blob->name, encode_blob(*blob))) == encode_blob(*blob));
  const auto event = decode_event(bytes);
  CHECK(event || event.error().code() == Code::kCorrupt);
  (void)sequence_of_event_key(bytes);
  (void)inode_of_key(bytes);
  (void)name_of_key(bytes);
  (void)decode_counter(bytes);
  return 0;
}
