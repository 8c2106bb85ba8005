#include "tier/upload_round.h"

#include <algorithm>
#include <utility>

#include "tier/upload_pass.h"

namespace firn::tier {

namespace {

constexpr size_t kPage = 256;  // records read at once
// Tiers that did not answer are asked again, while there is always more to upload.
constexpr int64_t kAskAgainNs = 60'000'000'000;

}  // namespace

void NextInRound::add(const meta::Pending& file) {
  if (UploadRound::place_of(file) <= after_) return;
  heap_.push_back(file);
  std::ranges::push_heap(heap_, {}, UploadRound::place_of);
  if (heap_.size() <= most_) return;
  std::ranges::pop_heap(heap_, {}, UploadRound::place_of);
  heap_.pop_back();
  more_ = true;
}

std::vector<meta::Pending> NextInRound::take() {
  std::ranges::sort_heap(heap_, {}, UploadRound::place_of);
  return std::exchange(heap_, {});
}

// What has waited longest first, with its directory, and with the other files of its policy: they share blobs.
io::Task<Result<std::vector<InodeId>>> UploadPass::list() {
  NextInRound next(memory_.round, options_.files_per_pass);
  for (InodeId after;;) {
    const std::vector<meta::Pending> page = CO_TRY(co_await parts_.tiering.list_pending(after, kPage));
    for (const meta::Pending& one : page)
      if (limits_.allow(one)) next.add(one);
    if (page.size() < kPage) break;
    after = page.back().inode;
  }
  summary_.more = next.more();
  std::vector<meta::Pending> all = next.take();
  if (!all.empty()) last_ = UploadRound::place_of(all.back());
  memory_.order.sort(all);
  std::vector<std::pair<uint32_t, std::vector<InodeId>>> by_policy;  // a handful
  for (const meta::Pending& one : all) {
    const Result<meta::Attr> attr = co_await parts_.meta.getattr(one.inode);
    const uint32_t skip = attr ? attr->policy.skip : 0;
    auto same = std::ranges::find(by_policy, skip, &std::pair<uint32_t, std::vector<InodeId>>::first);
    if (same == by_policy.end()) same = by_policy.insert(same, {skip, {}});
    same->second.push_back(one.inode);
  }
  std::vector<InodeId> inodes;
  for (const auto& [skip, files] : by_policy) inodes.insert(inodes.end(), files.begin(), files.end());
  co_return inodes;
}

io::Task<void> UploadPass::end_pass() {
  const UploadRound former = std::exchange(memory_.round, {});
  const bool unfinished = former.unfinished || summary_.unfinished > 0;
  if (cancelled() || nobody_answers()) {
    summary_.more = false;
    co_return;
  }
  if (!summary_.more) co_await forget_ended();
  summary_.again = !summary_.more && unfinished;
  const int64_t now = io::Reactor::current()->clock().monotonic_ns();
  const int64_t asked_ns = former.asked_ns != 0 ? former.asked_ns : now;
  if (summary_.again && now - asked_ns >= kAskAgainNs) co_return;
  if (summary_.more || summary_.again)
    memory_.round = {.done = summary_.more ? last_ : UploadRound::Place(),
                     .out_of_reach = out_of_reach_ & ~late_,
                     .first_failure = summary_.first_failure,
                     .only_refused = summary_.only_refused,
                     .unfinished = summary_.more && unfinished,
                     .asked_ns = asked_ns};
}

}  // namespace firn::tier
