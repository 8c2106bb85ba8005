#pragma once

#include "kv/conflict_detector.h"
#include "kv/kv.h"
#include "kv/rocksdb/engine.h"
#include "kv/write_set.h"

namespace firn::kv::rocks {

class RocksdbTransaction final : public Transaction {
 public:
  explicit RocksdbTransaction(RocksdbEngine& engine) : engine_(engine) {}

  io::Task<Result<std::optional<std::string>>> get(std::string_view key, Isolation isolation) override;
  io::Task<Result<std::vector<std::optional<std::string>>>> multi_get(std::vector<std::string> keys,
                                                                      Isolation isolation) override;
  io::Task<Result<std::vector<Pair>>> scan(Range range, size_t limit, Isolation isolation) override;
  void put(std::string_view key, std::string_view value) override { writes_.put(key, value); }
  void erase(std::string_view key) override { writes_.erase(key); }
  void add(std::string_view key, int64_t delta) override { writes_.add(key, delta); }
  void add_read_conflict(std::string_view key) override;
  io::Task<Result<Version>> commit() override;

 private:
  enum class Wait : uint8_t { kNo, kYes };  // for the disk; without: "incomplete" where it would be needed
  rocksdb::ReadOptions read_options(Wait wait);
  // Answers from the own writes: null when they do not decide.
  const WriteSet::Entry* own(std::string_view key) const;
  std::optional<std::string> own_value(const WriteSet::Entry& entry) const;
  void note_read(std::string_view key, Isolation isolation);
  rocksdb::Status read(std::string_view key, Wait wait, std::optional<std::string>& value);
  rocksdb::Status read_range(const Range& range, size_t limit, Wait wait, std::vector<Pair>& pairs);

  RocksdbEngine& engine_;
  Snapshots::Ref snapshot_;  // taken by the first read
  WriteSet writes_;
  ReadSet reads_;
};

}  // namespace firn::kv::rocks
