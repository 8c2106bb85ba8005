#include "io/sim/sim_file.h"

#include <algorithm>
#include <bit>
#include <map>
#include <utility>
#include <vector>

#include "base/check.h"
#include "io/buffer.h"
#include "io/reactor.h"

namespace firn::io {
namespace {

Timestamp wall_time() { return Reactor::current()->clock().now(); }

bool zeroes(Allocate mode) { return mode == Allocate::kZeroRange || mode == Allocate::kZeroRangeKeepSize; }
// The node knows of it while it lives.
class DirectWrite {
 public:
  DirectWrite(internal::SimNodeRef node, uint64_t offset, uint64_t bytes)
      : node_(std::move(node)), place_(node_->direct.emplace(offset, offset + bytes)) {}
  DirectWrite(const DirectWrite&) = delete;
  DirectWrite& operator=(const DirectWrite&) = delete;
  ~DirectWrite() { node_->direct.erase(place_); }

 private:
  const internal::SimNodeRef node_;
  const std::multimap<uint64_t, uint64_t>::iterator place_;
};

bool keeps_size(Allocate mode) { return mode != Allocate::kExtend && mode != Allocate::kZeroRange; }

}  // namespace

SimFile::SimFile(SimDisk& disk, std::string path, internal::SimNodeRef node, bool writable)
    : disk_(disk), path_(std::move(path)), node_(std::move(node)), writable_(writable) {
  ++node_->opens;
}

SimFile::~SimFile() {
  --node_->opens;
  disk_.release_if_unused(*node_);
}

Task<Result<size_t>> SimFile::read(uint64_t offset, std::span<std::byte> buffer) {
  CO_TRY(co_await disk_.begin_query(SimCall::kRead, path_));
  co_return node_->read(offset, buffer);
}

// The page cache has whole pages: it gets what else is in them, before or after it was written directly, and may write
// that back later.
Result<void> SimFile::write_cached(uint64_t offset, std::span<const std::byte> data) {
  const uint64_t begin = offset / kPageBytes * kPageBytes, end = offset + data.size();
  if (node_->is_written_directly(begin, (end + kPageBytes - 1) / kPageBytes * kPageBytes)) node_->collided = true;
  return write_now(offset, data);
}

Result<void> SimFile::write_now(uint64_t offset, std::span<const std::byte> data) {
  if (!writable_) return fail(Code::kBadHandle, path_);
  TRY(disk_.reserve(node_->missing_sectors(offset, offset + data.size())));
  disk_.change(*node_, [&] { node_->write(offset, data); });
  node_->now.mtime = node_->now.ctime = wall_time();
  return {};
}

Task<Result<void>> SimFile::write(uint64_t offset, std::span<const std::byte> data) {
  const SimFault fault = CO_TRY(co_await disk_.begin(SimCall::kWrite, path_));
  if (fault.partial) data = data.first(disk_.random_.below(data.size() + 1));
  if (!data.empty()) CO_TRY(write_cached(offset, data));
  co_return SimDisk::outcome(fault);
}

// In a few parts, between which time passes: others may read some of it, and the power may be cut.
Task<Result<size_t>> SimFile::write_pages(uint64_t offset, std::span<const std::byte> data) {
  const bool at_pages = offset % kPageBytes == 0 && std::bit_cast<uintptr_t>(data.data()) % kPageBytes == 0 &&
                        data.size() % kPageBytes == 0;
  if (!at_pages) co_return fail(Code::kInvalid, path_ + ": O_DIRECT, and not at a page");
  const DirectWrite under_way(node_, offset, data.size());
  for (size_t done = 0; done < data.size();) {
    const SimFault fault = CO_TRY(co_await disk_.begin(SimCall::kWritePages, path_));
    const size_t left = (data.size() - done) / kPageBytes;
    const size_t pages = fault.partial ? disk_.random_.below(left) : 1 + disk_.random_.below(left);
    if (pages > 0) CO_TRY(write_now(offset + done, data.subspan(done, pages * kPageBytes)));
    CO_TRY(SimDisk::outcome(fault));
    done += pages * kPageBytes;
  }
  co_return data.size();
}

Task<Result<void>> SimFile::sync(bool) {
  const SimFault fault = CO_TRY(co_await disk_.begin(SimCall::kSync, path_));
  node_->sync();
  if (std::exchange(node_->collided, false)) co_return fail(Code::kIo, path_ + ": a direct write and another collided");
  co_return SimDisk::outcome(fault);
}

// What a power cut leaves of what was not synced is anybody's guess, with it as without.
Task<void> SimFile::start_writeback(uint64_t, uint64_t) { (void)co_await disk_.begin(SimCall::kStartWriteback, path_); }

Task<Result<void>> SimFile::truncate(uint64_t bytes) {
  const SimFault fault = CO_TRY(co_await disk_.begin(SimCall::kTruncate, path_));
  if (!writable_) co_return fail(Code::kInvalid, path_);
  disk_.change(*node_, [&] { node_->resize(bytes); });
  node_->now.mtime = node_->now.ctime = wall_time();
  co_return SimDisk::outcome(fault);
}

Task<Result<void>> SimFile::allocate(Allocate mode, uint64_t offset, uint64_t bytes) {
  const SimFault fault = CO_TRY(co_await disk_.begin(SimCall::kAllocate, path_));
  if (!writable_) co_return fail(Code::kBadHandle, path_);
  if (bytes == 0) co_return fail(Code::kInvalid, path_);
  const uint64_t end = offset + bytes;
  internal::SimNode& node = *node_;
  if (mode == Allocate::kPunchHole) {
    disk_.change(node, [&] { node.zero(offset, end, true); });
  } else {
    CO_TRY(disk_.reserve(node.missing_sectors(offset, end)));
    disk_.change(node, [&] {
      if (zeroes(mode)) node.zero(offset, end, false);
      node.allocate(offset, end);
    });
    if (!keeps_size(mode)) node.now.bytes = std::max(node.now.bytes, end);
  }
  node.now.mtime = node.now.ctime = wall_time();
  co_return SimDisk::outcome(fault);
}

Task<Result<uint64_t>> SimFile::seek(Seek what, uint64_t offset) {
  CO_TRY(co_await disk_.begin_query(SimCall::kSeek, path_));
  if (offset >= node_->now.bytes) co_return fail(Code::kNoDevice);
  if (what == Seek::kHole) co_return node_->next_hole(offset);
  const uint64_t found = node_->next_data(offset);
  if (found >= node_->now.bytes) co_return fail(Code::kNoDevice);
  co_return found;
}

Task<Result<FileStat>> SimFile::stat() {
  CO_TRY(co_await disk_.begin_query(SimCall::kFileStat, path_));
  co_return internal::stat_of(*node_);
}

Task<Result<void>> SimFile::set_times(Timestamp atime, Timestamp mtime) {
  const SimFault fault = CO_TRY(co_await disk_.begin(SimCall::kSetTimes, path_));
  node_->now.atime = atime;
  node_->now.mtime = mtime;
  node_->now.ctime = wall_time();
  co_return SimDisk::outcome(fault);
}

Task<Result<uint64_t>> SimFile::copy_from(File& source, uint64_t source_offset, uint64_t offset, uint64_t bytes) {
  const SimFault fault = CO_TRY(co_await disk_.begin(SimCall::kCopy, path_));
  auto* from = dynamic_cast<SimFile*>(&source);
  CHECK(from && &from->disk_ == &disk_);
  const uint64_t source_bytes = from->node_->now.bytes;
  uint64_t count = source_offset < source_bytes ? std::min(bytes, source_bytes - source_offset) : 0;
  if (fault.partial && count > 1) count = 1 + disk_.random_.below(count);
  std::vector<std::byte> data(count);
  from->node_->read(source_offset, data);
  if (count > 0) CO_TRY(write_cached(offset, data));
  if (!fault.partial) CO_TRY(SimDisk::outcome(fault));
  co_return count;
}

// Nobody can see it but by what it returns: no content changes.
Task<Result<uint64_t>> SimFile::share_blocks_of(File& source, uint64_t source_offset, uint64_t offset, uint64_t bytes) {
  CO_TRY(co_await disk_.begin_query(SimCall::kShareBlocks, path_));
  if (!disk_.options_.shares_blocks) co_return fail(Code::kNotSupported);
  auto* from = dynamic_cast<SimFile*>(&source);
  CHECK(from && &from->disk_ == &disk_);
  std::vector<std::byte> theirs(bytes), ours(bytes);
  theirs.resize(from->node_->read(source_offset, theirs));
  ours.resize(node_->read(offset, ours));
  const auto differ = std::ranges::mismatch(theirs, ours);
  const auto equal = static_cast<uint64_t>(differ.in1 - theirs.begin());
  co_return differ.in2 == ours.end() ? equal : equal / internal::kSectorBytes* internal::kSectorBytes;
}

}  // namespace firn::io
