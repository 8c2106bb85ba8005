// A database's folder, made of a checkpoint's parts.
#include <rocksdb/env.h>

#include <algorithm>
#include <map>
#include <mutex>

#include "io/reactor.h"
#include "kv/rocksdb/checkpoint.h"
#include "kv/rocksdb/rocksdb_engine.h"
#include "kv/rocksdb/status.h"
#include "kv/shipping.h"

namespace firn::kv {

namespace {

bool digits(std::string_view text) {
  return !text.empty() && text.size() <= 20 && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

bool is_table(std::string_view name) { return name.ends_with(".sst") && digits(name.substr(0, name.size() - 4)); }
bool is_manifest(std::string_view name) { return name.starts_with("MANIFEST-") && digits(name.substr(9)); }

// CURRENT is written last: until then there is no database, and the next attempt replaces what is there.
class RocksdbRestore final : public RestoreTarget {
 public:
  explicit RocksdbRestore(RocksdbOptions options)
      : options_(std::move(options)), env_(options_.env != nullptr ? options_.env : rocksdb::Env::Default()) {}

  io::Task<Result<void>> append(std::string table, std::string bytes) override {
    Status done = co_await blocking([&] { return append_now(table, bytes); });
    if (!done.ok()) co_return fail(std::move(done));
    co_return Result<void>();
  }

  io::Task<Result<std::unique_ptr<Engine>>> finish(std::string manifest) override {
    co_return co_await blocking([&] { return finish_now(manifest); });
  }

 private:
  template <class Work>
  io::Task<std::invoke_result_t<Work>> blocking(Work work) {
    if (options_.blocking_pool == nullptr || io::Reactor::current() == nullptr) co_return work();
    co_return co_await options_.blocking_pool->run(std::move(work));
  }

  rocksdb::Status create(const std::string& name, std::unique_ptr<rocksdb::WritableFile>& file) {
    if (env_->FileExists(options_.path + "/CURRENT").ok())
      return rocksdb::Status::InvalidArgument("there is a database already", options_.path);
    rocksdb::Status status = env_->CreateDirIfMissing(options_.path);
    if (status.ok()) status = env_->NewWritableFile(options_.path + "/" + name, &file, rocksdb::EnvOptions());
    return status;
  }

  Status append_now(const std::string& table, const std::string& bytes) {
    if (!is_table(table)) return Status(Code::kCorrupt, "a table has a name that RocksDB would not give it");
    std::unique_ptr<rocksdb::WritableFile>* file = nullptr;
    {
      std::lock_guard lock(files_mutex_);
      file = &files_[table];
    }
    rocksdb::Status status;
    if (*file == nullptr) status = create(table, *file);
    if (status.ok()) status = (*file)->Append(bytes);
    return rocks::to_status(status, "restore the table " + table);
  }

  static rocksdb::Status seal(rocksdb::WritableFile& file) {
    rocksdb::Status status = file.Sync();
    return status.ok() ? file.Close() : status;
  }

  rocksdb::Status write_file(const std::string& name, std::string_view content) {
    std::unique_ptr<rocksdb::WritableFile> file;
    rocksdb::Status status = create(name, file);
    if (status.ok()) status = file->Append(rocksdb::Slice(content.data(), content.size()));
    return status.ok() ? seal(*file) : status;
  }

  rocksdb::Status sync_folder() {
    std::unique_ptr<rocksdb::Directory> folder;
    rocksdb::Status status = env_->NewDirectory(options_.path, &folder);
    return status.ok() ? folder->Fsync() : status;
  }

  Status write_all(const std::string& manifest) {
    const size_t name_end = manifest.find(rocks::kManifestNameEnd);
    const std::string name = manifest.substr(0, name_end);
    if (name_end == std::string::npos || !is_manifest(name))
      return Status(Code::kCorrupt, "this is not the manifest of a RocksDB database");
    rocksdb::Status status;
    for (auto& [table, file] : files_)
      if (status.ok() && file != nullptr) status = seal(*file);
    if (status.ok()) status = write_file(name, std::string_view(manifest).substr(name_end + 1));
    if (status.ok()) status = sync_folder();
    if (status.ok()) status = write_file("CURRENT.tmp", name + "\n");
    if (status.ok()) status = env_->RenameFile(options_.path + "/CURRENT.tmp", options_.path + "/CURRENT");
    if (status.ok()) status = sync_folder();
    return rocks::to_status(status, "restore the database " + options_.path);
  }

  Result<std::unique_ptr<Engine>> finish_now(const std::string& manifest) {
    if (!manifest.empty()) TRY(write_all(manifest));
    files_.clear();
    RocksdbOptions options = options_;
    options.create = manifest.empty();
    return open_rocksdb(std::move(options));
  }

  const RocksdbOptions options_;
  rocksdb::Env* const env_;
  std::mutex files_mutex_;  // guards the map, not the files
  std::map<std::string, std::unique_ptr<rocksdb::WritableFile>> files_;
};

}  // namespace

std::unique_ptr<RestoreTarget> make_rocksdb_restore_target(RocksdbOptions options) {
  return std::make_unique<RocksdbRestore>(std::move(options));
}

}  // namespace firn::kv
