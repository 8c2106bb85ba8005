#include "kv/rocksdb/checkpoint.h"

#include <rocksdb/env.h>
#include <rocksdb/unique_id.h>

#include "io/reactor.h"
#include "kv/rocksdb/status.h"

namespace firn::kv::rocks {

LiveTables::~LiveTables() {
  if (!holds_files_) return;
  // It deletes what has become obsolete, and so may block.
  auto allow = [db = &db_, entry = std::make_shared<io::Gate::Entry>(std::move(entry_))] {
    db->EnableFileDeletions(/*force=*/false).PermitUncheckedError();
  };
  if (pool_ != nullptr && io::Reactor::current() != nullptr)
    pool_->submit(std::move(allow));
  else
    allow();
}

Status LiveTables::take() {
  std::vector<std::string> files;
  uint64_t manifest_bytes = 0;
  rocksdb::Status status = list(files, manifest_bytes);
  rocksdb::TablePropertiesCollection properties;
  if (status.ok()) status = db_.GetPropertiesOfAllTables(&properties);
  for (const std::string& file : files) {
    if (!status.ok()) break;
    const std::string name = file.substr(file.find_first_not_of('/'));
    if (name.ends_with(".sst")) status = add_table(name, properties);
    if (name.starts_with("MANIFEST-")) status = read_manifest(name, manifest_bytes);
  }
  if (status.ok() && manifest_.empty()) return Status(Code::kIo, "take a checkpoint: the database has no manifest");
  return to_status(status, "take a checkpoint");
}

// Deletions are stopped first: what is listed stays. The library lists the tables and the manifest's size under one
// lock, so this much of the manifest names exactly these tables.
rocksdb::Status LiveTables::list(std::vector<std::string>& files, uint64_t& manifest_bytes) {
  rocksdb::Status status = db_.DisableFileDeletions();
  if (!status.ok()) return status;
  holds_files_ = true;
  return db_.GetLiveFiles(files, &manifest_bytes, /*flush_memtable=*/true);
}

rocksdb::Status LiveTables::read_manifest(const std::string& name, uint64_t bytes) {
  std::unique_ptr<rocksdb::RandomAccessFile> file;
  rocksdb::Status status = db_.GetEnv()->NewRandomAccessFile(db_.GetName() + "/" + name, &file, rocksdb::EnvOptions());
  if (!status.ok()) return status;
  std::string content(bytes, '\0');
  rocksdb::Slice read;
  status = file->Read(0, bytes, &read, content.data());
  if (status.ok() && read.size() != bytes) return rocksdb::Status::Corruption("the manifest is cut short", name);
  manifest_ = name + kManifestNameEnd;
  manifest_.append(read.data(), read.size());
  return status;
}

rocksdb::Status LiveTables::add_table(const std::string& name, const rocksdb::TablePropertiesCollection& properties) {
  Table table{.name = name};
  const std::string path = db_.GetName() + "/" + name;
  rocksdb::Status status = db_.GetEnv()->GetFileSize(path, &table.bytes);
  // A table that has been compacted away meanwhile has no properties here: it is then sent again, no more.
  const auto found = properties.find(path);
  if (found != properties.end() &&
      !rocksdb::GetExtendedUniqueIdFromTableProperties(*found->second, &table.identity).ok())
    table.identity.clear();
  tables_.push_back(std::move(table));
  return status;
}

Result<std::string> LiveTables::read_now(size_t index, uint64_t offset, uint64_t bytes) const {
  const std::string path = db_.GetName() + "/" + tables_[index].name;
  std::unique_ptr<rocksdb::RandomAccessFile> file;
  rocksdb::Status status = db_.GetEnv()->NewRandomAccessFile(path, &file, rocksdb::EnvOptions());
  std::string content(bytes, '\0');
  rocksdb::Slice read;
  if (status.ok()) status = file->Read(offset, bytes, &read, content.data());
  if (!status.ok()) return fail(to_status(status, "read the table " + path));
  if (read.size() != bytes) return fail(Code::kCorrupt, "the table " + path + " is cut short");
  if (read.data() != content.data()) content.assign(read.data(), read.size());
  return content;
}

io::Task<Result<std::string>> LiveTables::read(size_t index, uint64_t offset, uint64_t bytes) {
  if (pool_ == nullptr || io::Reactor::current() == nullptr) co_return read_now(index, offset, bytes);
  co_return co_await pool_->run([this, index, offset, bytes] { return read_now(index, offset, bytes); });
}

}  // namespace firn::kv::rocks
