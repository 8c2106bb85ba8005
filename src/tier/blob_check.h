// Whether an object is the blob that it should be: every byte of it is read and verified.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "io/blocking_pool.h"
#include "object/store.h"
#include "tier/blob/frame.h"
#include "tier/pace.h"

namespace firn::tier {

// What a store has is not what was put there. That it does not answer is another thing.
inline bool is_damage(Code code) {
  return code == Code::kCorrupt || code == Code::kNotFound || code == Code::kNotSupported;
}

struct CheckOptions {
  std::optional<Key> key;  // the volume's. Without it, sealed frames are only compared with their stored checksums
  int64_t get_ns = 60'000'000'000;  // deadline of one range
  Pace* pace = nullptr;             // may be null; outlives the check
  // Called for each sound frame; the chunk's checksum unless it is sealed and there is no key. May be empty.
  std::function<void(const IndexEntry&, std::optional<uint64_t> plain_checksum)> on_frame;
  // When there is one, it becomes the object's bytes: exactly those that were verified.
  std::string* keep = nullptr;
};

struct BlobFindings {
  struct Frame {
    FrameHeader header;
    Status what;
  };
  Status whole;               // the object is not there, or its header or index is wrong: frames were not looked at
  std::vector<Frame> frames;  // that are damaged
  uint64_t frames_checked = 0;
  uint64_t bytes = 0;  // that were read

  bool sound() const { return whole.ok() && frames.empty(); }
};

// Reads in ranges of a few MiB (or one frame). Fails only when the store does not answer, or `token` is cancelled.
io::Task<Result<BlobFindings>> check_object(object::ObjectStore& store, BlobId id, io::BlockingPool& pool,
                                            CheckOptions options, io::CancelToken* token);

}  // namespace firn::tier
