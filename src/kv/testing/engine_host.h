// What the tests of all engines share: reactors, a blocking pool, a scratch folder, and transactions as plain calls.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "io/blocking_pool.h"
#include "io/uring/reactor_pool.h"
#include "kv/kv.h"
#include "kv/mem/mem_engine.h"
#include "kv/rocksdb/rocksdb_engine.h"

namespace firn::kv::testing {

inline io::ReactorPool& reactors() {
  static const std::unique_ptr<io::ReactorPool> pool = [] {
    auto made = io::ReactorPool::create({.reactors = 3, .entries = 64});
    CHECK(made.has_value());
    return *std::move(made);
  }();
  return *pool;
}

inline io::BlockingPool& blocking_pool() {
  static const std::unique_ptr<io::BlockingPool> pool = (reactors(), io::make_thread_pool(3));
  return *pool;
}

template <class T>
T run(io::Task<T> task) {
  return io::block_on(reactors(), std::move(task));
}

class ScratchFolder {
 public:
  ScratchFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "firn-kv-XXXXXX").string();
    CHECK(::mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline RocksdbOptions small_rocksdb(std::string path) {
  return {.path = std::move(path),
          .create = true,
          .block_cache_bytes = 1 << 20,
          .memtable_bytes = 1 << 20,
          .blocking_pool = &blocking_pool()};
}

// A transaction for a plain thread.
class Tx {
 public:
  explicit Tx(Engine& engine) : transaction_(engine.begin()) {}

  Result<std::optional<std::string>> try_get(std::string_view key, Isolation isolation = Isolation::kSerializable) {
    return run(transaction_->get(key, isolation));
  }
  std::optional<std::string> get(std::string_view key, Isolation isolation = Isolation::kSerializable) {
    auto value = try_get(key, isolation);
    EXPECT_TRUE(value) << value.error().to_string();
    return value ? *value : std::nullopt;
  }
  std::vector<std::optional<std::string>> multi_get(std::vector<std::string> keys) {
    return *run(transaction_->multi_get(std::move(keys)));
  }
  // "k=v k=v"
  std::string scan(std::string begin, std::string end, size_t limit = 1000,
                   Isolation isolation = Isolation::kSerializable) {
    auto pairs = run(transaction_->scan({std::move(begin), std::move(end)}, limit, isolation));
    EXPECT_TRUE(pairs) << pairs.error().to_string();
    std::string text;
    for (const Pair& pair : *pairs) text += (text.empty() ? "" : " ") + pair.key + "=" + pair.value;
    return text;
  }
  Tx& put(std::string_view key, std::string_view value) { return transaction_->put(key, value), *this; }
  Tx& erase(std::string_view key) { return transaction_->erase(key), *this; }
  Tx& add(std::string_view key, int64_t delta) { return transaction_->add(key, delta), *this; }
  Tx& add_read_conflict(std::string_view key) { return transaction_->add_read_conflict(key), *this; }
  Result<Version> try_commit() { return run(transaction_->commit()); }
  Version commit() {
    auto version = try_commit();
    EXPECT_TRUE(version) << version.error().to_string();
    return version ? *version : 0;
  }
  Code commit_code() {
    auto version = try_commit();
    return version ? Code::kOk : version.error().code();
  }

 private:
  std::unique_ptr<Transaction> transaction_;
};

}  // namespace firn::kv::testing
