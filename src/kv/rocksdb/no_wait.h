// Reads of tables that do not wait for the disk: what the page cache holds is read on the reactor, without a detour by
// the blocking pool. Source: preadv2(2), RWF_NOWAIT.
#pragma once

#include <rocksdb/file_system.h>

#include <memory>
#include <string>

namespace firn::kv::rocks {

// While one is alive, reads on this thread through NoWaitReads fail as "incomplete" where they would have to wait.
class NoWait {
 public:
  NoWait() { ++depth_; }
  ~NoWait() { --depth_; }
  NoWait(const NoWait&) = delete;
  static bool active() { return depth_ > 0; }

 private:
  static thread_local int depth_;
};

class NoWaitReads final : public rocksdb::FileSystemWrapper {
 public:
  using rocksdb::FileSystemWrapper::FileSystemWrapper;
  const char* Name() const override { return "firn.NoWaitReads"; }

  rocksdb::IOStatus NewRandomAccessFile(const std::string& path, const rocksdb::FileOptions& options,
                                        std::unique_ptr<rocksdb::FSRandomAccessFile>* result,
                                        rocksdb::IODebugContext* debug) override;
};

}  // namespace firn::kv::rocks
