#include "meta/usage.h"

namespace firn::meta {

UsageShare share_of(const Attr& attr) {
  const auto bytes = static_cast<int64_t>(attr.allocated_bytes);
  const bool settled = attr.type == FileType::kRegular && attr.content.settled;
  const int64_t pinned = settled && attr.policy.pinned, local = settled && attr.policy.skips_every_tier();
  return {1, bytes, pinned, pinned * bytes, local, local * bytes};
}

}  // namespace firn::meta
