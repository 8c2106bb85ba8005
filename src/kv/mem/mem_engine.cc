#include "kv/mem/mem_engine.h"

#include <atomic>
#include <mutex>
#include <set>

#include "base/check.h"
#include "io/reactor.h"
#include "kv/conflict_detector.h"
#include "kv/counter.h"
#include "kv/key_hash.h"
#include "kv/mem/mem_checkpoint.h"
#include "kv/mem/version_map.h"
#include "kv/overlay_scan.h"
#include "kv/write_set.h"

namespace firn::kv {

namespace mem {

class Memory final : public MemEngine, public ShippingSource {
 public:
  explicit Memory(MemOptions options)
      : options_(std::move(options)), detector_(std::make_unique<ConflictDetector>(0)) {}

  std::unique_ptr<Transaction> begin() override;
  io::Task<Result<void>> sync(Version version) override;
  Version last_version() const override { return last_version_.load(std::memory_order_acquire); }
  Version synced_version() const override { return synced_version_.load(std::memory_order_acquire); }
  Result<void> flush_to_os() override { return {}; }
  Result<void> discard(Range range) override;
  std::vector<std::pair<std::string, std::string>> statistics() const override;
  io::Task<Result<void>> close() override { return sync(last_version()); }
  void crash() override;
  ShippingSource* shipping() override { return this; }
  Version set_commit_sink(CommitSink* sink) override;
  io::Task<Result<std::unique_ptr<Checkpoint>>> checkpoint() override;

  bool yields() const { return options_.yields; }
  std::optional<std::string> get(std::string_view key, Version version);
  std::vector<Pair> scan(const WriteSet& writes, const Range& range, size_t limit, Version version);
  Result<Version> commit(const WriteSet& writes, const ReadSet& reads, Version read_version);
  void finish(Version read_version);

 private:
  Result<std::optional<std::string>> new_value(const WriteSet& writes, const WriteSet::Entry& entry);
  Version oldest_needed() const;
  static std::string batch_of(const WriteSet& writes, const std::vector<std::optional<std::string>>& values);

  MemOptions options_;
  std::mutex state_mutex_;  // guards everything below but the atomics' reading
  VersionMap map_;
  std::unique_ptr<ConflictDetector> detector_;
  std::multiset<Version> readers_;
  uint64_t attempts_ = 0;
  CommitSink* sink_ = nullptr;
  std::atomic<uint64_t> conflicts_ = 0;
  std::atomic<Version> last_version_ = 0;
  std::atomic<Version> synced_version_ = 0;
};

class MemTransaction final : public Transaction {
 public:
  MemTransaction(Memory& memory, Version read_version) : memory_(memory), read_version_(read_version) {}
  ~MemTransaction() override { memory_.finish(read_version_); }

  io::Task<Result<std::optional<std::string>>> get(std::string_view key, Isolation isolation) override {
    if (memory_.yields()) co_await io::yield();
    co_return lookup(key, isolation);
  }

  io::Task<Result<std::vector<std::optional<std::string>>>> multi_get(std::vector<std::string> keys,
                                                                      Isolation isolation) override {
    if (memory_.yields()) co_await io::yield();
    std::vector<std::optional<std::string>> values;
    for (const std::string& key : keys) values.push_back(lookup(key, isolation));
    co_return values;
  }

  io::Task<Result<std::vector<Pair>>> scan(Range range, size_t limit, Isolation isolation) override {
    if (memory_.yields()) co_await io::yield();
    if (limit == 0) co_return std::vector<Pair>();
    std::vector<Pair> pairs = memory_.scan(writes_, range, limit, read_version_);
    if (isolation == Isolation::kSerializable) reads_.ranges.push_back(covered_range(std::move(range), limit, pairs));
    co_return pairs;
  }

  void put(std::string_view key, std::string_view value) override { writes_.put(key, value); }
  void erase(std::string_view key) override { writes_.erase(key); }
  void add(std::string_view key, int64_t delta) override { writes_.add(key, delta); }
  void add_read_conflict(std::string_view key) override { reads_.key_hashes.push_back(hash_key(key)); }

  io::Task<Result<Version>> commit() override {
    if (memory_.yields()) co_await io::yield();
    co_return memory_.commit(writes_, reads_, read_version_);
  }

 private:
  std::optional<std::string> lookup(std::string_view key, Isolation isolation) {
    const WriteSet::Entry* own = writes_.find(key);
    if (own != nullptr && own->kind == WriteSet::Kind::kErase) return std::nullopt;
    if (own != nullptr && own->kind == WriteSet::Kind::kPut) return std::string(writes_.value(*own));
    if (isolation == Isolation::kSerializable) reads_.key_hashes.push_back(hash_key(key));
    return memory_.get(key, read_version_);
  }

  Memory& memory_;
  Version read_version_;
  WriteSet writes_;
  ReadSet reads_;
};

std::unique_ptr<Transaction> Memory::begin() {
  std::lock_guard lock(state_mutex_);
  readers_.insert(last_version());
  return std::make_unique<MemTransaction>(*this, last_version());
}

void Memory::finish(Version read_version) {
  std::lock_guard lock(state_mutex_);
  readers_.erase(readers_.find(read_version));
}

io::Task<Result<void>> Memory::sync(Version version) {
  if (options_.before_sync) co_await options_.before_sync();
  std::lock_guard lock(state_mutex_);
  if (version > synced_version()) synced_version_ = last_version();
  co_return Result<void>();
}

std::vector<std::pair<std::string, std::string>> Memory::statistics() const {
  return {{"engine", "mem"},
          {"last_version", std::to_string(last_version())},
          {"synced_version", std::to_string(synced_version())},
          {"conflicts", std::to_string(conflicts_.load())}};
}

void Memory::crash() {
  CHECK(options_.crashable);
  std::lock_guard lock(state_mutex_);
  CHECK(sink_ == nullptr);
  readers_.clear();
  map_.rewind(synced_version());
  last_version_ = synced_version();
  detector_ = std::make_unique<ConflictDetector>(last_version());
}

std::optional<std::string> Memory::get(std::string_view key, Version version) {
  std::lock_guard lock(state_mutex_);
  const std::string* value = map_.get(key, version);
  return value == nullptr ? std::nullopt : std::optional(*value);
}

std::vector<Pair> Memory::scan(const WriteSet& writes, const Range& range, size_t limit, Version version) {
  std::lock_guard lock(state_mutex_);
  VersionMap::Cursor cursor(map_, range, version);
  return overlay_scan(writes, range, limit, cursor);
}

Version Memory::oldest_needed() const {
  Version oldest = readers_.empty() ? last_version() : *readers_.begin();
  return options_.crashable ? std::min(oldest, synced_version()) : oldest;
}

Result<std::optional<std::string>> Memory::new_value(const WriteSet& writes, const WriteSet::Entry& entry) {
  if (!entry.added) {
    if (entry.kind == WriteSet::Kind::kErase) return std::nullopt;
    return std::string(writes.value(entry));
  }
  int64_t base = 0;
  if (entry.kind == WriteSet::Kind::kPut || entry.kind == WriteSet::Kind::kNone) {
    const std::string* stored = map_.get(writes.key(entry), last_version());
    const bool own = entry.kind == WriteSet::Kind::kPut;
    if (own || stored != nullptr) {
      const auto decoded = decode_counter(own ? writes.value(entry) : std::string_view(*stored));
      if (!decoded) return fail(Code::kCorrupt, "the value added to is not a 64-bit integer");
      base = *decoded;
    }
  }
  return encode_counter(add_counter(base, entry.delta));
}

Result<void> Memory::discard(Range range) {
  if (range.begin.size() != 1 || range.end.empty()) return fail(Code::kInvalid);
  std::lock_guard lock(state_mutex_);
  std::vector<std::string> keys;
  for (VersionMap::Cursor cursor(map_, range, last_version()); cursor.valid(); cursor.next())
    keys.emplace_back(cursor.key());
  const Version version = last_version() + 1;
  for (const std::string& key : keys) map_.set(key, std::nullopt, version);
  last_version_ = version;
  return {};
}

Version Memory::set_commit_sink(CommitSink* sink) {
  std::lock_guard lock(state_mutex_);
  sink_ = sink;
  return last_version();
}

io::Task<Result<std::unique_ptr<Checkpoint>>> Memory::checkpoint() {
  if (yields()) co_await io::yield();
  std::lock_guard lock(state_mutex_);
  const Range everything;
  VersionMap::Cursor cursor(map_, everything, last_version());
  co_return make_checkpoint(cursor, last_version());
}

std::string Memory::batch_of(const WriteSet& writes, const std::vector<std::optional<std::string>>& values) {
  std::string batch;
  size_t index = 0;
  for (const WriteSet::Entry& entry : writes) {
    const std::optional<std::string>& value = values[index++];
    if (value)
      append_put(batch, writes.key(entry), *value);
    else
      append_erase(batch, writes.key(entry));
  }
  return batch;
}

Result<Version> Memory::commit(const WriteSet& writes, const ReadSet& reads, Version read_version) {
  if (writes.too_large()) return fail(Code::kInvalid, "a key, a value or the transaction is too large");
  std::lock_guard lock(state_mutex_);
  if (writes.empty()) return read_version;
  ++attempts_;
  if (options_.inject)
    if (const Code code = options_.inject(attempts_); code != Code::kOk) return fail(code);
  if (detector_->conflicts(reads, read_version)) {
    ++conflicts_;
    return fail(Code::kConflict);
  }
  std::vector<std::optional<std::string>> values;
  for (const WriteSet::Entry& entry : writes) values.push_back(TRY(new_value(writes, entry)));
  const Version version = last_version() + 1;
  if (sink_ != nullptr) sink_->committed(version, batch_of(writes, values));
  size_t index = 0;
  for (const WriteSet::Entry& entry : writes) map_.set(writes.key(entry), std::move(values[index++]), version);
  detector_->record(writes, version);
  last_version_ = version;
  map_.collect(oldest_needed());
  return version;
}

}  // namespace mem

std::unique_ptr<MemEngine> make_mem_engine(MemOptions options) {
  return std::make_unique<mem::Memory>(std::move(options));
}

std::unique_ptr<Engine> make_mem_engine() { return make_mem_engine(MemOptions{}); }

}  // namespace firn::kv
