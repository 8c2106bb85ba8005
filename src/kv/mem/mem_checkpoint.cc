#include "kv/mem/mem_checkpoint.h"

#include <array>
#include <map>

#include "io/reactor.h"
#include "kv/key_hash.h"
#include "kv/mem/mem_engine.h"

namespace firn::kv {

namespace mem {

namespace {

constexpr std::string_view kManifest = "mem";

std::string name_of(size_t table) { return "part" + std::to_string(table); }

class MemCheckpoint final : public Checkpoint {
 public:
  MemCheckpoint(std::array<std::string, kTables> contents, Version through)
      : contents_(std::move(contents)), through_(through) {
    for (size_t i = 0; i < kTables; ++i)
      tables_.push_back({.name = name_of(i),
                         .identity = std::to_string(i) + "-" + std::to_string(hash_key(contents_[i])) + "-" +
                                     std::to_string(contents_[i].size()),
                         .bytes = contents_[i].size()});
  }

  const std::vector<Table>& tables() const override { return tables_; }
  const std::string& manifest() const override { return manifest_; }
  Version through() const override { return through_; }
  io::Task<Result<std::string>> read(size_t index, uint64_t offset, uint64_t bytes) override {
    co_return contents_[index].substr(offset, bytes);
  }

 private:
  const std::array<std::string, kTables> contents_;
  const Version through_;
  const std::string manifest_{kManifest};
  std::vector<Table> tables_;
};

class MemRestore final : public RestoreTarget {
 public:
  explicit MemRestore(MemOptions options) : options_(std::move(options)) {}

  io::Task<Result<void>> append(std::string table, std::string bytes) override {
    bool known = false;
    for (size_t i = 0; i < kTables; ++i) known = known || table == name_of(i);
    if (!known) co_return fail(Code::kCorrupt, "an engine in memory has no table " + table);
    contents_[table] += bytes;
    co_return Result<void>();
  }

  io::Task<Result<std::unique_ptr<Engine>>> finish(std::string manifest) override {
    if (!manifest.empty() && manifest != kManifest) co_return fail(Code::kCorrupt, "another engine's manifest");
    std::unique_ptr<Engine> engine = make_mem_engine(options_);
    for (const auto& [name, content] : contents_) {
      auto transaction = engine->begin();
      CO_TRY(for_each_write(
          content, [&](std::string_view key, std::string_view value) { transaction->put(key, value); },
          [&](std::string_view key) { transaction->erase(key); }));
      CO_TRY(co_await transaction->commit());
    }
    CO_TRY(co_await engine->sync(engine->last_version()));
    co_return engine;
  }

 private:
  const MemOptions options_;
  std::map<std::string, std::string> contents_;
};

}  // namespace

std::unique_ptr<Checkpoint> make_checkpoint(VersionMap::Cursor& cursor, Version through) {
  std::array<std::string, kTables> contents;
  for (; cursor.valid(); cursor.next())
    append_put(contents[hash_key(cursor.key()) % kTables], cursor.key(), cursor.value());
  return std::make_unique<MemCheckpoint>(std::move(contents), through);
}

}  // namespace mem

std::unique_ptr<RestoreTarget> make_mem_restore_target(MemOptions options) {
  return std::make_unique<mem::MemRestore>(std::move(options));
}

}  // namespace firn::kv
