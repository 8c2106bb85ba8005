// What carries a database elsewhere: its commits as they happen, and its tables at a moment. And what makes a
// database of them again. Engine::shipping() gives the source; each engine has a RestoreTarget.
#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "io/task.h"
#include "kv/kv.h"

namespace firn::kv {

// What one commit wrote, or several one after another:
//
//   batch := write*
//   write := 0x01 key value      puts
//          | 0x00 key            erases
//   key, value := length:varint32 bytes
//
// varint32: seven bits to a byte, the lowest first, the high bit set in all but the last; at most five bytes.
// Additions have become puts of the totals, so applying a batch twice is applying it once. (These are the bytes of a
// RocksDB write batch after its header: for that engine making a batch is copying it.)
void append_put(std::string& batch, std::string_view key, std::string_view value);
void append_erase(std::string& batch, std::string_view key);

// Reads a batch write by write. It may come from anywhere: nothing is trusted.
class BatchReader {
 public:
  // `batch` must outlive the reader.
  explicit BatchReader(std::string_view batch) : rest_(batch) {}

  // False at the end, or when what follows is not a write: then status() is kCorrupt.
  bool next();
  bool erases() const { return erases_; }
  // Of the write that next() found; views into the batch.
  std::string_view key() const { return key_; }
  std::string_view value() const { return value_; }
  const Status& status() const { return status_; }

 private:
  bool take(std::string_view& bytes, size_t max_bytes);

  std::string_view rest_, key_, value_;
  bool erases_ = false;
  Status status_;
};

// Calls put(key, value) and erase(key) in order. kCorrupt: what is not a batch; the writes before it were handed out.
template <class Put, class Erase>
  requires std::invocable<Put, std::string_view, std::string_view> && std::invocable<Erase, std::string_view>
Status for_each_write(std::string_view batch, Put put, Erase erase) {
  BatchReader reader(batch);
  while (reader.next()) {
    if (reader.erases())
      erase(reader.key());
    else
      put(reader.key(), reader.value());
  }
  return reader.status();
}

class CommitSink {
 public:
  virtual ~CommitSink() = default;
  // Called for every commit, in the order of commits and one at a time, on the committing thread and under the
  // engine's lock, before anybody else learns of `version`. Must neither block nor call the engine. `batch` is valid
  // during the call.
  virtual void committed(Version version, std::string_view batch) = 0;
};

struct Table {
  std::string name;  // unique within the checkpoint
  // Tables of any two checkpoints, also of restored databases, that have the same one have the same bytes.
  // Empty: unknown.
  std::string identity;
  uint64_t bytes = 0;
};

// The database at a moment, in immutable parts. It holds some prefix of the commits. Alive it keeps the parts readable,
// and what compaction has replaced on the disk. Destroy it before Engine::close().
class Checkpoint {
 public:
  virtual ~Checkpoint() = default;
  virtual const std::vector<Table>& tables() const = 0;
  // What RestoreTarget::finish() needs besides the tables.
  virtual const std::string& manifest() const = 0;
  // The newest commit that it may hold. (Which it holds at least: those before checkpoint() was called.)
  virtual Version through() const = 0;
  // `bytes` bytes from `offset` of table number `index`, which the table must have.
  virtual io::Task<Result<std::string>> read(size_t index, uint64_t offset, uint64_t bytes) = 0;
};

// Thread-safe.
class ShippingSource {
 public:
  virtual ~ShippingSource() = default;
  // Returns the newest commit so far: all after it go to `sink`, which must outlive the engine or be replaced. Null: no
  // sink; no call is under way once this returned.
  virtual Version set_commit_sink(CommitSink* sink) = 0;
  // Writes to tables what is in memory, beside the reactor. Commits go on meanwhile.
  virtual io::Task<Result<std::unique_ptr<Checkpoint>>> checkpoint() = 0;
};

// Makes a database of a checkpoint's parts.
class RestoreTarget {
 public:
  virtual ~RestoreTarget() = default;
  // Appends to a table. Several tables may be written at the same time; to each one call at a time. kCorrupt: a name
  // that no table of this engine has.
  virtual io::Task<Result<void>> append(std::string table, std::string bytes) = 0;
  // Makes what was written durable and opens it. Once; nothing may follow. An empty manifest: an empty database.
  virtual io::Task<Result<std::unique_ptr<Engine>>> finish(std::string manifest) = 0;
};

}  // namespace firn::kv
