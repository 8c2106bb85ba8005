// BlobPut: one blob on its way to several tiers, side by side: what one is late with keeps no other from it.
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "io/cancel.h"
#include "tier/tier.h"

namespace firn::tier {

// Puts it, and asks whether it is there: soon the local disk may have it no more, and that a store says that it has
// stored it is not enough. Both have `deadline_ns`, which is for what does not move (object::retrying()).
io::Task<Result<void>> put_surely(object::ObjectStore& store, std::string key, object::Content content,
                                  int64_t deadline_ns, io::CancelToken* token);

// For one put, on one reactor. What it refers to must outlive it.
class BlobPut {
 public:
  // A tier that moves is late so long after the first one has the blob, or `factor` times as long as that took, if this
  // is more.
  struct Patience {
    int64_t least_ns = 0;
    int factor = 1;
    bool is_elsewhere = false;  // another tier has it already
  };
  struct Failure {
    size_t tier = 0;
    Status why;
    bool late = false;  // it was ended for that
  };
  struct Options {
    int64_t put_ns = 0;                     // deadline of each tier's put, as put_surely() has it
    std::optional<Patience> patience = {};  // none: each may take as long as it moves
    io::CancelToken* token = nullptr;       // ends all; may be null
    std::array<io::CancelToken, kMaxTiers>* tokens_of_tiers = nullptr;  // each ends its tier's; may be null
    std::function<io::Task<Result<void>>(size_t tier)> before =
        {};                                                // a tier is sent anything: its failure. May be empty
    std::function<void()> on_first = {};                   // one has it, and others are to. May be empty
    std::function<void(Failure failure)> on_failure = {};  // May be empty
  };
  BlobPut(const Tiers& tiers, std::string key, object::Content content, Options options)
      : tiers_(tiers), key_(std::move(key)), content_(std::move(content)), options_(std::move(options)) {}

  // Which of these (positions) have it now, as bits. To be called once.
  io::Task<uint32_t> to(std::vector<size_t> wanted);

 private:
  io::Task<Result<void>> put_to_one(size_t tier);
  io::Task<Result<void>> send(size_t tier);
  io::Task<Result<void>> end_late();
  bool cancelled() const { return options_.token != nullptr && options_.token->cancelled(); }

  const Tiers& tiers_;
  const std::string key_;
  const object::Content content_;
  const Options options_;
  size_t wanted_ = 0, running_ = 0;
  int64_t began_ns_ = 0;
  uint32_t arrived_ = 0;
  io::CancelToken one_has_it_, all_ended_;  // tell those who wait for it
  io::CancelToken too_late_;                // ends those that run
};

}  // namespace firn::tier
