// What makes equal chunks be found: the hash of what they hold; and the frames that one pass of the uploader has made.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "meta/tiering.h"
#include "tier/blob/sealing.h"

namespace firn::tier {

// Smaller chunks are not looked for. An entry of the index takes 100 bytes in the metadata, on the local disk and in
// the bucket, for each chunk, and few chunks have a twin: below this it is more than 1 percent of what it may save.
inline constexpr uint64_t kMinSharedBytes = 8 << 10;

// Thread-safe.
class ContentHasher {
 public:
  // With the volume's key, the hashes tell nothing to whoever does not have it.
  explicit ContentHasher(const std::optional<Key>& volume_key);
  // meta::kContentHashBytes; empty: the chunk is too small. `skip`, the policy of the file that the chunk is of, is
  // hashed with it, so that files of different policies share nothing. Milliseconds for large chunks: off the reactor.
  std::string hash(std::string_view plain, uint32_t skip) const;

 private:
  std::optional<Key> key_;
};

// Frames that a pass has made, by the hash of their content: the metadata knows of them only later. Not thread-safe.
class FramesOfPass {
 public:
  // The oldest ones are forgotten beyond these, about 400 bytes each.
  static constexpr size_t kMaxFrames = 1 << 16;

  // `frame`: with its origin.
  void add(const std::string& hash, meta::Chunk frame);
  std::optional<meta::Chunk> find(const std::string& hash) const;
  // No tier has the blob.
  void forget_blob(std::string_view name);

 private:
  std::unordered_map<std::string, meta::Chunk> frames_;
  std::deque<std::string> order_;  // as they were added
};

}  // namespace firn::tier
