// Whatever is found in place of the object `volume`: an answer; and what decodes, encodes and decodes to the same. The
// input is tried as it is, and as the record within an intact frame.
#include <cstdint>

#include "base/bytes.h"
#include "base/check.h"
#include "base/checksum.h"
#include "tier/key_wrap.h"
#include "tier/volume_record.h"

namespace {

void check(std::string_view bytes) {
  using namespace firn::tier;
  const auto settings = decode_volume_object(bytes);
  if (!settings) return;
  const auto encoded = encode_volume_object(*settings);
  if (encoded) CHECK(decode_volume_object(*encoded) == *settings);
  (void)decode_wrapped_key(settings->wrapped_key);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t bytes) {
  const std::string_view input(reinterpret_cast<const char*>(data), bytes);
  check(input);
  std::string framed("firnvolm\1\0\0\0\0\0\0\0", 16);
  firn::store_le(framed.data() + 12, static_cast<uint32_t>(bytes));
  framed += input;
  char sum[8];
  firn::store_le(sum, firn::checksum64(framed));
  framed.append(sum, sizeof sum);
  check(framed);
  return 0;
}
