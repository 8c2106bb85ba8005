// UploadRound: one walk over all files that wait for upload, in as many passes as it takes. What has waited longest
// goes first; what a pass could not do comes again in the next round, and keeps nobody behind it waiting.
#pragma once

#include <tuple>
#include <vector>

#include "base/status.h"
#include "meta/tiering.h"

namespace firn::tier {

struct UploadRound {
  using Place = std::tuple<Timestamp, InodeId>;
  static Place place_of(const meta::Pending& file) { return {file.since, file.inode}; }

  Place done;                 // files up to here have had their turn
  uint32_t out_of_reach = 0;  // tiers that did not answer: not asked again in this round
  Status first_failure;
  bool only_refused = false;
  bool unfinished = false;  // some files are to go on in the next round
  int64_t asked_ns = 0;     // since when (monotonic) it is known of these tiers; 0: from now on
};

// The `most` files that come next in a round, out of all that are pending; holds no more than these.
class NextInRound {
 public:
  NextInRound(const UploadRound& round, size_t most) : after_(round.done), most_(most) {}

  void add(const meta::Pending& file);
  // Some come later than those that it holds.
  bool more() const { return more_; }
  // In the order of waiting.
  std::vector<meta::Pending> take();

 private:
  const UploadRound::Place after_;
  const size_t most_;
  bool more_ = false;
  std::vector<meta::Pending> heap_;  // the latest on top
};

}  // namespace firn::tier
