// What fsck knows after reading every record once.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "kv/kv.h"
#include "meta/inode.h"
#include "vfs/fsck/fsck.h"

namespace firn::vfs::internal {

// An inode's record, boiled down, and what points at it.
struct InodeFacts {
  meta::FileType type = meta::FileType::kRegular;
  uint32_t nlink = 0;
  uint64_t size = 0;
  uint64_t allocated_bytes = 0;
  InodeId parent;  // the record's, of a directory
  meta::Content content;
  bool has_inline = false;   // the record says so
  uint32_t xattr_count = 0;  // the record's; ACLs included
  uint32_t acl_count = 0;
  bool undecodable = false;

  // Found:
  uint32_t names = 0;
  uint32_t subdirectories = 0;
  InodeId named_in;  // the first directory that names it, and under which name
  std::string name;
  bool inline_found = false;
  uint64_t inline_bytes = 0;
  uint32_t xattrs_found = 0;
  bool orphan_record = false;
  bool live_record = false;
};

// A change that mends something: nullopt erases the key.
struct Fix {
  std::string key;
  std::optional<std::string> value;
};

struct Finding {
  FsckProblem problem;
  std::vector<Fix> fixes;  // empty: not repairable
  bool adopt = false;      // repairable by giving the inode a name in /lost+found
};

struct Name {
  InodeId parent;
  std::string name;
  InodeId target;
  meta::FileType type;
};

struct Census {
  std::unordered_map<InodeId, InodeFacts> inodes;
  std::vector<Name> extra_names;  // further names of directories, which may have only one
  std::vector<Finding> findings;
  uint64_t counted_inodes = 0;  // the volume's own counters
  uint64_t counted_bytes = 0;
  uint64_t names = 0;
  bool clean_end = true;    // the last run ended cleanly; otherwise the next mount asks the backings for sizes
  uint64_t unfinished = 0;  // files of which it will find another size

  InodeFacts* find(InodeId inode) {
    auto it = inodes.find(inode);
    return it == inodes.end() ? nullptr : &it->second;
  }
  void report(InodeId inode, std::string what, std::vector<Fix> fixes = {});
  // "/a/b" by way of the first names found; empty when the chain does not reach the root.
  std::string path_of(InodeId inode) const;
};

// Reads every record. Findings of this stage: keys and records that cannot be decoded, and records of inodes that do
// not exist.
io::Task<Result<void>> take_census(kv::Engine& engine, const FsckOptions& options, Census& census);

// Pure checks on what was read.
void check_tree(Census& census);
void check_inodes(Census& census);
void check_counters(Census& census);
// Against the backing files.
io::Task<Result<void>> check_backings(data::Store& store, Census& census, FsckReport& report);

// Applies the fixes in bounded transactions, marks the problems repaired, names the adopted in /lost+found.
io::Task<Result<void>> repair(kv::Engine& engine, Census& census);

}  // namespace firn::vfs::internal
