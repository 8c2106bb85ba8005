#include "tier/upload_round.h"

#include <algorithm>
#include <utility>

#include "tier/upload_pass.h"

namespace firn::tier {

namespace {

constexpr size_t kPage = 256;  // records read at once

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

}  // namespace firn::tier
