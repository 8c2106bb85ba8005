// Whatever is found in place of a metadata object: an answer, and never more than the limits say.
#include <cstdint>

#include "base/check.h"
#include "tier/metadata/envelope.h"
#include "tier/metadata/log_payload.h"
#include "tier/metadata/root.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t bytes) {
  using namespace firn::tier;
  const std::string_view input(reinterpret_cast<const char*>(data), bytes);
  (void)decode_envelope(input);
  constexpr uint64_t kMaxPlain = 4 << 20;
  for (const auto type :
       {ObjectType::kVolume, ObjectType::kRoot, ObjectType::kLog, ObjectType::kTable, ObjectType::kPin}) {
    const auto opened = open_object(input, {.type = type, .number = 7, .max_plain_bytes = kMaxPlain}, "name", {});
    if (opened) CHECK(opened->plain.size() <= kMaxPlain);
    // In two parts it is the same.
    ObjectReader reader({.type = type, .number = 7, .max_plain_bytes = kMaxPlain}, "name", std::nullopt);
    auto first = reader.feed(input.substr(0, bytes / 2));
    auto second = first ? reader.feed(input.substr(bytes / 2)) : first;
    CHECK(opened.has_value() == (first && second && reader.finish().ok()));
    if (opened) CHECK(*first + *second == opened->plain);
  }
  if (const auto root = decode_root(input)) CHECK(decode_root(encode_root(*root)) == *root);
  for (std::string_view rest = input; !rest.empty();)
    if (!take_commit(rest)) break;
  return 0;
}
