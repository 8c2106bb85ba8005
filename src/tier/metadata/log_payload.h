// The content of a log object: the batches of commits, in order.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/status.h"
#include "io/task.h"
#include "kv/kv.h"
#include "kv/shipping.h"

namespace firn::tier {

// What readers take. More than one commit can write, with what its encoding adds: keys of firn have at least nine
// bytes, and a write adds at most 8 (a total) and 11.
inline constexpr uint64_t kMaxLogBytes = 256 << 20;
static_assert(kMaxLogBytes >= (9 + 8 + 11) * uint64_t{kv::kMaxTransactionBytes} / 9);

// payload := (bytes:u32 batch)*, little-endian; a batch as in kv/shipping.h, one for each commit.
inline void append_commit(std::string& payload, std::string_view batch) {
  char bytes[sizeof(uint32_t)];
  store_le(bytes, static_cast<uint32_t>(batch.size()));
  payload.append(bytes, sizeof bytes).append(batch);
}

// The next batch of `payload`, taken off it, which must not be empty. kCorrupt: it is not whole.
inline Result<std::string_view> take_commit(std::string_view& payload) {
  if (payload.size() < sizeof(uint32_t)) return fail(Code::kCorrupt, "a log object is cut short");
  const auto bytes = load_le<uint32_t>(payload.data());
  payload.remove_prefix(sizeof(uint32_t));
  if (bytes > payload.size()) return fail(Code::kCorrupt, "a log object is cut short");
  const std::string_view batch = payload.substr(0, bytes);
  payload.remove_prefix(bytes);
  return batch;
}

// Commits every batch to `engine`, each in a transaction of its own. Nobody else may write to it. Applying a payload
// again, and all that followed it, changes nothing.
io::Task<Result<void>> apply_log(kv::Engine& engine, std::string payload);

}  // namespace firn::tier
