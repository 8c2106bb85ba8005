// Roots: sends the tables of a checkpoint that the bucket lacks, and puts the root that names them.
#pragma once

#include <functional>
#include <map>
#include <vector>

#include "kv/shipping.h"
#include "tier/metadata/bucket.h"
#include "tier/metadata/log_writer.h"

namespace firn::tier {

// One call at a time, on one reactor. What it refers to must outlive it.
class Publisher {
 public:
  struct Options {
    Bytes16 database{};
    size_t tables_in_flight = 2;  // each is held in memory as it is put
  };
  Publisher(Bucket bucket, LogWriter& log, FoundRoot root, Options options)
      : bucket_(std::move(bucket)),
        log_(log),
        options_(options),
        root_(std::move(root)),
        tables_made_(root_.root.tables_made) {}

  // Every table of `checkpoint` that the newest root does not have, and no earlier call has sent, is sent.
  io::Task<Result<std::vector<TableRef>>> upload(kv::Checkpoint& checkpoint, io::CancelToken* token);
  // Puts the next root. The log must hold every commit from `first_log` on that `tables` hold. kNotPermitted: fenced.
  io::Task<Result<void>> put(std::vector<TableRef> tables, std::string manifest, uint64_t first_log,
                             io::CancelToken* token);

  // These are damaged in the bucket, or gone: they are sent again, under other names, with the next root.
  void distrust(const std::vector<TableRef>& tables);
  // The newest root is gone: what it said is put there again, for finding later ones may rest on it.
  io::Task<Result<void>> put_again(io::CancelToken* token);

  // This writer's newest root. What is to be removed may be struck off its lists.
  FoundRoot& root() { return root_; }

 private:
  const TableRef* find_sent(const kv::Table& table) const;
  io::Task<Result<void>> send(kv::Checkpoint& checkpoint, size_t index, TableRef& ref, io::CancelToken* token);
  void abandon(TableRef ref);
  io::Task<Result<object::Content>> make_table(kv::Checkpoint& checkpoint, size_t index, Envelope envelope,
                                               std::string name, uint64_t& checksum);
  uint64_t table_number(const std::string& identity);
  Envelope header(uint64_t number, uint64_t plain_bytes) const;
  Root next_root(const std::vector<TableRef>& tables) const;
  io::Task<Result<bool>> put_once(Root next, io::CancelToken* token);

  const Bucket bucket_;
  LogWriter& log_;
  const Options options_;
  FoundRoot root_;
  uint64_t tables_made_;
  // Of this epoch and in no root yet. By identity: what was begun under a number is sent again under it, so that there
  // are no gaps, and a late PUT of an earlier attempt does no harm.
  std::map<std::string, uint64_t> begun_;
  std::vector<TableRef> sent_;
};

// The checksum of a table: over its pieces of kPieceBytes, each seeded with the one before; the first with 0.
class TableChecksum {
 public:
  // In pieces of kPieceBytes but for the last.
  void add(std::string_view piece);
  uint64_t value() const { return value_; }

 private:
  uint64_t value_ = 0;
};

}  // namespace firn::tier
