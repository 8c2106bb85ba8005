// Whatever is found in place of a blob: an answer, and never more than the limits say.
#include <cstdint>

#include "base/check.h"
#include "tier/blob/compression.h"
#include "tier/blob/frame.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t bytes) {
  using namespace firn::tier;
  const std::string_view input(reinterpret_cast<const char*>(data), bytes);
  (void)decode_blob_header(input);
  (void)read_tail(input, bytes);
  if (bytes > 0) (void)read_tail(input, static_cast<uint64_t>(bytes) * data[0]);
  const auto plain = open_frame(input, {firn::InodeId(100), firn::ChunkIndex(0), 1}, std::nullopt);
  if (plain) CHECK(plain->size() <= kMaxFramePlainBytes);
  for (const Codec codec : {Codec::kLz4, Codec::kZstd}) {
    const auto opened = decompress(input, codec, 1 << 16);
    if (opened) CHECK(opened->size() == 1 << 16);
  }
  return 0;
}
