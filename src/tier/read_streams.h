// ReadStreams: who reads a file in order, each at a place of its own, and how far to look ahead of each. It is told by
// nothing but where reads begin and end (docs/decisions/0028).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace firn::tier {

// Invariants:
//  1. A read belongs to one stream: of those that it fits the one whose end is nearest, else a new one.
//  2. Streams that are in order and others are replaced apart, those first that were used longest ago: reads here and
//     there take no place from who reads in order.
//  3. What all active streams look ahead together, with the chunks that they are at, is no more than one alone would
//     have, but for a chunk ahead of each.
// Not thread-safe.
class ReadStreams {
 public:
  static constexpr size_t kMaxStreams = 8;  // in order, and as many others

  struct Options {
    uint64_t chunk_bytes = 4 << 20;
    uint64_t slack_bytes = 1 << 20;  // so far out of order the kernel asks for one reader
  };
  // Of the stream that a read belongs to.
  struct Advice {
    bool in_order = false;
    uint64_t window = 0;  // chunks to look ahead
  };

  explicit ReadStreams(Options options) : options_(options) {}

  // Takes note of a read; `most_chunks` is what all may look ahead together.
  Advice note(uint64_t offset, uint64_t end, uint64_t most_chunks);
  // How many are in order, and read lately; at least one.
  size_t active() const;
  // Whether some stream is likely to read some of these bytes, which it was looked ahead to: not those that all have
  // passed for sure.
  bool awaits(uint64_t offset, uint64_t end) const;

 private:
  struct Stream {
    uint64_t next = 0;       // where it goes on
    uint64_t ahead_end = 0;  // up to where it was looked ahead, at most
    unsigned streak = 0;     // reads in a row that went on where the one before ended
    uint64_t window = 0;     // chunks to look ahead; 0: not in order
    uint64_t last_read = 0;  // the number of its last read
    bool in_order() const { return window > 0; }
  };

  bool is_active(const Stream& stream) const;
  uint64_t slack_of(const Stream& stream, uint64_t read_bytes) const;
  // The end if there is none.
  std::vector<Stream>::iterator find(uint64_t offset, uint64_t end);
  void advance(Stream& stream, uint64_t offset, uint64_t end, bool goes_on) const;
  void add(const Stream& stream);

  const Options options_;
  uint64_t reads_ = 0;
  std::vector<Stream> streams_;  // what was used last comes last
};

}  // namespace firn::tier
