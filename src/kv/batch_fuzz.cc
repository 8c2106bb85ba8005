// Whatever is found in place of a batch: writes within the limits, and the same writes once encoded again.
#include <cstdint>
#include <string>

#include "base/check.h"
#include "kv/shipping.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t bytes) {
  using namespace firn::kv;
  const std::string_view input(reinterpret_cast<const char*>(data), bytes);
  std::string again;
  const firn::Status read = for_each_write(
      input,
      [&](std::string_view key, std::string_view value) {
        CHECK(key.size() <= kMaxKeyBytes && value.size() <= kMaxValueBytes);
        append_put(again, key, value);
      },
      [&](std::string_view key) { append_erase(again, key); });
  // A length may have been written longer than it need be.
  CHECK(again.size() <= bytes);
  std::string third;
  CHECK(for_each_write(
            again, [&](std::string_view key, std::string_view value) { append_put(third, key, value); },
            [&](std::string_view key) { append_erase(third, key); })
            .ok());
  CHECK(third == again);
  (void)read.ok();
  return 0;
}
