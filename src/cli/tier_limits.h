// How much each colder tier may hold, and the passes that keep it so.
#pragma once

#include <cstdint>
#include <mutex>
#include <vector>

#include "cli/stores.h"
#include "cli/tier_bounds.h"
#include "tier/tier_evictor.h"

namespace firn::cli {

// Thread-safe, but for one pass at a time. What it is given must outlive it.
class TierLimits {
 public:
  // `on_damage`: what tiers turn out not to have when another is about to rely on them.
  TierLimits(const Stores& stores, tier::TierEvictor::Parts parts, std::vector<TierBounds> bounds,
             tier::OnDamage on_damage);

  // Whether a pass may find something to do: a tier that has a limit was given something since the last one, or one
  // says that it is full.
  bool due() const;
  // As TierEvictor::pass.
  io::Task<Result<void>> pass(io::CancelToken* token);

  struct Report {
    TierBounds bounds;
    bool known = false;  // whether there was a pass, and what follows says something
    uint64_t held_bytes = 0;
    uint64_t evicted_bytes = 0;  // since the process began
  };
  // By tier.
  std::vector<Report> report() const;
  // Of the last pass; ok: every tier is as it should be.
  Status last_failure() const;

 private:
  std::vector<tier::TierRoom> rooms() const;
  std::vector<uint64_t> put_bytes() const;
  std::vector<uint64_t> full_puts() const;

  const Stores& stores_;
  const std::vector<TierBounds> bounds_;
  tier::TierEvictor evictor_;
  mutable std::mutex mutex_;  // guards what follows
  std::vector<Report> reports_;
  std::vector<uint64_t> full_puts_;       // by tier, of Health::Report, when room was last made
  std::vector<uint64_t> seen_put_bytes_;  // when the last pass began; empty: there was none, or it failed
  Status last_failure_;
};

}  // namespace firn::cli
