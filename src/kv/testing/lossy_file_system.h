// A file system in memory for the library, which forgets in a power cut what was not synced.
#pragma once

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace firn::kv::testing {

// The fault model:
//  1. Of a file written since its last sync, each sector holds after the cut the new bytes or the old ones (zeros where
//     there were none), and its size is anything between the synced and the last.
//  2. Names created, renamed and removed since the last sync of a directory survive as a prefix of their order.
//  3. After cut() everything fails until restart(); files open before stay dead for ever.
// Paths are flat names with slashes: folders exist as soon as something is put in them.
class LossyFileSystem final : public rocksdb::FileSystem {
 public:
  struct File {
    std::string bytes;
    std::string synced;
  };
  using Ref = std::shared_ptr<File>;
  using Options = rocksdb::IOOptions;
  using Debug = rocksdb::IODebugContext;
  using IOStatus = rocksdb::IOStatus;

  const char* Name() const override { return "firn.LossyFileSystem"; }

  // The power fails.
  void cut();
  // It will, at the write after so many more.
  void cut_after(uint64_t writes);
  // It is back; `seed` decides what survived.
  void restart(uint64_t seed);
  // Writes that would grow the sum of all files beyond `bytes` fail with no space left.
  void set_capacity(uint64_t bytes) { capacity_ = bytes; }
  uint64_t used_bytes();
  // Flips one bit of the file with this name, synced or not.
  void damage(const std::string& path, uint64_t offset);
  // Writers of tables wait, until the power is cut.
  void hold_tables();
  // As if everything had been written back just now.
  void sync_everything();
  // What reordered write-back can leave of unsynced bytes: zeros, with newer bytes after them.
  void zero(const std::string& path, uint64_t offset, uint64_t bytes);
  void shorten(const std::string& path, uint64_t bytes);
  std::vector<std::string> names();
  std::string contents(const std::string& path);
  uint64_t size(const std::string& path);

  IOStatus NewSequentialFile(const std::string& path, const rocksdb::FileOptions&,
                             std::unique_ptr<rocksdb::FSSequentialFile>* result, Debug*) override;
  IOStatus NewRandomAccessFile(const std::string& path, const rocksdb::FileOptions&,
                               std::unique_ptr<rocksdb::FSRandomAccessFile>* result, Debug*) override;
  IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions&,
                           std::unique_ptr<rocksdb::FSWritableFile>* result, Debug*) override;
  IOStatus ReuseWritableFile(const std::string& path, const std::string& old, const rocksdb::FileOptions&,
                             std::unique_ptr<rocksdb::FSWritableFile>* result, Debug*) override;
  IOStatus NewRandomRWFile(const std::string& path, const rocksdb::FileOptions&,
                           std::unique_ptr<rocksdb::FSRandomRWFile>* result, Debug*) override;
  IOStatus NewDirectory(const std::string& path, const Options&, std::unique_ptr<rocksdb::FSDirectory>* result,
                        Debug*) override;
  IOStatus FileExists(const std::string& path, const Options&, Debug*) override;
  IOStatus GetChildren(const std::string& path, const Options&, std::vector<std::string>* result, Debug*) override;
  IOStatus DeleteFile(const std::string& path, const Options&, Debug*) override;
  IOStatus CreateDir(const std::string&, const Options&, Debug*) override { return IOStatus::OK(); }
  IOStatus CreateDirIfMissing(const std::string&, const Options&, Debug*) override { return IOStatus::OK(); }
  IOStatus DeleteDir(const std::string&, const Options&, Debug*) override { return IOStatus::OK(); }
  IOStatus GetFileSize(const std::string& path, const Options&, uint64_t* bytes, Debug*) override;
  IOStatus GetFileModificationTime(const std::string& path, const Options&, uint64_t* time, Debug*) override;
  IOStatus RenameFile(const std::string& from, const std::string& to, const Options&, Debug*) override;
  IOStatus LockFile(const std::string& path, const Options&, rocksdb::FileLock** lock, Debug*) override;
  IOStatus UnlockFile(rocksdb::FileLock* lock, const Options&, Debug*) override;
  IOStatus GetTestDirectory(const Options&, std::string* path, Debug*) override;
  IOStatus GetAbsolutePath(const std::string& path, const Options&, std::string* result, Debug*) override;
  IOStatus IsDirectory(const std::string& path, const Options&, bool* is_directory, Debug*) override;

  // For the open files. `life` is the one they were opened in.
  IOStatus write(const Ref& file, uint64_t life, uint64_t offset, const rocksdb::Slice& data);
  IOStatus read(const Ref& file, uint64_t offset, size_t bytes, rocksdb::Slice* result, char* scratch);
  IOStatus truncate(const Ref& file, uint64_t life, uint64_t bytes);
  IOStatus sync(const Ref& file, uint64_t life);
  IOStatus sync_names(uint64_t life);
  uint64_t size(const Ref& file);

 private:
  using Names = std::map<std::string, Ref>;
  // A change of the name space; a rename is one.
  struct Change {
    std::string removed;  // may be empty
    std::string set;      // may be empty
    Ref file;
  };

  Ref find(const std::string& path);
  IOStatus change(Change change);
  static void apply(const Change& change, Names& names);
  uint64_t total_bytes() const;

  std::mutex state_mutex_;  // guards everything below and the files' contents
  bool down_ = false;
  bool tables_held_ = false;
  std::condition_variable released_;
  uint64_t writes_left_ = ~uint64_t{0};
  uint64_t life_ = 0;
  Names names_;
  Names synced_names_;
  std::vector<Change> unsynced_;
  std::set<std::string> locked_;
  std::atomic<uint64_t> capacity_ = ~uint64_t{0};
};

}  // namespace firn::kv::testing
