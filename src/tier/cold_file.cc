#include "tier/cold_file.h"

#include <algorithm>
#include <cstring>

#include "base/checksum.h"
#include "io/reactor.h"

namespace firn::tier {

namespace {

constexpr size_t kMaxHomeless = 4;              // chunks held in memory because the local disk has no room
constexpr uint64_t kSequentialSlack = 1 << 20;  // the kernel's own readahead asks out of order by about this much

}  // namespace

ColdFile::ColdFile(Hydrator& hydrator, InodeId inode, uint64_t bytes, data::ObjectRef backing, Options options)
    : hydrator_(hydrator),
      inode_(inode),
      bytes_(bytes),
      backing_(std::move(backing)),
      options_(std::move(options)),
      states_((bytes + options_.chunk_bytes - 1) / options_.chunk_bytes, State::kUnknown) {}

ColdFile::~ColdFile() = default;

size_t ColdFile::bytes_of(uint64_t index) const {
  return std::min(options_.chunk_bytes, bytes_ - index * options_.chunk_bytes);
}

bool ColdFile::complete() const {
  std::lock_guard lock(mutex_);
  return here_ == states_.size();
}

io::Task<void> ColdFile::close() {
  stopping_.cancel();
  co_await gate_.close();
}

// What the backing holds may be a chunk from an earlier reading, or what a crash left of one: its checksum tells.
io::Task<Result<bool>> ColdFile::is_on_disk(const meta::Chunk& record) {
  const uint64_t offset = record.index.value * options_.chunk_bytes;
  const Result<uint64_t> data = co_await backing_->file().seek(io::Seek::kData, offset);
  if (!data || *data >= offset + record.bytes) co_return false;
  std::string bytes(record.bytes, '\0');
  const size_t got = CO_TRY(co_await backing_->file().read(offset, std::as_writable_bytes(std::span(bytes))));
  co_return got == bytes.size() && checksum64(bytes) == record.checksum;
}

io::Task<Result<ColdFile::Bytes>> ColdFile::do_fetch(uint64_t index, bool look_first) {
  meta::Chunk record = CO_TRY(co_await hydrator_.record_of(inode_, ChunkIndex(index)));
  if (record.bytes != bytes_of(index))
    co_return fail(Code::kCorrupt, "the record of chunk " + std::to_string(index) + " of inode " +
                                       std::to_string(inode_.value) + " has another length than the file");
  if (look_first && CO_TRY(co_await is_on_disk(record))) co_return Bytes();
  std::string bytes = CO_TRY(co_await hydrator_.fetch(inode_, std::move(record), &stopping_));
  if (options_.arrived) options_.arrived(bytes.size());
  co_return std::make_shared<const std::string>(std::move(bytes));
}

io::Task<bool> ColdFile::keep(uint64_t index, Bytes bytes) {
  if (options_.may_keep && !options_.may_keep()) co_return false;
  const auto data = std::as_bytes(std::span(*bytes));
  co_return (co_await backing_->file().write(index * options_.chunk_bytes, data)).has_value();
}

void ColdFile::finish_fetch(uint64_t index, bool here) {
  std::lock_guard lock(mutex_);
  const auto found = fetches_.find(index);
  const Bytes bytes = found->second->bytes;
  fetches_.erase(found);
  --ahead_;
  if (here && states_[index] != State::kHere) {
    states_[index] = State::kHere;
    ++here_;
  }
  if (here || !bytes) return;
  // Whoever reads on in small pieces does not fetch it for each of them.
  homeless_.emplace_back(index, bytes);
  if (homeless_.size() > kMaxHomeless) homeless_.pop_front();
}

io::Task<void> ColdFile::run_fetch(uint64_t index, std::shared_ptr<Fetch> fetch, io::Gate::Entry) {
  bool look_first = false;
  {
    std::lock_guard lock(mutex_);
    look_first = std::exchange(states_[index], State::kAway) == State::kUnknown;
  }
  Result<Bytes> fetched = co_await do_fetch(index, look_first);
  if (fetched) {
    std::lock_guard lock(mutex_);
    fetch->bytes = *fetched;
  } else {
    fetch->result = fail(std::move(fetched).error());
  }
  // Readers go on while the bytes are on their way to the local disk.
  fetch->done.set();
  fetch->here = fetch->result && (!fetch->bytes || co_await keep(index, fetch->bytes));
  finish_fetch(index, fetch->here);
  fetch->kept.set();
}

std::shared_ptr<ColdFile::Fetch> ColdFile::begin_fetch(uint64_t index) {
  if (states_[index] == State::kHere) return nullptr;
  if (const auto found = fetches_.find(index); found != fetches_.end()) return found->second;
  auto fetch = std::make_shared<Fetch>();
  io::Gate::Entry entry = gate_.enter();
  if (!entry) {
    fetch->result = fail(Code::kInterrupted, "the file is being closed");
    fetch->done.set();
    fetch->kept.set();
    return fetch;
  }
  fetches_.emplace(index, fetch);
  ++ahead_;
  io::detach([](ColdFile* self, uint64_t at, std::shared_ptr<Fetch> one, io::Gate::Entry held) -> io::Task<void> {
    co_await io::yield();  // begun under the lock
    co_await self->run_fetch(at, std::move(one), std::move(held));
  }(this, index, fetch, std::move(entry)));
  return fetch;
}

io::Task<Result<ColdFile::Bytes>> ColdFile::chunk(uint64_t index) {
  std::shared_ptr<Fetch> fetch;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [at, bytes] : homeless_)
      if (at == index) co_return bytes;
    fetch = begin_fetch(index);
  }
  if (!fetch) co_return Bytes();
  co_await fetch->done.wait();
  CO_TRY(fetch->result);
  co_return fetch->bytes;
}

// The window doubles with every read that goes on where the last one ended, and closes when one does not.
void ColdFile::look_ahead(uint64_t offset, uint64_t end) {
  const bool sequential = offset <= next_offset_ + kSequentialSlack && end + kSequentialSlack >= next_offset_;
  if (!sequential || offset == 0) window_ = 0;
  const uint64_t most = std::max<uint64_t>(options_.readahead_bytes / options_.chunk_bytes, 1);
  const uint64_t last = (end - 1) / options_.chunk_bytes;
  const bool new_chunk = next_offset_ == 0 || last != (next_offset_ - 1) / options_.chunk_bytes;
  if (sequential && (new_chunk || window_ == 0)) window_ = std::min(std::max<uint64_t>(window_ * 2, 1), most);
  next_offset_ = sequential ? std::max(next_offset_, end) : end;
  if (!sequential) return;
  for (uint64_t index = last + 1; index <= last + window_ && index < states_.size(); ++index) {
    if (ahead_ >= options_.chunks_in_flight) break;
    (void)begin_fetch(index);
  }
}

io::Task<Result<size_t>> ColdFile::read(uint64_t offset, std::span<std::byte> buffer) {
  if (offset >= bytes_ || buffer.empty()) co_return size_t{0};
  const size_t count = std::min<uint64_t>(buffer.size(), bytes_ - offset);
  {
    std::lock_guard lock(mutex_);
    (void)begin_fetch(offset / options_.chunk_bytes);  // before those that are only likely
    look_ahead(offset, offset + count);
  }
  for (size_t done = 0; done < count;) {
    const uint64_t at = offset + done, index = at / options_.chunk_bytes, within = at % options_.chunk_bytes;
    const size_t piece = std::min<uint64_t>(count - done, bytes_of(index) - within);
    const std::span<std::byte> target = buffer.subspan(done, piece);
    if (const Bytes bytes = CO_TRY(co_await chunk(index))) {
      std::memcpy(target.data(), bytes->data() + within, piece);
    } else if (CO_TRY(co_await backing_->file().read(at, target)) != piece) {
      co_return fail(Code::kIo, "the backing of inode " + std::to_string(inode_.value) + " is too short");
    }
    done += piece;
  }
  co_return count;
}

io::Task<Result<void>> ColdFile::make_resident(io::CancelToken* token) {
  const uint64_t count = states_.size();
  for (uint64_t index = 0; index < count; ++index) {
    if (token != nullptr && token->cancelled()) co_return fail(Code::kInterrupted);
    std::shared_ptr<Fetch> fetch;
    {
      std::lock_guard lock(mutex_);
      fetch = begin_fetch(index);
      for (uint64_t next = index + 1; next < count && ahead_ < options_.chunks_in_flight; ++next)
        (void)begin_fetch(next);
    }
    if (!fetch) continue;
    co_await fetch->kept.wait();
    CO_TRY(fetch->result);
    if (!fetch->here) co_return fail(Code::kNoSpace, "the local disk has no room for the file");
  }
  // It may have been longer: a change of it that a power cut took back.
  CO_TRY(co_await backing_->file().truncate(bytes_));
  CO_TRY(co_await backing_->file().sync(/*data_only=*/true));
  co_return co_await hydrator_.mark_resident(inode_);
}

}  // namespace firn::tier
