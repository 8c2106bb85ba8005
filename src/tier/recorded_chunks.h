#pragma once

#include <vector>

#include "meta/tiering.h"

namespace firn::tier {

// The recorded chunks of one file, in order, a page at a time.
class RecordedChunks {
 public:
  RecordedChunks(meta::Tiering& tiering, InodeId inode) : tiering_(tiering), inode_(inode) {}

  // To be asked for ascending indices. Null: none is recorded. Valid until the next call.
  io::Task<Result<const meta::Chunk*>> find(ChunkIndex index) {
    while (at_ < page_.size() && page_[at_].index < index) ++at_;
    if (at_ == page_.size() && !ended_) {
      page_ = CO_TRY(co_await tiering_.list_chunks(inode_, index, kPage));
      ended_ = page_.size() < kPage;
      at_ = 0;
    }
    co_return at_ < page_.size() && page_[at_].index == index ? &page_[at_] : nullptr;
  }

 private:
  static constexpr size_t kPage = 256;  // records read at once

  meta::Tiering& tiering_;
  const InodeId inode_;
  std::vector<meta::Chunk> page_;
  size_t at_ = 0;
  bool ended_ = false;
};

}  // namespace firn::tier
