// SizePredictor: guesses whether a file about to be made will stay small, from what became of others like it.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>

#include "base/ids.h"

namespace firn::vfs {

// A class of files: those with one extension, in one folder and anywhere.
struct FileClass {
  uint16_t here = 0;
  uint16_t anywhere = 0;
};

// Thread-safe, never blocks; a wrong guess costs speed only. Works like a processor's branch predictor: two tables
// of small counters that may collide.
class SizePredictor {
 public:
  static FileClass class_of(InodeId parent, std::string_view name);

  // Two small files in a row make the next one of their class expected to be small, one large file ends that. A folder
  // without a history goes by what the extension did elsewhere; without any history no file is expected to be small.
  bool expects_small(FileClass kind) const;
  void learn(FileClass kind, bool small);

 private:
  static constexpr size_t kSlots = 4096;
  enum State : uint8_t { kUnknown, kLarge, kSmallOnce, kSmall };
  using Table = std::array<std::atomic<uint8_t>, kSlots>;

  static void learn(std::atomic<uint8_t>& state, bool small);

  Table here_{};
  Table anywhere_{};
};

}  // namespace firn::vfs
