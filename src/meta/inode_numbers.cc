#include "meta/inode_numbers.h"

#include "meta/keys.h"

namespace firn::meta {

InodeId InodeNumbers::take() {
  std::lock_guard lock(block_mutex_);
  return next_ == end_ ? InodeId() : InodeId(next_++);
}

io::Task<Result<uint64_t>> InodeNumbers::reserve(kv::Transaction& transaction) {
  const Key key = counter_key(kNextInodeCounter);
  const auto stored = CO_TRY(co_await transaction.get(key));
  if (!stored) co_return fail(Code::kCorrupt, "the counter of inode numbers is missing");
  const uint64_t first = CO_TRY(decode_counter(*stored));
  if (first <= kRootInode.value) co_return fail(Code::kCorrupt, "the counter of inode numbers is out of range");
  transaction.put(key, encode_counter(first + kInodeBlock));
  co_return first;
}

io::Task<Result<InodeId>> InodeNumbers::next() {
  if (const InodeId id = take()) co_return id;
  auto refill = co_await refill_mutex_.lock();
  if (const InodeId id = take()) co_return id;
  const uint64_t first =
      CO_TRY(co_await kv::transact<uint64_t>(engine_, [this](kv::Transaction& t) { return reserve(t); }));
  std::lock_guard lock(block_mutex_);
  next_ = first;
  end_ = first + kInodeBlock;
  co_return InodeId(next_++);
}

}  // namespace firn::meta
