#include "tier/cold_file.h"

#include <algorithm>
#include <cstring>

#include "base/checksum.h"
#include "base/failpoint.h"
#include "io/reactor.h"

namespace firn::tier {

namespace {

constexpr uint64_t kMaxHomelessChunks = 4;      // held in memory because the local disk has no room, in bytes
constexpr uint64_t kSequentialSlack = 1 << 20;  // the kernel's own readahead asks out of order by about this much
constexpr uint64_t kMaxFileBlocks = 16 << 20;   // a bit for each
constexpr size_t kDirectWritesAtOnce = 4;       // more: the disk does not keep up, and the page cache takes a burst
constexpr unsigned kSequentialStreak = 2;       // reads that must have gone on before what follows is fetched

uint64_t usable_block(const ColdFile::Options& options, uint64_t file_bytes) {
  const bool many = file_bytes / options.block_bytes > kMaxFileBlocks;
  const uint64_t block = many ? std::max<uint64_t>(options.block_bytes, kBlockBytes) : options.block_bytes;
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
      known_(chunk_count_, false) {
  std::optional<BlockSet> left = hydrator_.returned().take(inode_);
  if (!left || left->file_blocks() != here_.file_blocks()) return;
  here_ = *std::move(left);
  for (uint64_t chunk = 0; chunk < chunk_count_; ++chunk)
    for (uint64_t block = first_of(chunk); block < end_of(chunk) && !known_[chunk]; ++block)
      known_[chunk] = here_.has(block);
}

ColdFile::~ColdFile() = default;

uint64_t ColdFile::slack() const { return std::min(kSequentialSlack, options_.chunk_bytes / 4); }

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

// ---- what is on the local disk, and what comes ----

bool ColdFile::has(uint64_t block, Need need) const {
  return here_.has(block) || (need == Need::kToRead && find_in_memory(block) != nullptr);
}

const ColdFile::InMemory* ColdFile::find_in_memory(uint64_t block) const {
  for (const InMemory& one : in_memory_)
    if (one.first <= block && block < one.end) return &one;
  return nullptr;
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
    if (const InMemory* one = next == block && need == Need::kToRead ? find_in_memory(block) : nullptr) next = one->end;
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
  if (const auto of_chunk = fetches_.find(chunk); of_chunk != fetches_.end())
    for (const FetchRef& fetch : of_chunk->second)
      if (fetch->first == first && fetch->end == end) return nullptr;
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

void ColdFile::begin_blocks(uint64_t first, uint64_t end) {
  while (true) {
    first = end_of_present(first, end, Need::kToRead);
    if (first == end) return;
    const uint64_t limit = std::min(end, end_of(first / blocks_per_chunk_));
    uint64_t last = first + 1;
    while (last < limit && !has(last, Need::kToRead) && !find_fetch(last)) ++last;
    (void)begin(first, last, /*by_chunk=*/false);
    first = last;
  }
}

// ---- one fetch ----

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
    fetch.end = divide_up(end, block_bytes_);
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
  if (fetch.by_chunk && bytes_ >= options_.direct_bytes && keeps_up) fetch.hold = hydrator_.hold(data.size());
  const Result<void> written = co_await (fetch.hold ? file.write_direct(offset, data) : file.write(offset, data));
  writes_.fetch_sub(1);
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

// Whoever reads on in small pieces does not fetch it for each of them, nor have the disk read what it was just given.
void ColdFile::remember(const FetchRef& fetch) {
  const uint64_t most =
      fetch->hold ? options_.readahead_bytes + options_.chunk_bytes : kMaxHomelessChunks * options_.chunk_bytes;
  in_memory_bytes_ += fetch->bytes->size();
  in_memory_.push_back({fetch->first, fetch->end, fetch->bytes, std::move(fetch->hold)});
  while (in_memory_bytes_ > most) {
    in_memory_bytes_ -= in_memory_.front().bytes->size();
    in_memory_.pop_front();
  }
}

// What is on the local disk and was read by now.
void ColdFile::forget_read() {
  const uint64_t read = next_offset_ - std::min(next_offset_, slack());
  while (!in_memory_.empty() && in_memory_.front().hold && offset_of(in_memory_.front().end) <= read) {
    in_memory_bytes_ -= in_memory_.front().bytes->size();
    in_memory_.pop_front();
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

// ---- reading ----

// The window doubles with every read that goes on where the last one ended, and closes when one does not. What begins
// at the file's begin is taken for sequential; elsewhere a few reads must have gone on.
bool ColdFile::note_read(uint64_t offset, uint64_t end) {
  const bool goes_on = offset <= next_offset_ + slack() && end + slack() >= next_offset_;
  if (!goes_on || offset == 0) window_ = 0;
  streak_ = goes_on ? streak_ + 1 : 0;
  const bool sequential = offset == 0 || (goes_on && (window_ > 0 || streak_ >= kSequentialStreak));
  // What has no place must be read before the next comes.
  const uint64_t chunks = no_room_ ? 1 : options_.readahead_bytes / options_.chunk_bytes;
  const uint64_t most = std::max<uint64_t>(chunks, 1);
  const uint64_t last = (end - 1) / options_.chunk_bytes;
  const bool new_chunk = next_offset_ == 0 || last != (next_offset_ - 1) / options_.chunk_bytes;
  if (sequential && (new_chunk || window_ == 0)) window_ = std::max<uint64_t>(window_ * 2, 1);
  window_ = std::min(window_, most);
  next_offset_ = goes_on ? std::max(next_offset_, end) : end;
  forget_read();
  return sequential;
}

void ColdFile::begin_ahead(uint64_t end) {
  const uint64_t last = (end - 1) / options_.chunk_bytes;
  for (uint64_t chunk = last + 1; chunk <= last + window_ && chunk < chunk_count_; ++chunk) {
    if (ahead_ >= options_.chunks_in_flight) break;
    (void)begin_chunk(chunk, Need::kToRead);
  }
}

io::Task<Result<size_t>> ColdFile::read_backing(uint64_t offset, std::span<std::byte> target) {
  if (CO_TRY(co_await backing_->file().read(offset, target)) == target.size()) co_return target.size();
  co_return fail(Code::kIo, "the backing of inode " + std::to_string(inode_.value) + " is too short");
}

io::Task<Result<size_t>> ColdFile::read_some(uint64_t offset, std::span<std::byte> target) {
  const uint64_t block = offset / block_bytes_;
  const uint64_t wanted_end = divide_up(offset + target.size(), block_bytes_);
  const auto up_to = [&](uint64_t end) { return target.first(std::min(target.size(), offset_of(end) - offset)); };
  struct {
    uint64_t first = 0, end = 0;
    Bytes bytes;
  } found;
  FetchRef fetch;
  {
    std::lock_guard lock(mutex_);
    if (const InMemory* in_memory = find_in_memory(block)) {
      found = {in_memory->first, in_memory->end, in_memory->bytes};
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
  std::memcpy(part.data(), found.bytes->data() + (offset - offset_of(found.first)), part.size());
  co_return part.size();
}

io::Task<Result<size_t>> ColdFile::read(uint64_t offset, std::span<std::byte> buffer) {
  if (offset >= bytes_ || buffer.empty()) co_return size_t{0};
  const size_t count = std::min<uint64_t>(buffer.size(), bytes_ - offset);
  {
    std::lock_guard lock(mutex_);
    const bool sequential = note_read(offset, offset + count);
    // A large read gets the rest as it goes on.
    const uint64_t end = offset + std::min<uint64_t>(count, options_.chunks_in_flight * options_.chunk_bytes);
    if (sequential) {
      for (uint64_t chunk = offset / options_.chunk_bytes; chunk * options_.chunk_bytes < end; ++chunk)
        (void)begin_chunk(chunk, Need::kToRead);  // before those that are only likely
      begin_ahead(offset + count);
    } else {
      const auto [first, last] = with_nearby(offset / block_bytes_, divide_up(end, block_bytes_));
      begin_blocks(first, last);
    }
  }
  for (size_t done = 0; done < count;)
    done += CO_TRY(co_await read_some(offset + done, buffer.subspan(done, count - done)));
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
  uint64_t next = 0;
  for (uint64_t chunk = 0; chunk < chunk_count_; ++chunk) {
    if (token != nullptr && token->cancelled()) co_return fail(Code::kInterrupted);
    CO_TRY(co_await bring_to_disk(chunk, next));
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
