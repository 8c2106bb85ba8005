// cli::PartFile: a local file while it comes: .NAME.firn-part beside NAME, which takes the name when all of it is
// there.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/status.h"
#include "base/time.h"
#include "io/unique_fd.h"

namespace firn::cli {

// Invariants of the part file:
//  1. Whoever writes it holds an exclusive flock on it.
//  2. While it has a tag (an extended attribute), it begins as that version of the file does.
// It stays when the process ends early; the next one goes on with it.
class PartFile {
 public:
  // Opens or makes the one of `path`, whose folder must be there. kBusy: another process writes it.
  static Result<PartFile> open(const std::string& path);

  uint64_t bytes() const { return bytes_; }
  // The entity tag of what it is a part of; empty: not known, so that it is of no use.
  std::string tag() const;

  // Empties it; what comes is of the version `tag`.
  Status restart(const std::string& tag);
  // Cuts off what lies behind `bytes`, which it has.
  Status cut(uint64_t bytes);
  Status append(std::span<const std::byte> data);

  struct Attributes {
    uint32_t mode = 0600;
    Timestamp mtime;
  };
  // It is of no use, and goes.
  void discard();
  // Replaces what `path` names.
  Status publish(const Attributes& attributes);

 private:
  PartFile(std::string path, std::string part, io::UniqueFd fd, uint64_t bytes)
      : path_(std::move(path)), part_(std::move(part)), fd_(std::move(fd)), bytes_(bytes) {}

  std::string path_, part_;
  io::UniqueFd fd_;
  uint64_t bytes_ = 0;
};

inline constexpr std::string_view kPartSuffix = ".firn-part";
// Where PartFile keeps what is to become `path`.
std::string part_path(const std::string& path);

}  // namespace firn::cli
