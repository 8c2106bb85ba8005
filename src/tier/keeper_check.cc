#include "tier/keeper_check.h"

#include <algorithm>

#include "tier/blob/blob_id.h"
#include "tier/metadata/concurrently.h"

namespace firn::tier {

io::Task<Result<std::vector<bool>>> KeeperCheck::ask(std::vector<KeptBlob> blobs) {
  struct Question {
    size_t blob;
    size_t tier;
    bool there = false;
  };
  std::vector<Question> questions;
  for (size_t blob = 0; blob < blobs.size(); ++blob)
    for (size_t tier = 0; tier < tiers_.size(); ++tier)
      if ((blobs[blob].keepers >> tier & 1) != 0) questions.push_back({blob, tier});
  CO_TRY(co_await concurrently(questions.size(), options_.heads_in_flight, [&](size_t i) {
    Question& one = questions[i];
    return ask_one(blobs[one.blob], one.tier, one.there);
  }));
  std::vector<bool> all_there(blobs.size(), true);
  for (const Question& one : questions)
    if (!one.there || (failed_ >> one.tier & 1) != 0) all_there[one.blob] = false;
  co_return all_there;
}

io::Task<Result<void>> KeeperCheck::ask_one(const KeptBlob& blob, size_t tier, bool& there) {
  if ((failed_ >> tier & 1) != 0 || (token_ != nullptr && token_->cancelled())) co_return Result<void>();
  const auto found =
      co_await tiers_[tier].store.head(key_of(blob_id_of_name(blob.name)), io::within(options_.head_ns, token_));
  there = found && found->bytes == blob.bytes;
  if (there || (token_ != nullptr && token_->cancelled())) co_return Result<void>();
  if (!found && found.error() != Code::kNotFound) {
    fail_keeper(tier, found.error());
    co_return Result<void>();
  }
  co_return co_await report_damage(blob, tier,
                                   found
                                       ? Status(Code::kCorrupt, "it has " + std::to_string(found->bytes) +
                                                                    " bytes in place of " + std::to_string(blob.bytes))
                                       : Status(found.error()));
}

io::Task<Result<void>> KeeperCheck::report_damage(const KeptBlob& blob, size_t tier, Status what) {
  // The collector may have come in between, or the tier have made room.
  const Result<meta::Blob> now = co_await tiering_.get_blob(blob.name);
  if (!now && now.error() != Code::kNotFound) co_return fail(now.error());
  if (!now || now->dead_since || (now->tiers >> tier & 1) == 0) co_return Result<void>();
  if (options_.on_damage) options_.on_damage({tiers_[tier].name, InodeId(), {.blob = blob.name}, std::move(what)});
  if (++lacking_[tier] >= options_.max_lacking)
    fail_keeper(tier, Status(Code::kIo, "it lacks " + std::to_string(lacking_[tier]) +
                                            " objects that were put there, or has them with another size"));
  co_return Result<void>();
}

void KeeperCheck::fail_keeper(size_t tier, Status what) {
  failed_ |= uint32_t{1} << tier;
  if (first_failure_.ok()) first_failure_ = std::move(what).with_context("tier " + tiers_[tier].name);
}

}  // namespace firn::tier
