// The names of one worker, their history, and which trees a crash may leave of it.
//
// Changes of names are transactions in one log, so a crash leaves what some prefix of the history made: never less
// than what was acknowledged as durable, never a later change without an earlier one.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "file_model.h"

namespace firn::crash {

enum class NodeType : uint8_t { kFile, kDirectory, kSymlink };

struct Entry {
  uint64_t inode = 0;  // 0: not known, because the call that made it never returned
  NodeType type = NodeType::kFile;
  friend bool operator==(const Entry& a, const Entry& b) {
    return a.type == b.type && (a.inode == b.inode || a.inode == 0 || b.inode == 0);
  }
};

using Names = std::map<std::string, Entry>;  // by path relative to the mount

struct Event {
  enum class Kind : uint8_t { kMake, kRemove, kRename, kExchange };
  Kind kind = Kind::kMake;
  std::string path;
  std::string new_path = {};  // kRename, kExchange
  Entry entry = {};           // kMake
  bool in_flight = true;
  Instant done = {};
};

void apply(Names& names, const Event& event);
std::string to_string(const Event& event);
std::string_view parent_of(std::string_view path);

class NameHistory {
 public:
  const Names& now() const { return now_; }
  // How many events there have ever been.
  size_t count() const { return settled_count_ + events_.size(); }

  void begin(Event event) { events_.push_back(std::move(event)); }
  // The inode is the one that a kMake turned out to have.
  void finish(bool happened, uint64_t inode = 0);

  // The first `count` events are durable.
  void settle(size_t count);
  void settle_older(Instant cutoff);
  // Durable up to the last event that touched this inode's names, or a name in this directory.
  void settle_inode(uint64_t inode);
  void settle_directory(std::string_view path);

  // The number of events that surely happened, given the tree found; negative when no prefix makes it, and then
  // `why` says what is wrong. On success the tree becomes the base.
  int64_t check_and_adopt(const Names& found, std::string& why);

 private:
  std::string explain(const Names& found) const;

  Names base_;  // durable
  Names now_;
  std::vector<Event> events_;
  size_t settled_count_ = 0;
};

}  // namespace firn::crash
