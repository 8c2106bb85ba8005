// What data/hot's tests run on: a reactor with a disk, real or simulated, and a disk wrapper that counts and fails
// calls.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <memory>
#include <string>

#include "base/ids.h"
#include "io/disk.h"
#include "io/reactor.h"
#include "io/task.h"

namespace firn::data {

// ASSERT_* returns; a coroutine cannot.
#define CO_ASSERT(condition)                     \
  do {                                           \
    if (!(condition)) {                          \
      ADD_FAILURE() << "CO_ASSERT: " #condition; \
      co_return;                                 \
    }                                            \
  } while (false)

// Passes everything on to another disk, counts directory syncs, and refuses new files while told to.
class WatchedDisk final : public io::Disk {
 public:
  explicit WatchedDisk(io::Disk& disk) : disk_(disk) {}

  std::atomic<bool> full = false;              // creating a file fails with kNoSpace
  std::atomic<bool> descriptors_gone = false;  // opening fails with kTooManyOpen, once
  std::atomic<int> directory_syncs = 0;
  std::atomic<int> opens = 0;

  io::Task<Result<std::unique_ptr<io::File>>> open(std::string path, io::OpenOptions options) override {
    ++opens;
    if (options.create && full) co_return fail(Code::kNoSpace);
    if (descriptors_gone.exchange(false)) co_return fail(Code::kTooManyOpen);
    co_return co_await disk_.open(std::move(path), options);
  }
  io::Task<Result<void>> make_directory(std::string path) override { return disk_.make_directory(std::move(path)); }
  io::Task<Result<void>> rename(std::string from, std::string to) override {
    return disk_.rename(std::move(from), std::move(to));
  }
  io::Task<Result<void>> unlink(std::string path) override { return disk_.unlink(std::move(path)); }
  io::Task<Result<io::FileStat>> stat(std::string path) override { return disk_.stat(std::move(path)); }
  io::Task<Result<std::vector<std::string>>> list(std::string path) override { return disk_.list(std::move(path)); }
  io::Task<Result<void>> sync_directory(std::string path) override {
    ++directory_syncs;
    return disk_.sync_directory(std::move(path));
  }
  io::Task<Result<io::DiskUsage>> usage(std::string path) override { return disk_.usage(std::move(path)); }
  io::Task<Result<void>> sync_filesystem(std::string path) override { return disk_.sync_filesystem(std::move(path)); }

 private:
  io::Disk& disk_;
};

inline std::string text_of(BackingId id) { return std::to_string(id.value); }

inline io::Task<Result<void>> write_text(io::File& file, std::string text) {
  co_return co_await file.write(0, std::as_bytes(std::span(text)));
}

inline io::Task<std::string> read_text(io::File& file) {
  std::string text(1 << 16, '\0');
  auto bytes = co_await file.read(0, std::as_writable_bytes(std::span(text)));
  EXPECT_TRUE(bytes.has_value());
  text.resize(bytes.value_or(0));
  co_return text;
}

}  // namespace firn::data
