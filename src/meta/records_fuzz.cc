// Any bytes in the store decode or are kCorrupt; what decodes, encodes and decodes to the same.
#include <string_view>

#include "base/check.h"
#include "meta/acl.h"
#include "meta/keys.h"
#include "meta/records.h"

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
  (void)inode_of_key(bytes);
  (void)name_of_key(bytes);
  (void)decode_counter(bytes);
  return 0;
}
