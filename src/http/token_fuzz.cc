// Any bytes as the file of tokens, and as what stands in Authorization: never a crash, and what is read is written the
// same.
#include <cstdlib>
#include <string_view>

#include "base/check.h"
#include "http/token.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)firn::http::bearer_secret(text);
  const auto tokens = firn::http::parse_tokens(text);
  if (!tokens) return 0;
  const std::string once = firn::http::render_tokens(*tokens);
  const auto again = firn::http::parse_tokens(once);
  CHECK(again && firn::http::render_tokens(*again) == once);
  return 0;
}
