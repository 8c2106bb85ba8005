#include "tier/cold_file.h"

#include <algorithm>
#include <cstring>

#include "base/failpoint.h"
#include "io/reactor.h"

namespace firn::tier {

namespace {

constexpr uint64_t kSequentialSlack = 1 << 20;  // the kernel's own readahead asks out of order by about this much
constexpr uint64_t kMaxFileBlocks = 16 << 20;   // a bit for each

uint64_t usable_block(const ColdFile::Options& options, uint64_t file_bytes) {
  uint64_t block = options.block_bytes;
  if (block != 0 && file_bytes / block > kMaxFileBlocks) block = std::max<uint64_t>(block, kBlockBytes);
  return block != 0 && options.chunk_bytes % block == 0 ? block : options.chunk_bytes;
}

uint64_t divide_up(uint64_t value, uint64_t by) { return (value + by - 1) / by; }

}  // namespace

ColdFile::ColdFile(Hydrator& hydrator, InodeId inode, uint64_t bytes, data::ObjectRef backing, Options options)
    : hydrator_(hydrator),
      inode_(inode),
      bytes_(bytes),
      backing_(std::move(backing)),
      options_(std::move(options)),
      block_bytes_(usable_block(options_, bytes)),
      blocks_per_chunk_(options_.chunk_bytes / block_bytes_),
      chunk_count_(divide_up(bytes, options_.chunk_bytes)),
      here_(divide_up(bytes, block_bytes_)),
      known_(chunk_count_, false),
      streams_(
          {.chunk_bytes = options_.chunk_bytes, .slack_bytes = std::min(kSequentialSlack, options_.chunk_bytes / 4)}) {
  std::optional<BlockSet> left = hydrator_.returned().take(inode_);
  if (!left || left->file_blocks() != here_.file_blocks()) return;
  here_ = *std::move(left);
  for (uint64_t chunk = 0; chunk < chunk_count_; ++chunk)
    for (uint64_t block = first_of(chunk); block < end_of(chunk) && !known_[chunk]; ++block)
      known_[chunk] = here_.has(block);
}

ColdFile::~ColdFile() = default;

uint64_t ColdFile::end_of(uint64_t chunk) const { return std::min(first_of(chunk + 1), here_.file_blocks()); }

bool ColdFile::complete() const {
  std::lock_guard lock(mutex_);
  return here_.all();
}

io::Task<void> ColdFile::close() {
  stopping_.cancel();
  co_await gate_.close();
  std::lock_guard lock(mutex_);
  if (!resident_) hydrator_.returned().put(inode_, here_);
}

io::Task<void> ColdFile::abandon() {
  stopping_.cancel();
  co_await gate_.close();
  std::lock_guard lock(mutex_);
  here_ = BlockSet(here_.file_blocks());
  resident_ = false;
}

bool ColdFile::resident() const {
  std::lock_guard lock(mutex_);
  return resident_;
}

// ---- what is on the local disk, and what comes ----

bool ColdFile::has(uint64_t block, Need need) const {
  return here_.has(block) || (need == Need::kToRead && find_in_memory(block));
}

std::optional<ColdFile::Found> ColdFile::find_in_memory(uint64_t block) const {
  auto one = in_memory_.upper_bound(block);
  if (one == in_memory_.begin()) return std::nullopt;
  --one;
  if (block >= one->second.end) return std::nullopt;
  return Found{.first = one->first, .end = one->second.end, .bytes = one->second.bytes};
}

ColdFile::FetchRef ColdFile::find_fetch(uint64_t block) const {
  const auto of_chunk = fetches_.find(block / blocks_per_chunk_);
  if (of_chunk == fetches_.end()) return nullptr;
  for (const FetchRef& fetch : of_chunk->second)
    if (fetch->first <= block && block < fetch->end) return fetch;
  return nullptr;
}

uint64_t ColdFile::end_of_present(uint64_t block, uint64_t end, Need need) const {
  while (block < end) {
    uint64_t next = here_.end_of_run(block, end);
    if (const auto one = next == block && need == Need::kToRead ? find_in_memory(block) : std::nullopt) next = one->end;
    if (const FetchRef fetch = next == block ? find_fetch(block) : nullptr) next = fetch->end;
    if (next == block) return block;
    block = next;
  }
  return end;
}

ColdFile::FetchRef ColdFile::begin(uint64_t first, uint64_t end, bool by_chunk) {
  auto fetch = std::make_shared<Fetch>();
  fetch->first = first;
  fetch->end = end;
  fetch->by_chunk = by_chunk;
  io::Gate::Entry entry = gate_.enter();
  if (!entry) {
    fetch->result = fail(Code::kInterrupted, "the file is being closed");
    fetch->done.set();
    fetch->kept.set();
    return fetch;
  }
  fetches_[first / blocks_per_chunk_].push_back(fetch);
  if (by_chunk) ++ahead_;
  io::detach([](ColdFile* self, FetchRef one, io::Gate::Entry held) -> io::Task<void> {
    co_await io::yield();  // begun under the lock
    co_await self->run_fetch(std::move(one), std::move(held));
  }(this, fetch, std::move(entry)));
  return fetch;
}

ColdFile::FetchRef ColdFile::begin_chunk(uint64_t chunk, Need need) {
  uint64_t first = first_of(chunk), end = end_of(chunk);
  first = end_of_present(first, end, need);
  while (first < end && (has(end - 1, need) || find_fetch(end - 1))) --end;
  return first < end ? begin(first, end, /*by_chunk=*/true) : nullptr;
}

// Who reads near what was read lately is likely to read more there. Who does not gets no more than asked.
std::pair<uint64_t, uint64_t> ColdFile::with_nearby(uint64_t first, uint64_t end) const {
  const uint64_t blocks = options_.nearby_bytes / block_bytes_;
  if (blocks == 0 || end_of_present(first, end, Need::kToRead) == end) return {first, end};
  const uint64_t begin = first / blocks * blocks;
  const uint64_t stop = std::min(divide_up(end, blocks) * blocks, here_.file_blocks());
  for (uint64_t block = begin; block < stop; ++block)
    if (has(block, Need::kToRead) || find_fetch(block)) return {begin, stop};
  return {first, end};
}

// A little that is there comes again, where that saves a request.
void ColdFile::begin_blocks(uint64_t first, uint64_t end) {
  const uint64_t bridged = options_.nearby_bytes / block_bytes_;
  while (true) {
    first = end_of_present(first, end, Need::kToRead);
    if (first == end) return;
    const uint64_t limit = std::min(end, end_of(first / blocks_per_chunk_));
    uint64_t last = first + 1;  // after what is missing
    for (uint64_t next = last; next < limit && next - last <= bridged;) {
      next = end_of_present(next, limit, Need::kToRead);
      if (next == limit || next - last > bridged) break;
      last = ++next;
    }
    (void)begin(first, last, /*by_chunk=*/false);
    first = last;
  }
}

// ---- reading ----

// What has no place must be read before the next comes, and there is memory for so much: what two read and have just
// read, or what one does and what follows that. More readers get what they ask for, block by block, or they would push
// out what the others are about to read.
ReadStreams::Advice ColdFile::note_read(uint64_t offset, uint64_t end) {
  const uint64_t most = options_.readahead_bytes / options_.chunk_bytes;
  ReadStreams::Advice advice = streams_.note(offset, end, no_room_ ? 1 : most);
  if (no_room_ && streams_.active() > 1) advice.window = 0;
  if (no_room_ && streams_.active() > kMaxHomelessChunks / 2) advice.in_order = false;
  forget_read();
  return advice;
}

// Who reads in order has its share of the fetches under way.
void ColdFile::begin_ahead(uint64_t end, uint64_t window) {
  const size_t share = std::max<size_t>(options_.chunks_in_flight / streams_.active(), 1);
  const uint64_t last = (end - 1) / options_.chunk_bytes;
  size_t mine = 0;
  for (uint64_t chunk = last + 1; chunk <= last + window && chunk < chunk_count_; ++chunk) {
    if (mine >= share || ahead_ >= options_.chunks_in_flight) break;
    (void)begin_chunk(chunk, Need::kToRead);
    if (fetches_.contains(chunk)) ++mine;
  }
}

io::Task<Result<size_t>> ColdFile::read_backing(uint64_t offset, std::span<std::byte> target) {
  if (CO_TRY(co_await backing_->file().read(offset, target)) == target.size()) co_return target.size();
  if (closed()) co_return fail(Code::kInterrupted, "the file was cut meanwhile");
  co_return fail(Code::kIo, "the backing of inode " + std::to_string(inode_.value) + " is too short");
}

io::Task<Result<size_t>> ColdFile::read_some(uint64_t offset, Target target) {
  const uint64_t block = offset / block_bytes_;
  const uint64_t wanted_end = divide_up(offset + target.room.size(), block_bytes_);
  const auto up_to = [&](uint64_t end) {
    return target.room.first(std::min(target.room.size(), offset_of(end) - offset));
  };
  Found found;
  FetchRef fetch;
  {
    std::lock_guard lock(mutex_);
    if (auto in_memory = find_in_memory(block)) {
      found = *std::move(in_memory);
    } else if (here_.has(block)) {
      found.end = here_.end_of_run(block, wanted_end);
    } else if (fetch = find_fetch(block); !fetch) {
      fetch = begin(block, std::min(wanted_end, end_of(block / blocks_per_chunk_)), /*by_chunk=*/false);
    }
  }
  if (fetch) {
    co_await fetch->done.wait();
    CO_TRY(fetch->result);
    found = {fetch->first, fetch->end, fetch->bytes};
  }
  const std::span<std::byte> part = up_to(found.end);
  if (!found.bytes) co_return co_await read_backing(offset, part);
  const auto bytes = found.bytes->span().subspan(offset - offset_of(found.first), part.size());
  if (target.lent != nullptr && bytes.size() >= io::LentBytes::kLeastBytes)
    target.lent->add({.offset = target.place, .bytes = bytes, .owner = std::move(found.bytes)});
  else
    std::memcpy(part.data(), bytes.data(), bytes.size());
  co_return bytes.size();
}

io::Task<Result<size_t>> ColdFile::read(uint64_t offset, std::span<std::byte> buffer, io::LentBytes* lent) {
  if (offset >= bytes_ || buffer.empty()) co_return size_t{0};
  const size_t count = std::min<uint64_t>(buffer.size(), bytes_ - offset);
  {
    std::lock_guard lock(mutex_);
    const auto [in_order, window] = note_read(offset, offset + count);
    // A large read gets the rest as it goes on.
    const uint64_t end = offset + std::min<uint64_t>(count, options_.chunks_in_flight * options_.chunk_bytes);
    if (in_order) {
      for (uint64_t chunk = offset / options_.chunk_bytes; chunk * options_.chunk_bytes < end; ++chunk)
        (void)begin_chunk(chunk, Need::kToRead);  // before those that are only likely
      begin_ahead(offset + count, window);
    } else {
      const auto [first, last] = with_nearby(offset / block_bytes_, divide_up(end, block_bytes_));
      begin_blocks(first, last);
    }
  }
  for (size_t done = 0; done < count;)
    done += CO_TRY(co_await read_some(offset + done, {buffer.subspan(done, count - done), done, lent}));
  co_return count;
}

// ---- all of it ----

io::Task<Result<void>> ColdFile::bring_to_disk(uint64_t chunk, uint64_t& next) {
  std::vector<FetchRef> under_way;
  {
    std::lock_guard lock(mutex_);
    const FetchRef begun = begin_chunk(chunk, Need::kOnDisk);
    if (const auto of_chunk = fetches_.find(chunk); of_chunk != fetches_.end()) under_way = of_chunk->second;
    if (under_way.empty() && begun) under_way.push_back(begun);  // refused
    for (next = std::max(next, chunk + 1); next < chunk_count_ && ahead_ < options_.chunks_in_flight; ++next)
      (void)begin_chunk(next, Need::kOnDisk);
  }
  for (const FetchRef& fetch : under_way) {
    co_await fetch->kept.wait();
    CO_TRY(fetch->result);
    if (!fetch->here) co_return fail(Code::kNoSpace, "the local disk has no room for the file");
  }
  co_return Result<void>();
}

io::Task<Result<void>> ColdFile::make_resident(io::CancelToken* token) {
  BlockSet before;
  {
    std::lock_guard lock(mutex_);
    before = here_;
  }
  uint64_t next = 0;
  for (uint64_t chunk = 0; chunk < chunk_count_; ++chunk) {
    if (token != nullptr && token->cancelled()) co_return fail(Code::kInterrupted);
    const uint64_t first = first_of(chunk), end = end_of(chunk);
    if (options_.make_room && !before.has_all(first, end))
      CO_TRY(co_await options_.make_room(offset_of(end) - offset_of(first)));
    Result<void> brought = co_await bring_to_disk(chunk, next);
    // What a reader had begun may have found no room before there was some.
    if (!brought && brought.error() == Code::kNoSpace && options_.make_room)
      brought = co_await bring_to_disk(chunk, next);
    CO_TRY(std::move(brought));
  }
  if (!complete()) co_return fail(Code::kIo, "not all of the file came back");
  // It may have been longer: a change of it that a power cut took back.
  CO_TRY(co_await backing_->file().truncate(bytes_));
  CO_TRY(co_await backing_->file().sync(/*data_only=*/true));
  {
    std::lock_guard lock(mutex_);
    resident_ = true;
  }
  failpoint("hydrate.before_record");
  CO_TRY(co_await hydrator_.mark_resident(inode_));
  failpoint("hydrate.after_record");
  co_return Result<void>();
}

}  // namespace firn::tier
