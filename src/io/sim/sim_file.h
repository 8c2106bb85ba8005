// internal: io::File on a SimDisk.
#pragma once

#include <string>

#include "io/sim/sim_disk.h"

namespace firn::io {

class SimFile final : public File {
 public:
  SimFile(SimDisk& disk, std::string path, internal::SimNodeRef node, bool writable);
  ~SimFile() override;

  Task<Result<size_t>> read(uint64_t offset, std::span<std::byte> buffer) override;
  Task<Result<void>> write(uint64_t offset, std::span<const std::byte> data) override;
  Task<Result<void>> sync(bool data_only) override;
  Task<void> start_writeback(uint64_t offset, uint64_t bytes) override;
  Task<Result<void>> truncate(uint64_t bytes) override;
  Task<Result<void>> allocate(Allocate mode, uint64_t offset, uint64_t bytes) override;
  Task<Result<uint64_t>> seek(Seek what, uint64_t offset) override;
  Task<Result<FileStat>> stat() override;
  Task<Result<void>> set_times(Timestamp atime, Timestamp mtime) override;
  Task<Result<size_t>> write_pages(uint64_t offset, std::span<const std::byte> data) override;
  Task<Result<uint64_t>> copy_from(File& source, uint64_t source_offset, uint64_t offset, uint64_t bytes) override;
  Task<Result<uint64_t>> share_blocks_of(File& source, uint64_t source_offset, uint64_t offset,
                                         uint64_t bytes) override;

 private:
  // A write through the page cache.
  Result<void> write_cached(uint64_t offset, std::span<const std::byte> data);
  Result<void> write_now(uint64_t offset, std::span<const std::byte> data);

  SimDisk& disk_;
  std::string path_;
  internal::SimNodeRef node_;
  bool writable_;
};

namespace internal {
FileStat stat_of(const SimNode& node);
}  // namespace internal

template <class Change>
void SimDisk::change(internal::SimNode& node, Change change) {
  const uint64_t before = node.now.sectors.size();
  change();
  used_sectors_ = used_sectors_ + node.now.sectors.size() - before;
}

}  // namespace firn::io
