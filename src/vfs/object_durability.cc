// Volumes whose colder tier is where things are durable: fsync waits for it, and the local disk is a cache.
#include <algorithm>

#include "base/log.h"
#include "vfs/volume_impl.h"

namespace firn::vfs {

namespace {

// A store that is away is waited for, as the log's writer waits (tier::ShipOptions::ack_timeout_ns).
constexpr int64_t kPatienceNs = 300'000'000'000;
constexpr int64_t kFirstPauseNs = 200'000'000;
constexpr int64_t kLongestPauseNs = 5'000'000'000;

// The store is away, or keeps us out, and may be well again. Other failures are the file's own, or for good.
bool may_pass(Code code) {
  return code == Code::kUnavailable || code == Code::kTimedOut || code == Code::kAccessDenied ||
         code == Code::kNoDevice;
}

}  // namespace

// Programs know what EIO means of an fsync, and little of what happens to requests.
io::Task<Result<void>> VolumeImpl::make_durable_elsewhere(Node& node) {
  Result<void> done = co_await send(node);
  if (done) done = co_await meta_.sync(node.version);
  if (done || done.error() == Code::kNoSpace) co_return done;
  log::warning("fsync of inode {} failed: {}", node.inode.value, done.error().to_string());
  co_return fail(Code::kIo, done.error().to_string());
}

// What the colder tier lacks of a file goes there, and its record says so; the log that has the record is waited for
// by the caller. Inline content needs nothing of this: the record has it. Under Node::mutex.
io::Task<Result<void>> VolumeImpl::send(Node& node) {
  const Attr attr = CO_TRY(co_await meta_.getattr(node.inode));
  if (!attr.content.settled || attr.content.evicted) co_return Result<void>();
  Result<void> sent;
  if (is_being_written(node)) {
    sent = co_await send_open(node, attr);
  } else if (attr.content.generation != attr.content.uploaded_generation) {
    sent = co_await upload(node);
  }
  note_change(node);  // what fsync waits for in the log
  co_return sent;
}

bool VolumeImpl::is_being_written(const Node& node) { return node.open && node.open->live && !node.open->lent; }

io::Task<Result<void>> VolumeImpl::send_open(Node& node, const Attr& attr) {
  WrittenBlocks unsent;
  {
    std::lock_guard lock(node.state_mutex);
    unsent = node.unsent.take();
  }
  if (unsent.empty()) co_return Result<void>();
  Result<void> sent = co_await send_written(node, attr, unsent);
  if (!sent) note_rewritten(node);
  co_return sent;
}

io::Task<Result<void>> VolumeImpl::send_written(Node& node, const Attr& attr, const WrittenBlocks& unsent) {
  const io::FileStat stat = CO_TRY(co_await node.open->object->file().stat());
  const std::set<uint64_t> blocks = blocks_to_journal(attr, unsent, stat.bytes);
  if (blocks.empty()) co_return co_await upload(node);
  co_return co_await journal(node, attr, blocks, stat);
}

// Chunks and journal must make up the whole file, of `bytes`: either the blocks are all of it, or it had a whole
// version, was not cut, and the blocks hold all by which it has grown.
std::set<uint64_t> VolumeImpl::blocks_to_journal(const Attr& attr, const WrittenBlocks& unsent, uint64_t bytes) const {
  constexpr uint64_t kBlock = meta::kJournalBlockBytes;
  const uint64_t count = (bytes + kBlock - 1) / kBlock;
  const meta::Content& content = attr.content;
  std::set<uint64_t> blocks;
  if (unsent.everything()) {
    if (count > options_.journal_blocks_at_once) return {};
    for (uint64_t block = 0; block < count; ++block) blocks.insert(block);
  } else {
    if (!content.uploaded_size || bytes < *content.uploaded_size) return {};
    blocks = unsent.blocks();
    blocks.erase(blocks.lower_bound(count), blocks.end());
    if (bytes > *content.uploaded_size)
      for (uint64_t block = *content.uploaded_size / kBlock; block < count; ++block)
        if (!blocks.contains(block)) return {};
  }
  const bool fits = blocks.size() <= options_.journal_blocks_at_once &&
                    content.journal_blocks + blocks.size() <= options_.journal_blocks;
  return fits ? blocks : std::set<uint64_t>();
}

io::Task<Result<void>> VolumeImpl::journal(Node& node, const Attr& before, const std::set<uint64_t>& blocks,
                                           const io::FileStat& stat) {
  constexpr uint64_t kBlock = meta::kJournalBlockBytes;
  std::vector<meta::JournalBlock> written;
  for (const uint64_t index : blocks) {
    std::string bytes(std::min(kBlock, stat.bytes - index * kBlock), '\0');
    CO_TRY(co_await node.open->object->file().read(index * kBlock, std::as_writable_bytes(std::span(bytes))));
    written.push_back({index, std::move(bytes)});
  }
  CO_TRY(co_await options_.tiers->tiering.commit_journal(node.inode, written, changes_of(*node.open, stat)));
  note_recorded(before, stat.allocated_bytes);
  rebase_on(node, stat);
  co_return Result<void>();
}

// Whatever was written before the record gets its new generation is read, and sent, after that.
io::Task<Result<void>> VolumeImpl::upload(Node& node) {
  constexpr int kAttempts = 16;             // times it may be touched by others meanwhile
  std::optional<int64_t> failing_since_ns;  // monotonic; a large file may take its time before that
  int64_t pause_ns = kFirstPauseNs;
  for (int touched = 0;;) {
    if (is_being_written(node)) {
      const io::FileStat stat = CO_TRY(co_await node.open->object->file().stat());
      CO_TRY(co_await record_object(node, stat));
    }
    const Result<void> sent = co_await settling_->upload(node.inode, &stopping_);
    if (sent) co_return sent;
    if (sent.error() == Code::kConflict && ++touched < kAttempts) continue;
    const int64_t now_ns = options_.clock.monotonic_ns();
    const bool patient = now_ns - failing_since_ns.value_or(now_ns) < kPatienceNs;
    if (!failing_since_ns) failing_since_ns = now_ns;
    if (!patient || !may_pass(sent.error().code())) co_return sent;
    log::debug("inode {} waits for the store: {}", node.inode.value, sent.error().to_string());
    if (!co_await io::sleep_for(pause_ns, &stopping_)) co_return sent;
    pause_ns = std::min(2 * pause_ns, kLongestPauseNs);
  }
}

io::Task<Result<tier::Journal>> VolumeImpl::journal_of(const Attr& attr) {
  if (attr.content.journal_blocks == 0) co_return tier::Journal();
  co_return tier::Journal(CO_TRY(co_await options_.tiers->tiering.list_journal(attr.inode)));
}

io::Task<Result<void>> VolumeImpl::send_closed(io::CancelToken* token) {
  if (!settling_) co_return fail(Code::kNotSupported, "the volume has no colder tiers");
  const tier::UploadSummary sent = CO_TRY(co_await flush_saved(nullptr, token));
  if (!sent.first_failure.ok()) co_return fail(sent.first_failure);
  co_return Result<void>();
}

// Its content was never sent whole, and what there was of it went with the cache: as after a crash of any file system
// that allocates late, it is empty.
io::Task<Result<void>> VolumeImpl::forget_never_sent(const Attr& attr) {
  meta::ContentUpdate update;
  update.content = meta::Content{};
  update.inline_data = "";
  update.size = 0;
  update.allocated_bytes = 0;
  CO_TRY(co_await meta_.update_content(attr.inode, update));
  co_return Result<void>();
}

}  // namespace firn::vfs
