// Pins: what readers of a volume that somebody else writes still need, as they say in the bucket.
//
// A pin says: whoever put it has applied the log before `next_log`. What an earlier state of the metadata refers to,
// and the newest one does not, it may still be about to fetch. So objects go only when every reader has applied what
// says that nothing refers to them.
//
//  1. Pins are a dense sequence from the root's first_pin on: the writer finds them all without listing.
//  2. A reader puts its pin before it looks at root and log. A writer that does not find it has looked before that, and
//     what it removes then the reader will not hear of: the log said so already.
//  3. A pin that stays the same for kPinLifeNs by the writer's clock is a dead reader's. A reader that could not put it
//     again for somewhat less makes another one.
#pragma once

#include <map>
#include <vector>

#include "tier/metadata/bucket.h"
#include "tier/metadata/log_writer.h"

namespace firn::tier {

inline constexpr int64_t kPinLifeNs = 300'000'000'000;
inline constexpr int64_t kPinRenewNs = 60'000'000'000;

struct Pin {
  uint64_t next_log = 0;  // 0: it has applied nothing yet, and needs whatever there is
  int64_t seconds = 0;    // wall time of the reader
  bool ended = false;     // it needs nothing any more
  friend bool operator==(const Pin&, const Pin&) = default;
};
std::string encode_pin(const Pin& pin);
// kCorrupt: what no firn wrote.
Result<Pin> decode_pin(std::string_view bytes);

// The pin of one reader. One call at a time.
class ReaderPin {
 public:
  explicit ReaderPin(Bucket bucket) : bucket_(std::move(bucket)), reader_(random_bytes16(bucket_.random)) {}

  // Before the reader looks at anything. Again when the former pin is too old to count.
  io::Task<Result<void>> claim(io::CancelToken* token);
  // Puts it again, if it is time: `next_log` is where the reader is. What is under way now may still need what was
  // there at the last call, so that is what it says.
  io::Task<Result<void>> renew(uint64_t next_log, io::CancelToken* token);
  io::Task<void> end();

 private:
  io::Task<Result<bool>> claim_at(uint64_t number, io::CancelToken* token);
  Envelope header(uint64_t number) const;
  object::Content content(const Envelope& envelope, bool ended) const;

  const Bucket bucket_;
  const Bytes16 reader_;
  uint64_t number_ = 0;         // 0: there is none
  uint64_t said_log_ = 0;       // what the pin says,
  uint64_t next_said_log_ = 0;  // and what it will
  int64_t put_ns_ = 0;          // when it was last put, by Clock::elapsed_ns()
};

// The writer's look at them. One call at a time, on the log's reactor; counts() from anywhere.
class ReaderPins {
 public:
  // What it refers to must outlive it.
  ReaderPins(Bucket bucket, LogWriter& log) : bucket_(std::move(bucket)), log_(log) {}

  // `first`: of the root that the writer began with. Once, when the log is the writer's.
  void start(uint64_t first);

  // One GET for each reader, and one more. Up to which place in the log every reader has applied it; ~0: there is none.
  io::Task<Result<uint64_t>> look(io::CancelToken* token);
  // All that was committed before now is in the log: of what became needless until the time that this returns, no
  // reader needs anything.
  io::Task<Result<Timestamp>> removable_until(io::CancelToken* token);

  // Those before it count no more. After look().
  uint64_t first() const { return first_; }
  size_t live() const { return live_.load(std::memory_order_relaxed); }  // as of the last look

 private:
  struct Seen {
    Bytes16 nonce{};
    int64_t since_ns = 0;  // when this nonce was first seen, by Clock::elapsed_ns()
    Pin pin;
  };
  // Everything committed at or before `time` is in the log before `place`.
  struct Mark {
    Timestamp time;
    uint64_t place = 0;
  };
  static constexpr size_t kMaxMarks = 1024;

  bool is_dead(const Seen& seen) const;
  void mark();

  const Bucket bucket_;
  LogWriter& log_;
  uint64_t first_ = 1;
  std::map<uint64_t, Seen> seen_;
  std::vector<Mark> marks_;
  std::atomic<size_t> live_ = 0;
};

}  // namespace firn::tier
