// Settling: which files leave the local disk to make room.
#include <queue>

#include "io/reactor.h"
#include "vfs/eviction_score.h"
#include "vfs/settling.h"

namespace firn::vfs {

namespace {

constexpr size_t kPage = 512;
constexpr size_t kMaxCandidates = 1 << 16;  // of one walk over the inodes

}  // namespace

struct Settling::Candidate {
  double score = 0;
  InodeId inode;
  uint64_t bytes = 0;
  bool operator<(const Candidate& other) const { return score < other.score; }
};

double Settling::score_of(const meta::Attr& attr) const {
  const Timestamp now = parts_.clock.now();
  const AccessLevel level = accesses_.level_of(attr.inode, attr.content.access_level);
  return eviction_score({.used = std::max(attr.atime, attr.mtime), .accesses = count_of(level, now)}, now,
                        options_.eviction);
}

// One walk over the inodes finds them, the first to go last, and counts what is on the disk anew.
io::Task<std::vector<Settling::Candidate>> Settling::find_lowest(uint64_t bytes, const FileSet& refused,
                                                                 io::CancelToken* token) {
  std::priority_queue<Candidate> lowest;  // the highest score on top
  uint64_t gathered = 0, hot = 0;
  bool all = false;
  local_.begin_walk();
  for (InodeId after;;) {
    const auto page = co_await parts_.meta.list_inodes(after, kPage);
    all = page && !page->last;
    if (!page || all || token->cancelled()) break;
    after = page->last;
    local_.walked(after);
    for (const meta::Attr& attr : page->inodes) {
      const meta::Content& content = attr.content;
      if (!content.settled) continue;
      const uint64_t here = content.evicted ? local_.closed_part(content.backing) : attr.allocated_bytes;
      if (!content.evicted) hot += here;
      if (attr.policy.stays_hot() || (content.evicted && here == 0) || refused.contains(attr.inode)) continue;
      if (content.live || content.uploaded_generation != content.generation || content.generation == 0) continue;
      lowest.push({score_of(attr), attr.inode, here});
      gathered += here;
      while (!lowest.empty() && (lowest.size() > kMaxCandidates || gathered - lowest.top().bytes >= bytes)) {
        gathered -= lowest.top().bytes;
        lowest.pop();
      }
    }
    co_await io::yield();
  }
  if (all) local_.end_walk(hot);
  std::vector<Candidate> order;
  for (; !lowest.empty(); lowest.pop()) order.push_back(lowest.top());
  co_return order;
}

io::Task<bool> Settling::free_some(uint64_t bytes, io::CancelToken* token) {
  if (local_.lacks_parts()) co_await count_parts(token);
  FileSet refused;  // open, or the last copies of something, and so on
  uint64_t freed = 0, files = 0;
  // Where many are refused, twice as much is gathered each time, so that there are few walks.
  for (uint64_t wanted = bytes;; wanted = std::max(wanted, 2 * wanted)) {
    const size_t refused_before = refused.size();
    const std::vector<Candidate> order = co_await find_lowest(wanted, refused, token);
    for (size_t i = order.size(); i-- > 0 && freed < bytes && !token->cancelled();) {
      const Result<uint64_t> gone = co_await parts_.evict(order[i].inode);
      if (!gone) {
        refused.insert(order[i].inode);
        continue;
      }
      freed += *gone;
      ++files;
    }
    if (freed >= bytes || refused.size() == refused_before || token->cancelled()) break;
  }
  std::lock_guard lock(mutex_);
  told_.evicted_files += files;
  told_.evicted_bytes += freed;
  co_return files > 0;
}

}  // namespace firn::vfs
