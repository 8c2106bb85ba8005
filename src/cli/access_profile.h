// Sums up lines of a volume's access log: what firn profile shows.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace firn::cli {

// One line of the access log (docs/observability.md).
struct AccessLine {
  std::string door;
  std::string op;
  uint64_t inode = 0;
  std::string name, path;  // as they are written in the line, escapes and all; empty: the line has none
  uint64_t bytes = 0;
  std::optional<uint32_t> pid;  // of the thread
  std::string client;
  std::string result;
  double us = 0;
};

// nullopt: it tells of no request.
std::optional<AccessLine> parse_access_line(std::string_view line);
// Of "# dropped N lines"; 0 for every other.
uint64_t dropped_in(std::string_view line);

struct AccessSum {
  uint64_t count = 0, errors = 0, bytes = 0;
  double us = 0, longest_us = 0;

  void add(const AccessLine& line);
};

// What requests were: an operation of a door.
struct AccessOperation {
  std::string door, op;
  friend auto operator<=>(const AccessOperation&, const AccessOperation&) = default;
};

// What they were about: an inode, a name in a folder, or a path.
struct AccessTarget {
  uint64_t inode = 0;
  std::string name, path;
  friend auto operator<=>(const AccessTarget&, const AccessTarget&) = default;
};

class AccessProfile {
 public:
  // The process that a thread belongs to; asked once for each thread.
  using ProcessOf = std::function<uint32_t(uint32_t thread)>;
  struct Options {
    ProcessOf process_of = {};  // without it, each thread is one
    std::string door = {};      // only what came through this one; empty: all
  };
  explicit AccessProfile(Options options) : options_(std::move(options)) {}

  // One line, without its end.
  void add(std::string_view line);

  const AccessSum& all() const { return all_; }
  uint64_t dropped() const { return dropped_; }
  // The longest in all first; at most `limit`.
  std::vector<std::pair<std::string, AccessSum>> doors() const;
  std::vector<std::pair<AccessOperation, AccessSum>> operations(size_t limit) const;
  std::vector<std::pair<AccessTarget, AccessSum>> targets(size_t limit) const;
  std::vector<std::pair<uint32_t, AccessSum>> processes(size_t limit) const;
  // By their addresses.
  std::vector<std::pair<std::string, AccessSum>> clients(size_t limit) const;

 private:
  // Beyond it no further targets, or clients, are told apart.
  static constexpr size_t kMostTargets = 100'000;

  uint32_t process_of(uint32_t thread);

  const Options options_;
  std::map<uint32_t, uint32_t> process_of_thread_;
  AccessSum all_;
  uint64_t dropped_ = 0;
  std::map<std::string, AccessSum> doors_;
  std::map<AccessOperation, AccessSum> operations_;
  std::map<AccessTarget, AccessSum> targets_;
  std::map<uint32_t, AccessSum> processes_;
  std::map<std::string, AccessSum> clients_;
};

}  // namespace firn::cli
