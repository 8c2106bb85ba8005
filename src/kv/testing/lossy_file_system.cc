#include "kv/testing/lossy_file_system.h"

#include <algorithm>
#include <cstring>

namespace firn::kv::testing {

using rocksdb::IOStatus;
using rocksdb::Slice;

struct LossyFileSystem::File {
  std::string bytes;
  std::string synced;
};

namespace {

constexpr size_t kSectorBytes = 512;
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

// What a power cut leaves of contents that were `now` in memory and `synced` on the disk.
std::string survivor(const std::string& now, const std::string& synced, std::mt19937_64& random) {
  const auto [low, high] = std::minmax({now.size(), synced.size()});  // by value
  std::string bytes = synced;
  bytes.resize(low + random() % (high - low + 1));
  const uint64_t loss = random() % 4;  // 0: none of the sectors, 3: all of them survived
  for (size_t offset = 0; offset < std::min(bytes.size(), now.size()); offset += kSectorBytes) {
    if (loss == 0 || (loss < 3 && random() % 3 >= loss)) continue;
    const size_t count = std::min({kSectorBytes, bytes.size() - offset, now.size() - offset});
    std::memcpy(bytes.data() + offset, now.data() + offset, count);
  }
  return bytes;
}

}  // namespace

void LossyFileSystem::cut() {
  std::lock_guard lock(state_mutex_);
  down_ = true;
  tables_held_ = false;
  released_.notify_all();
}

void LossyFileSystem::hold_tables() {
  std::lock_guard lock(state_mutex_);
  tables_held_ = true;
}

void LossyFileSystem::sync_everything() {
  std::lock_guard lock(state_mutex_);
  unsynced_.clear();
  synced_names_ = names_;
  for (auto& [path, file] : names_) file->synced = file->bytes;
}

std::string LossyFileSystem::contents(const std::string& path) {
  std::lock_guard lock(state_mutex_);
  return names_.at(path)->bytes;
}

void LossyFileSystem::cut_after(uint64_t writes) {
  std::lock_guard lock(state_mutex_);
  writes_left_ = writes;
}

void LossyFileSystem::restart(uint64_t seed) {
  std::lock_guard lock(state_mutex_);
  std::mt19937_64 random(seed);
  down_ = false;
  writes_left_ = ~uint64_t{0};
  ++life_;
  const size_t kept = random() % (unsynced_.size() + 1);
  for (size_t i = 0; i < kept; ++i) apply(unsynced_[i], synced_names_);
  unsynced_.clear();
  locked_.clear();
  // New files, so that what is still open cannot touch them.
  for (auto& [path, file] : synced_names_) {
    const std::string bytes = survivor(file->bytes, file->synced, random);
    file = std::make_shared<File>(File{bytes, bytes});
  }
  names_ = synced_names_;
}

uint64_t LossyFileSystem::total_bytes() const {
  uint64_t sum = 0;
  for (const auto& [path, file] : names_) sum += file->bytes.size();
  return sum;
}

uint64_t LossyFileSystem::used_bytes() {
  std::lock_guard lock(state_mutex_);
  return total_bytes();
}

void LossyFileSystem::damage(const std::string& path, uint64_t offset) {
  std::lock_guard lock(state_mutex_);
  File& file = *names_.at(path);
  for (std::string* bytes : {&file.bytes, &file.synced})
    if (offset < bytes->size()) (*bytes)[offset] = static_cast<char>((*bytes)[offset] ^ 0x10);
}

void LossyFileSystem::zero(const std::string& path, uint64_t offset, uint64_t bytes) {
  std::lock_guard lock(state_mutex_);
  File& file = *names_.at(path);
  for (std::string* content : {&file.bytes, &file.synced})
    for (uint64_t i = offset; i < std::min<uint64_t>(offset + bytes, content->size()); ++i) (*content)[i] = '\0';
}

void LossyFileSystem::shorten(const std::string& path, uint64_t bytes) {
  std::lock_guard lock(state_mutex_);
  File& file = *names_.at(path);
  for (std::string* content : {&file.bytes, &file.synced}) content->resize(std::min<uint64_t>(content->size(), bytes));
}

std::vector<std::string> LossyFileSystem::names() {
  std::lock_guard lock(state_mutex_);
  std::vector<std::string> paths;
  for (const auto& [path, file] : names_) paths.push_back(path);
  return paths;
}

uint64_t LossyFileSystem::size(const std::string& path) {
  std::lock_guard lock(state_mutex_);
  return names_.at(path)->bytes.size();
}

LossyFileSystem::Ref LossyFileSystem::find(const std::string& path) {
  std::lock_guard lock(state_mutex_);
  const auto found = names_.find(path);
  return found == names_.end() ? nullptr : found->second;
}

void LossyFileSystem::apply(const Change& change, Names& names) {
  if (!change.removed.empty()) names.erase(change.removed);
  if (!change.set.empty()) names[change.set] = change.file;
}

IOStatus LossyFileSystem::change(Change change) {
  std::lock_guard lock(state_mutex_);
  if (down_) return IOStatus::IOError("power is off");
  apply(change, names_);
  unsynced_.push_back(std::move(change));
  return IOStatus::OK();
}

IOStatus LossyFileSystem::write(const Ref& file, uint64_t life, uint64_t offset, const Slice& data) {
  std::lock_guard lock(state_mutex_);
  if (writes_left_ == 0) down_ = true;
  if (down_ || life != life_) return IOStatus::IOError("power is off");
  --writes_left_;
  const uint64_t end = offset + data.size();
  if (end > file->bytes.size()) {
    if (total_bytes() + (end - file->bytes.size()) > capacity_) return IOStatus::NoSpace("the disk is full");
    file->bytes.resize(end);
  }
  std::memcpy(file->bytes.data() + offset, data.data(), data.size());
  return IOStatus::OK();
}

IOStatus LossyFileSystem::read(const Ref& file, uint64_t offset, size_t bytes, Slice* result, char* scratch) {
  std::lock_guard lock(state_mutex_);
  const size_t count = offset >= file->bytes.size() ? 0 : std::min(bytes, file->bytes.size() - offset);
  if (count > 0) std::memcpy(scratch, file->bytes.data() + offset, count);
  *result = Slice(scratch, count);
  return IOStatus::OK();
}

IOStatus LossyFileSystem::truncate(const Ref& file, uint64_t life, uint64_t bytes) {
  std::lock_guard lock(state_mutex_);
  if (down_ || life != life_) return IOStatus::IOError("power is off");
  file->bytes.resize(bytes);
  return IOStatus::OK();
}

IOStatus LossyFileSystem::sync(const Ref& file, uint64_t life) {
  std::lock_guard lock(state_mutex_);
  if (down_ || life != life_) return IOStatus::IOError("power is off");
  file->synced = file->bytes;
  return IOStatus::OK();
}

IOStatus LossyFileSystem::sync_names(uint64_t life) {
  std::lock_guard lock(state_mutex_);
  if (down_ || life != life_) return IOStatus::IOError("power is off");
  unsynced_.clear();
  synced_names_ = names_;
  return IOStatus::OK();
}

uint64_t LossyFileSystem::size(const Ref& file) {
  std::lock_guard lock(state_mutex_);
  return file->bytes.size();
}

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
