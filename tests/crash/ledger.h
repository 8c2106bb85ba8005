// Everything one worker did and what of it was acknowledged: its names and the contents of its files.
// Used by one thread at a time: the worker's, and after it was joined the verifier's.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "names.h"

namespace firn::crash {

struct FoundNode {
  NodeType type = NodeType::kFile;
  uint64_t inode = 0;
  uint64_t size = 0;
  uint64_t links = 0;
};

using FoundTree = std::map<std::string, FoundNode>;
using ReadFile = std::function<bool(const std::string& path, std::vector<std::byte>& content)>;

class Ledger {
 public:
  NameHistory names;
  std::unordered_map<uint64_t, FileModel> files;  // by inode

  // fsync or fdatasync of this file returned.
  void file_synced(uint64_t inode);
  // An O_SYNC write of this file returned: its bytes are safe, what its name is by now is fsync's business.
  void bytes_synced(uint64_t inode) { files.at(inode).settle_all(); }
  void directory_synced(std::string_view path) { names.settle_directory(path); }
  // syncfs returned, or the volume was unmounted cleanly.
  void all_synced();
  // What was acknowledged before `cutoff` must have survived without any sync.
  void age_out(Instant cutoff);
  // A rename replaced another file: if it is seen after a crash, so is what its file contained.
  void replaced_by(uint64_t inode);

  // Compares the tree found (this worker's part) with the ledger, which on success describes it afterwards.
  // Returns the violations; `checked` counts the facts.
  std::vector<std::string> check_and_adopt(const FoundTree& found, const ReadFile& read, uint64_t& checked);

 private:
  struct Floor {
    size_t events = 0;  // if so many events happened,
    uint64_t inode = 0;
    size_t ops = 0;  // then so many ops of this file did too
  };

  void check_links(const FoundTree& found, std::vector<std::string>& wrong) const;

  std::vector<Floor> floors_;
};

// A number for a file that no other has had.
uint32_t new_file_id();

}  // namespace firn::crash
