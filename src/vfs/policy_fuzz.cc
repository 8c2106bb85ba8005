// Any text is a policy or is refused; what is one says itself.
#include "base/check.h"
#include "vfs/policy.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace firn;  // NOLINT
  static const std::vector<std::string> tiers = {"nas", "s3", "b"};
  const auto change = vfs::parse_policy(std::string_view(reinterpret_cast<const char*>(data), size), tiers);
  CHECK(change || change.error().code() == Code::kInvalid);
  if (!change) return 0;
  const meta::PolicyChange whole = vfs::whole_policy(*change);
  const std::string text = vfs::policy_text({.skip = *whole.skip, .pinned = *whole.pinned}, tiers);
  const auto again = vfs::parse_policy(text, tiers);
  CHECK(again && again->skip.value_or(0) == *whole.skip && again->pinned.value_or(false) == *whole.pinned);
  return 0;
}
