// Removes what no root needs that anybody may still read.
//
// Why a writer cannot harm its successors: it removes only what its own newest root says may go, and only after it has
// put that root and then found, with a request of its own, the log not fenced. Then the root is part of the one chain
// (takeover.h, invariant 3), whoever takes over afterwards begins with its content, and takes over from it only tables
// that it names: what it does not need, no later root will. A writer that sleeps before that request finds the fence,
// which is never removed while it could wake; one that sleeps after it removes what nobody needs, however late.
#pragma once

#include <cstdint>

#include "tier/metadata/bucket.h"
#include "tier/metadata/log_writer.h"
#include "tier/metadata/pin.h"

namespace firn::tier {

struct RetentionOptions {
  // Besides the newest so many roots are kept, and those that were replaced less than `grace_ns` ago: readers follow
  // them. At least 1.
  size_t keep_roots = 2;
  int64_t grace_ns = 3'600'000'000'000;
  // How long a writer may sleep and still find that it was fenced.
  int64_t fence_ns = 90 * 24 * 3'600'000'000'000;
  size_t removals_per_pass = 4096;
  size_t requests_in_flight = 8;
};

// What may go at `now_seconds`, by `root` (whose number is `number`): the roots that are no longer kept are struck off.
struct Removable {
  uint64_t log_end = 0;   // log objects before it
  uint64_t root_end = 0;  // what roots before it alone need
};
// Readers have applied the log before `applied`, and those who have not begun (0) need all that there is.
Removable strike_old_roots(Root& root, uint64_t number, const RetentionOptions& options, int64_t now_seconds,
                           uint64_t applied);

// One pass at a time.
class MetadataCollector {
 public:
  // `fence`: the place of this writer's fence. What it refers to must outlive it.
  MetadataCollector(Bucket bucket, LogWriter& log, ReaderPins& pins, uint64_t fence, RetentionOptions options)
      : bucket_(std::move(bucket)), log_(log), pins_(pins), fence_(fence), options_(options) {}

  // Removes what may go and strikes it off `root`'s lists, which must be this writer's newest. Returns how many
  // objects. What fails stays for the next pass.
  io::Task<Result<uint64_t>> pass(FoundRoot& root, io::CancelToken* token);

 private:
  io::Task<Result<void>> remove_logs(Root& root, uint64_t end, io::CancelToken* token);
  io::Task<Result<void>> remove_log(Root& root, uint64_t place, io::CancelToken* token);
  io::Task<Result<void>> remove_tables(Root& root, uint64_t root_end, io::CancelToken* token);
  io::Task<Result<void>> remove_pins(FoundRoot& root, io::CancelToken* token);
  io::Task<Result<void>> remove_roots(FoundRoot& root, io::CancelToken* token);
  io::Task<Result<void>> remove_fences(Root& root, int64_t now_seconds, io::CancelToken* token);
  io::Task<Result<void>> sweep(Root& root, int64_t now_seconds, io::CancelToken* token);
  io::Task<Result<void>> remove(std::string name, io::CancelToken* token);
  size_t left() const { return options_.removals_per_pass - std::min(removed_, options_.removals_per_pass); }

  const Bucket bucket_;
  LogWriter& log_;
  ReaderPins& pins_;
  const uint64_t fence_;
  const RetentionOptions options_;
  size_t removed_ = 0;      // in this pass
  uint64_t seen_root_ = 0;  // the newest one of the last pass,
  uint64_t pins_end_ = 1;   // and its first_pin as it was put
};

}  // namespace firn::tier
