// UploadPass: which tiers lack something of a file, and what is done about it.
#include "tier/upload_pass.h"

namespace firn::tier {

io::Task<Result<UploadPass::Reach>> UploadPass::bring_to(size_t file, std::string name) {
  const BlobsUnderWay::Hold held(memory_.under_way, name);  // before it is looked up, as that has it
  meta::Blob blob = CO_TRY(co_await parts_.tiering.get_blob(name));
  uint32_t lacking = wanted_of(parts_.tiers, files_[file].skip) & ~(blob.tiers | blob.left);
  if (lacking == 0) co_return Reach::kAll;
  if (blob.dead_since) co_return Reach::kElsewhere;  // its objects go
  // Not the blob as it is: what else is in it may have to stay out of that tier.
  const bool may_go_there = (lacking & blob.skip) == 0;
  if (!may_go_there && (lacking & (late_ | ~out_of_reach_)) != 0) co_return Reach::kElsewhere;
  if ((lacking & ~out_of_reach_) != 0 && !uncopied_.contains(name)) {
    co_await in_flight_.acquire();  // it is one more blob in memory
    lacking &= ~co_await copy_blob(std::move(blob), lacking);
    in_flight_.release();
    if (lacking == 0) co_return Reach::kAll;
    uncopied_.insert(name);
  }
  if (may_go_there) leave_to_late(lacking, name);
  files_[file].lacking |= lacking;
  co_return (lacking & ~out_of_reach_) == 0 ? Reach::kAway : Reach::kLagging;
}

void UploadPass::note_reach(size_t file, Reach reach) {
  if (reach != Reach::kAway && reach != Reach::kLagging) return;
  files_[file].failed = true;
  files_[file].only_waits &= reach == Reach::kAway;
}

bool UploadPass::waits(InodeId inode, uint64_t generation) {
  const WaitingFiles::Waiting* const file = memory_.waiting.find(inode, generation);
  if (file == nullptr) return false;
  // Of those that are late, some may have by now what is theirs of this file.
  const uint32_t have_it = late_ & ~memory_.late.lacking(late_, file->late_mark);
  if ((file->tiers & (have_it | ~out_of_reach_)) != 0) return false;
  if ((file->tiers & late_) != 0) ++summary_.late;
  return true;
}

void UploadPass::give_up(size_t tier, Status failure) {
  const bool known = (out_of_reach_ >> tier & 1) != 0;
  out_of_reach_ |= uint32_t{1} << tier;
  given_up_[tier].cancel();
  if (known) return;
  note_failure(std::move(failure).with_context("tier " + parts_.tiers[tier].name));
}

void UploadPass::note_late(size_t tier) {
  late_ |= uint32_t{1} << tier;
  out_of_reach_ |= uint32_t{1} << tier;
  given_up_[tier].cancel();
}

void UploadPass::leave_to_late(uint32_t lacking, const std::string& blob) {
  if ((lacking & late_) != 0) memory_.late.note(lacking & late_, blob);
}

}  // namespace firn::tier
