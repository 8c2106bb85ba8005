// UploadPass: files that take more than one pass, so that others need not wait for their ends.
#include <algorithm>

#include "tier/upload_pass.h"

namespace firn::tier {

namespace {

// At once; others are uploaded by the pass that begins them.
constexpr size_t kMostBegun = 64;
constexpr size_t kMostReplacing = 4;  // of these: what was sent of such a file is held in memory

bool is_same_upload(const UploadFile& former, const UploadFile& now) {
  if (former.at_rest != now.at_rest || former.skip != now.skip || former.replaces != now.replaces ||
      former.recorded_bytes != now.recorded_bytes)
    return false;
  // What is taken as it is, is of the generation that it had first, whatever it is by now.
  return !now.at_rest || (former.generation == now.generation && former.bytes == now.bytes);
}

bool is_pending(const meta::Attr& attr) {
  const bool uploaded = !attr.content.live && attr.content.uploaded_generation == attr.content.generation;
  return attr.nlink > 0 && !uploaded && !attr.policy.skips_every_tier();
}

}  // namespace

bool UploadPass::goes_on_live(InodeId inode) const {
  const auto begun = memory_.begun.find(inode);
  return begun != memory_.begun.end() && !begun->second.at_rest;
}

void UploadPass::go_on(File& file) {
  file.turn.end = file.chunk_count;
  if (beside_) return;
  if (auto begun = memory_.begun.extract(file.inode)) {
    File& former = begun.mapped();
    if (is_same_upload(former, file)) {
      file = std::move(former);
      file.outstanding = 1;
      file.read = false;
    } else if (former.at_rest && former.generation != file.generation) {
      note_outdated(former);
    }
  }
  const uint64_t left = file.chunk_count - file.turn.begin;
  const bool is_last = left <= options_.chunks_per_turn || !may_leave_another(file.replaces);
  file.turn.end = is_last ? file.chunk_count : file.turn.begin + options_.chunks_per_turn;
  turns_ += is_last ? 0 : 1;
  replacing_turns_ += !is_last && file.replaces ? 1 : 0;
}

bool UploadPass::may_leave_another(bool replacing) const {
  const auto replaced = std::ranges::count_if(memory_.begun, [](const auto& one) { return one.second.replaces; });
  return memory_.begun.size() + turns_ < kMostBegun &&
         (!replacing || static_cast<size_t>(replaced) + replacing_turns_ < kMostReplacing);
}

void UploadPass::end_turn(File& file) {
  const bool arrived = file.read && (!file.failed || file.only_waits);
  if (arrived) {
    ++summary_.unfinished;
    file.turn = {.begin = file.turn.end,
                 .end = 0,
                 .records = file.records.chunks.size(),
                 .replaced_chunks = file.replaced_chunks,
                 .lacking = file.lacking};
  } else {
    ++summary_.failed;
    if (file.turn.begin == 0) return;  // there is nothing that it could go on from
    file.records.keep_first(file.turn.records);
    file.replaced_chunks = file.turn.replaced_chunks;
    file.lacking = file.turn.lacking;
    file.failed = file.lacking != 0;
    file.only_waits = true;
  }
  memory_.begun.insert_or_assign(file.inode, std::move(file));
}

io::Task<void> UploadPass::forget_ended() {
  std::vector<InodeId> ended;
  for (const auto& [inode, file] : memory_.begun) {
    const Result<meta::Attr> attr = co_await parts_.meta.getattr(inode);
    if (attr ? !is_pending(*attr) : attr.error() == Code::kStale) ended.push_back(inode);
  }
  for (const InodeId inode : ended) memory_.begun.erase(inode);
}

}  // namespace firn::tier
