// KeeperCheck: whether tiers have what is about to leave another for their sake. That they had it once, the records
// say; a store may have lost it since, or never have kept what it said that it had stored.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "io/cancel.h"
#include "meta/tiering.h"
#include "tier/hydrator.h"
#include "tier/tier.h"

namespace firn::tier {

struct KeeperCheckOptions {
  size_t heads_in_flight = 16;
  int64_t head_ns = 20'000'000'000;  // deadline of one, attempts included
  // One that lacks so many blobs is not believed about the others: repairs come first, which go on with as many.
  size_t max_lacking = 64;
  OnDamage on_damage;  // met there; may be empty
};

// A blob, and the tiers (bits) that are to have it.
struct KeptBlob {
  std::string name;
  uint64_t bytes = 0;
  uint32_t keepers = 0;
};

// Of one pass. What it refers to must outlive it.
class KeeperCheck {
 public:
  KeeperCheck(meta::Tiering& tiering, const Tiers& tiers, KeeperCheckOptions options, io::CancelToken* token)
      : tiering_(tiering), tiers_(tiers), options_(std::move(options)), token_(token) {}

  // For each blob whether every keeper has an object of its size: one HEAD for each of them, side by side. False, too,
  // after a keeper failed, or `token` was cancelled. Fails only when the metadata cannot be read.
  io::Task<Result<std::vector<bool>>> ask(std::vector<KeptBlob> blobs);

  // Keepers that did not answer, or lack too much: they are asked no more.
  uint32_t failed() const { return failed_; }
  const Status& first_failure() const { return first_failure_; }

 private:
  io::Task<Result<void>> ask_one(const KeptBlob& blob, size_t tier, bool& there);
  io::Task<Result<void>> report_damage(const KeptBlob& blob, size_t tier, Status what);
  void fail_keeper(size_t tier, Status what);

  meta::Tiering& tiering_;
  const Tiers& tiers_;
  const KeeperCheckOptions options_;
  io::CancelToken* const token_;
  uint32_t failed_ = 0;
  Status first_failure_;
  std::array<size_t, kMaxTiers> lacking_{};
};

}  // namespace firn::tier
