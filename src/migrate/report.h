// What became of every entry that a migration found.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

#include "base/status.h"

namespace firn::migrate {

enum class Outcome : uint8_t {
  kCopied,     // made, with its content
  kLinked,     // another name of a file that is there
  kUnchanged,  // was there, and the same
  kUpdated,    // its content was there; attributes were brought up to date
  kReplaced,   // something else was there, and has gone
  kRenamed,    // copied under another name, for something else has its own
  kSkipped,    // left alone, for the reason given
  kFailed,     // could not be copied, or (verifying) is not the same
};
inline constexpr size_t kOutcomes = 8;
std::string_view name_of(Outcome outcome);

struct Found {
  std::string path;  // of the source
  bool is_folder = false;
  uint64_t bytes = 0;  // regular files
  Outcome outcome = Outcome::kCopied;
  std::string reason = {};
  bool is_equal = false;      // of those made: the migration has copied the same content before
  uint64_t equal_bytes = 0;   // then: of it, holes aside
  uint64_t shared_bytes = 0;  // then: of these, in blocks that it has together with another file
};

struct Tally {
  std::array<uint64_t, kOutcomes> files{}, folders{};
  uint64_t bytes = 0;                                           // of regular files found
  uint64_t copied_bytes = 0;                                    // of those made or replaced
  uint64_t equal_files = 0, equal_bytes = 0, shared_bytes = 0;  // Found's, in all
  uint64_t lost_xattrs = 0;  // entries with attributes of a kind that a volume does not keep

  uint64_t found() const;
  uint64_t failed() const;
};

// Thread-safe; nothing here blocks.
class Report {
 public:
  // `listed`: every entry is to be in the list.
  explicit Report(bool listed) : listed_(listed) {}

  void add(Found found);
  void add_lost_xattrs();
  Tally tally() const;
  // Lines of the list since the last call: {"path":…,"outcome":…,"reason":…} each. Where a path is not UTF-8,
  // "path_hex" has its bytes.
  std::string take_lines();
  // The first few entries that failed or were skipped, for people.
  std::string excerpt() const;

 private:
  const bool listed_;
  mutable std::mutex mutex_;  // guards what follows
  Tally tally_;
  std::string lines_;
  std::string excerpt_;
  uint64_t excerpt_lines_ = 0;
};

// A JSON string, quotes included; bytes that are no UTF-8 become U+FFFD.
std::string json_string(std::string_view text);
// Members without braces: "copied":…,…
std::string json_of(const Tally& tally);

}  // namespace firn::migrate
