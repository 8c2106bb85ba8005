// A RocksDB database at a moment: its live tables, and as much of its manifest as names them.
#pragma once

#include <rocksdb/db.h>

#include <memory>
#include <string>

#include "io/blocking_pool.h"
#include "io/sync.h"
#include "kv/shipping.h"

namespace firn::kv::rocks {

// The manifest of a checkpoint is the manifest file's name, a line break, and the file's bytes.
inline constexpr char kManifestNameEnd = '\n';

// Alive it keeps the library from deleting files.
class LiveTables final : public Checkpoint {
 public:
  // `entry` is held until the library may delete files again. `pool` may be null.
  LiveTables(rocksdb::DB& db, io::BlockingPool* pool, io::Gate::Entry entry)
      : db_(db), pool_(pool), entry_(std::move(entry)) {}
  ~LiveTables() override;

  // Blocks. Once, before anything else.
  Status take();
  void set_through(Version through) { through_ = through; }

  const std::vector<Table>& tables() const override { return tables_; }
  const std::string& manifest() const override { return manifest_; }
  Version through() const override { return through_; }
  io::Task<Result<std::string>> read(size_t index, uint64_t offset, uint64_t bytes) override;

 private:
  rocksdb::Status list(std::vector<std::string>& files, uint64_t& manifest_bytes);
  rocksdb::Status read_manifest(const std::string& name, uint64_t bytes);
  rocksdb::Status add_table(const std::string& name, const rocksdb::TablePropertiesCollection& properties);
  Result<std::string> read_now(size_t index, uint64_t offset, uint64_t bytes) const;

  rocksdb::DB& db_;
  io::BlockingPool* const pool_;
  io::Gate::Entry entry_;
  bool holds_files_ = false;
  Version through_ = 0;
  std::string manifest_;
  std::vector<Table> tables_;
};

}  // namespace firn::kv::rocks
