// Any bytes: a state or a failure, and one that ended cleanly says nothing of the past.
#include "base/check.h"
#include "migrate/journal.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto state = firn::migrate::read_journal(text, "boot");
  if (!state) return 0;
  CHECK(state->safe.nanoseconds <= 999'999'999);
  if (text.ends_with("\nend\n")) CHECK(!state->interrupted && !state->rebooted);
  return 0;
}
