// ColdFile: one fetch, from the record to the local disk.
#include <algorithm>
#include <cstring>

#include "base/checksum.h"
#include "base/failpoint.h"
#include "io/reactor.h"
#include "tier/cold_file.h"

namespace firn::tier {

namespace {

constexpr size_t kDirectWritesAtOnce = 4;  // more: the disk does not keep up, and the page cache takes a burst

}  // namespace

// What the backing holds may be a chunk from an earlier reading, or what a crash left of one: its checksum tells. Of a
// part there is none to compare with.
io::Task<void> ColdFile::look(const meta::Chunk& record) {
  const uint64_t chunk = record.index.value, offset = chunk * options_.chunk_bytes, end = offset + record.bytes;
  io::File& file = backing_->file();
  const Result<uint64_t> data = co_await file.seek(io::Seek::kData, offset);
  if (!data || *data >= end) {
    // Nor is there anything in those up to where data begins.
    const bool none = !data && data.error().code() == Code::kNoDevice;
    const uint64_t next = data ? *data / options_.chunk_bytes : none ? chunk_count_ : chunk + 1;
    std::lock_guard lock(mutex_);
    for (uint64_t one = chunk; one < std::min(next, chunk_count_); ++one) known_[one] = true;
    co_return;
  }
  const Result<uint64_t> hole = co_await file.seek(io::Seek::kHole, *data);
  bool whole = *data == offset && hole && *hole >= end;
  if (whole) {
    std::string bytes(record.bytes, '\0');
    const Result<size_t> got = co_await file.read(offset, std::as_writable_bytes(std::span(bytes)));
    whole = got && *got == bytes.size() && checksum64(bytes) == record.checksum;
  }
  std::lock_guard lock(mutex_);
  known_[chunk] = true;
  if (whole) here_.add(first_of(chunk), end_of(chunk));
}

io::Task<bool> ColdFile::are_left(const meta::Chunk& record, const Fetch& fetch) {
  const uint64_t chunk = record.index.value;
  std::shared_ptr<io::Event> looking;
  bool mine = false;
  {
    std::lock_guard lock(mutex_);
    if (known_[chunk]) co_return here_.has_all(fetch.first, fetch.end);
    std::shared_ptr<io::Event>& slot = looks_[chunk];
    mine = slot == nullptr;
    if (mine) slot = std::make_shared<io::Event>();
    looking = slot;
  }
  if (mine) {
    co_await look(record);
    std::unique_lock lock(mutex_);
    looks_.erase(chunk);
    lock.unlock();
    looking->set();
  } else {
    co_await looking->wait();
  }
  std::lock_guard lock(mutex_);
  co_return here_.has_all(fetch.first, fetch.end);
}

io::Task<Result<std::optional<ChunkPart>>> ColdFile::fetch_base(const Fetch& fetch) {
  const Journal& journal = options_.journal;
  const uint64_t chunk = fetch.first / blocks_per_chunk_, begin = chunk * options_.chunk_bytes;
  const uint64_t wanted = offset_of(end_of(chunk)) - begin;
  meta::Chunk record = CO_TRY(co_await hydrator_.record_of(inode_, ChunkIndex(chunk)));
  const Result<uint64_t> base = journal.base_bytes(begin, wanted, record.bytes);
  if (!base)
    co_return fail(Code::kCorrupt, "the record of chunk " + std::to_string(chunk) + " of inode " +
                                       std::to_string(inode_.value) + ": " + base.error().message());
  if (!journal.touches(begin, wanted) && co_await are_left(record, fetch)) co_return std::nullopt;
  const uint64_t from = offset_of(fetch.first) - begin, until = std::min(offset_of(fetch.end) - begin, *base);
  if (from >= until) co_return ChunkPart{.offset = from};
  co_return CO_TRY(
      co_await hydrator_.fetch_range(inode_, std::move(record), {.offset = from, .bytes = until - from}, &stopping_));
}

ColdFile::Bytes ColdFile::take_along(Fetch& fetch, ChunkPart part) {
  const uint64_t chunk = fetch.first / blocks_per_chunk_, begin = chunk * options_.chunk_bytes;
  const uint64_t first = begin + part.offset, end = first + part.bytes.size();
  const bool whole_blocks = first % block_bytes_ == 0 && (end % block_bytes_ == 0 || end == bytes_);
  if (whole_blocks && options_.journal.empty()) {
    std::lock_guard lock(mutex_);
    fetch.first = first / block_bytes_;
    fetch.end = (end + block_bytes_ - 1) / block_bytes_;
    return std::make_shared<const io::PageBytes>(std::move(part.bytes));
  }
  const uint64_t wanted = offset_of(fetch.first), until = std::min(offset_of(fetch.end), end);
  if (wanted == first && until == end) return std::make_shared<const io::PageBytes>(std::move(part.bytes));
  return std::make_shared<const io::PageBytes>(part.bytes.view().substr(wanted - first, until - wanted));
}

io::Task<Result<ColdFile::Bytes>> ColdFile::do_fetch(Fetch& fetch) {
  const Journal& journal = options_.journal;
  const uint64_t offset = offset_of(fetch.first), count = offset_of(fetch.end) - offset;
  Bytes bytes = std::make_shared<const io::PageBytes>();
  if (!journal.covers(offset, count)) {
    std::optional<ChunkPart> part = CO_TRY(co_await fetch_base(fetch));
    if (!part) co_return Bytes();
    bytes = take_along(fetch, *std::move(part));
    if (options_.still_so) CO_TRY(co_await options_.still_so());
    if (options_.arrived) options_.arrived(bytes->size());
  }
  if (journal.empty()) co_return bytes;
  io::PageBytes whole(count);
  std::memset(std::ranges::copy(bytes->view(), whole.data()).out, 0, count - bytes->size());
  journal.lay_over(offset, {whole.data(), whole.size()});
  co_return std::make_shared<const io::PageBytes>(std::move(whole));
}

io::Task<bool> ColdFile::keep(Fetch& fetch) {
  if (options_.may_keep && !options_.may_keep()) co_return false;
  io::File& file = backing_->file();
  const uint64_t offset = offset_of(fetch.first);
  const std::span<const std::byte> data = fetch.bytes->span();
  const bool keeps_up = writes_.fetch_add(1) < kDirectWritesAtOnce;
  if (fetch.by_chunk && bytes_ >= options_.direct_bytes && keeps_up && is_alone(fetch))
    fetch.hold = hydrator_.hold(data.size());
  const Result<void> written = co_await (fetch.hold ? file.write_direct(offset, data) : file.write(offset, data));
  writes_.fetch_sub(1);
  if (!written) fetch.hold = {};
  co_return written.has_value();
}

void ColdFile::finish_fetch(const FetchRef& fetch) {
  std::lock_guard lock(mutex_);
  const auto of_chunk = fetches_.find(fetch->first / blocks_per_chunk_);
  std::erase(of_chunk->second, fetch);
  if (of_chunk->second.empty()) fetches_.erase(of_chunk);
  if (fetch->by_chunk) --ahead_;
  if (fetch->here) here_.add(fetch->first, fetch->end);
  if (fetch->bytes) no_room_ = !fetch->here;
  if (fetch->bytes && (!fetch->here || fetch->hold)) remember(fetch);
}

// The page cache must not get some of it from another while it is written directly.
bool ColdFile::is_alone(const Fetch& fetch) const {
  std::lock_guard lock(mutex_);
  return fetches_.at(fetch.first / blocks_per_chunk_).size() == 1;
}

// Whoever reads on in small pieces does not fetch it for each of them, nor have the disk read what it was just given.
void ColdFile::remember(const FetchRef& fetch) {
  if (fetch->hold && !streams_.awaits(offset_of(fetch->first), offset_of(fetch->end))) return;
  const uint64_t most =
      fetch->hold ? options_.readahead_bytes + options_.chunk_bytes : kMaxHomelessChunks * options_.chunk_bytes;
  if (const auto found = find_in_memory(fetch->first); found && found->end >= fetch->end) return;
  for (auto one = in_memory_.lower_bound(fetch->first); one != in_memory_.end() && one->second.end <= fetch->end;)
    forget(one++);
  in_memory_bytes_ += fetch->bytes->size();
  if (fetch->hold) ++held_;
  in_memory_order_.push_back(fetch->first);
  in_memory_.emplace(fetch->first, InMemory{.end = fetch->end, .bytes = fetch->bytes, .hold = std::move(fetch->hold)});
  while (in_memory_bytes_ > most) forget(least_needed());
  if (in_memory_order_.size() > 2 * in_memory_.size() + 64)
    std::erase_if(in_memory_order_, [this](uint64_t first) { return !in_memory_.contains(first); });
}

ColdFile::InMemoryBlocks::iterator ColdFile::least_needed() {
  while (!in_memory_order_.empty() && !in_memory_.contains(in_memory_order_.front())) in_memory_order_.pop_front();
  auto oldest = in_memory_.end();
  for (const uint64_t first : in_memory_order_) {
    const auto one = in_memory_.find(first);
    if (one == in_memory_.end()) continue;
    if (!streams_.awaits(offset_of(first), offset_of(one->second.end))) return one;
    if (oldest == in_memory_.end()) oldest = one;
  }
  return oldest;
}

void ColdFile::forget(InMemoryBlocks::iterator one) {
  in_memory_bytes_ -= one->second.bytes->size();
  if (one->second.hold) --held_;
  in_memory_.erase(one);
}

// What is on the local disk, and nobody is about to read.
void ColdFile::forget_read() {
  for (auto one = in_memory_.begin(); held_ > 0 && one != in_memory_.end();) {
    const auto next = std::next(one);
    if (one->second.hold && !streams_.awaits(offset_of(one->first), offset_of(one->second.end))) forget(one);
    one = next;
  }
}

io::Task<void> ColdFile::run_fetch(FetchRef fetch, io::Gate::Entry) {
  Result<Bytes> fetched = co_await do_fetch(*fetch);
  if (fetched) {
    failpoint("hydrate.after_fetch");
    fetch->bytes = *std::move(fetched);
  } else {
    fetch->result = fail(std::move(fetched).error());
  }
  // Readers go on while the bytes are on their way to the local disk.
  fetch->done.set();
  fetch->here = fetch->result && (!fetch->bytes || co_await keep(*fetch));
  failpoint("hydrate.after_place");
  finish_fetch(fetch);
  fetch->kept.set();
}

}  // namespace firn::tier
