// The library's side of the file system: its calls, and the files that it has open.
#include "kv/testing/lossy_file_system.h"

namespace firn::kv::testing {

using rocksdb::IOStatus;
using rocksdb::Slice;

namespace {

using Fs = LossyFileSystem;

IOStatus no_such(const std::string& path) { return IOStatus::PathNotFound(path, "No such file or directory"); }

class Sequential final : public rocksdb::FSSequentialFile {
 public:
  Sequential(Fs* fs, Fs::Ref file) : fs_(fs), file_(std::move(file)) {}
  IOStatus Read(size_t bytes, const Fs::Options&, Slice* result, char* scratch, Fs::Debug*) override {
    IOStatus status = fs_->read(file_, offset_, bytes, result, scratch);
    offset_ += result->size();
    return status;
  }
  IOStatus Skip(uint64_t bytes) override { return offset_ += bytes, IOStatus::OK(); }

 private:
  Fs* fs_;
  Fs::Ref file_;
  uint64_t offset_ = 0;
};

class RandomAccess final : public rocksdb::FSRandomAccessFile {
 public:
  RandomAccess(Fs* fs, Fs::Ref file) : fs_(fs), file_(std::move(file)) {}
  IOStatus Read(uint64_t offset, size_t bytes, const Fs::Options&, Slice* result, char* scratch,
                Fs::Debug*) const override {
    return fs_->read(file_, offset, bytes, result, scratch);
  }

 private:
  Fs* fs_;
  Fs::Ref file_;
};

class Writable final : public rocksdb::FSWritableFile {
 public:
  Writable(Fs* fs, Fs::Ref file, uint64_t life) : fs_(fs), file_(std::move(file)), life_(life) {}
  using rocksdb::FSWritableFile::Append;
  IOStatus Append(const Slice& data, const Fs::Options&, Fs::Debug*) override {
    IOStatus status = fs_->write(file_, life_, offset_, data);
    if (status.ok()) offset_ += data.size();
    return status;
  }
  IOStatus Truncate(uint64_t bytes, const Fs::Options&, Fs::Debug*) override {
    return fs_->truncate(file_, life_, bytes);
  }
  IOStatus Close(const Fs::Options&, Fs::Debug*) override { return IOStatus::OK(); }
  IOStatus Flush(const Fs::Options&, Fs::Debug*) override { return IOStatus::OK(); }
  IOStatus Sync(const Fs::Options&, Fs::Debug*) override { return fs_->sync(file_, life_); }
  bool IsSyncThreadSafe() const override { return true; }
  uint64_t GetFileSize(const Fs::Options&, Fs::Debug*) override { return offset_; }

 private:
  Fs* fs_;
  Fs::Ref file_;
  uint64_t life_;
  uint64_t offset_ = 0;
};

class RandomWrite final : public rocksdb::FSRandomRWFile {
 public:
  RandomWrite(Fs* fs, Fs::Ref file, uint64_t life) : fs_(fs), file_(std::move(file)), life_(life) {}
  IOStatus Write(uint64_t offset, const Slice& data, const Fs::Options&, Fs::Debug*) override {
    return fs_->write(file_, life_, offset, data);
  }
  IOStatus Read(uint64_t offset, size_t bytes, const Fs::Options&, Slice* result, char* scratch,
                Fs::Debug*) const override {
    return fs_->read(file_, offset, bytes, result, scratch);
  }
  IOStatus Flush(const Fs::Options&, Fs::Debug*) override { return IOStatus::OK(); }
  IOStatus Sync(const Fs::Options&, Fs::Debug*) override { return fs_->sync(file_, life_); }
  IOStatus Close(const Fs::Options&, Fs::Debug*) override { return IOStatus::OK(); }

 private:
  Fs* fs_;
  Fs::Ref file_;
  uint64_t life_;
};

class Directory final : public rocksdb::FSDirectory {
 public:
  Directory(Fs* fs, uint64_t life) : fs_(fs), life_(life) {}
  IOStatus Fsync(const Fs::Options&, Fs::Debug*) override { return fs_->sync_names(life_); }

 private:
  Fs* fs_;
  uint64_t life_;
};

class Lock final : public rocksdb::FileLock {
 public:
  explicit Lock(std::string held) : path(std::move(held)) {}
  const std::string path;
};

}  // namespace

IOStatus LossyFileSystem::NewSequentialFile(const std::string& path, const rocksdb::FileOptions&,
                                            std::unique_ptr<rocksdb::FSSequentialFile>* result, Debug*) {
  Ref file = find(path);
  if (file == nullptr) return no_such(path);
  *result = std::make_unique<Sequential>(this, std::move(file));
  return IOStatus::OK();
}

IOStatus LossyFileSystem::NewRandomAccessFile(const std::string& path, const rocksdb::FileOptions&,
                                              std::unique_ptr<rocksdb::FSRandomAccessFile>* result, Debug*) {
  Ref file = find(path);
  if (file == nullptr) return no_such(path);
  *result = std::make_unique<RandomAccess>(this, std::move(file));
  return IOStatus::OK();
}

IOStatus LossyFileSystem::NewWritableFile(const std::string& path, const rocksdb::FileOptions&,
                                          std::unique_ptr<rocksdb::FSWritableFile>* result, Debug*) {
  if (path.ends_with(".sst")) {
    std::unique_lock lock(state_mutex_);
    released_.wait(lock, [this] { return !tables_held_; });
  }
  auto file = std::make_shared<File>();
  IOStatus status = change({.set = path, .file = file});
  if (status.ok()) *result = std::make_unique<Writable>(this, std::move(file), life_);
  return status;
}

IOStatus LossyFileSystem::ReuseWritableFile(const std::string& path, const std::string& old,
                                            const rocksdb::FileOptions&,
                                            std::unique_ptr<rocksdb::FSWritableFile>* result, Debug* debug) {
  Ref file = find(old);
  if (file == nullptr) return no_such(old);
  IOStatus status = RenameFile(old, path, Options(), debug);
  if (status.ok()) *result = std::make_unique<Writable>(this, std::move(file), life_);
  return status;
}

IOStatus LossyFileSystem::NewRandomRWFile(const std::string& path, const rocksdb::FileOptions&,
                                          std::unique_ptr<rocksdb::FSRandomRWFile>* result, Debug*) {
  Ref file = find(path);
  if (file == nullptr) return no_such(path);
  *result = std::make_unique<RandomWrite>(this, std::move(file), life_);
  return IOStatus::OK();
}

IOStatus LossyFileSystem::NewDirectory(const std::string&, const Options&,
                                       std::unique_ptr<rocksdb::FSDirectory>* result, Debug*) {
  *result = std::make_unique<Directory>(this, life_);
  return IOStatus::OK();
}

IOStatus LossyFileSystem::FileExists(const std::string& path, const Options& options, Debug* debug) {
  if (find(path) != nullptr) return IOStatus::OK();
  std::vector<std::string> children;
  GetChildren(path, options, &children, debug).PermitUncheckedError();
  return children.empty() ? IOStatus::NotFound(path) : IOStatus::OK();
}

IOStatus LossyFileSystem::GetChildren(const std::string& path, const Options&, std::vector<std::string>* result,
                                      Debug*) {
  std::lock_guard lock(state_mutex_);
  const std::string prefix = path.ends_with('/') ? path : path + "/";
  result->clear();
  for (auto entry = names_.lower_bound(prefix); entry != names_.end() && entry->first.starts_with(prefix); ++entry)
    result->push_back(entry->first.substr(prefix.size()));
  return IOStatus::OK();
}

IOStatus LossyFileSystem::DeleteFile(const std::string& path, const Options&, Debug*) {
  if (find(path) == nullptr) return no_such(path);
  return change({.removed = path});
}

IOStatus LossyFileSystem::GetFileSize(const std::string& path, const Options&, uint64_t* bytes, Debug*) {
  const Ref file = find(path);
  if (file == nullptr) return no_such(path);
  *bytes = size(file);
  return IOStatus::OK();
}

IOStatus LossyFileSystem::GetFileModificationTime(const std::string&, const Options&, uint64_t* time, Debug*) {
  *time = 0;
  return IOStatus::OK();
}

IOStatus LossyFileSystem::RenameFile(const std::string& from, const std::string& to, const Options&, Debug*) {
  Ref file = find(from);
  if (file == nullptr) return no_such(from);
  return change({.removed = from, .set = to, .file = std::move(file)});
}

IOStatus LossyFileSystem::LockFile(const std::string& path, const Options&, rocksdb::FileLock** lock, Debug*) {
  std::lock_guard guard(state_mutex_);
  if (!locked_.insert(path).second) return IOStatus::IOError("While lock file: " + path);
  *lock = new Lock(path);
  return IOStatus::OK();
}

IOStatus LossyFileSystem::UnlockFile(rocksdb::FileLock* lock, const Options&, Debug*) {
  std::lock_guard guard(state_mutex_);
  const std::unique_ptr<Lock> held(static_cast<Lock*>(lock));
  locked_.erase(held->path);
  return IOStatus::OK();
}

IOStatus LossyFileSystem::GetTestDirectory(const Options&, std::string* path, Debug*) {
  *path = "/test";
  return IOStatus::OK();
}

IOStatus LossyFileSystem::GetAbsolutePath(const std::string& path, const Options&, std::string* result, Debug*) {
  *result = path;
  return IOStatus::OK();
}

IOStatus LossyFileSystem::IsDirectory(const std::string& path, const Options&, bool* is_directory, Debug*) {
  *is_directory = find(path) == nullptr;
  return IOStatus::OK();
}

}  // namespace firn::kv::testing
