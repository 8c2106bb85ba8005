// What fsck knows after reading every record once.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "kv/kv.h"
#include "meta/inode.h"
#include "meta/usage.h"
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
  meta::Policy policy;
  bool has_inline = false;   // the record says so
  uint32_t xattr_count = 0;  // the record's; ACLs included
  uint32_t acl_count = 0;
  uint64_t known_as = 0;  // hash_key() of the entry that the record says leads here; 0: it says nothing
  bool undecodable = false;

  // Found:
  uint32_t names = 0;
  uint32_t subdirectories = 0;
  InodeId named_in;  // the first directory that names it, and under which name
  std::string name;
  bool known_name_found = false;
  bool inline_found = false;
  uint64_t inline_bytes = 0;
  uint32_t xattrs_found = 0;
  bool orphan_record = false;
  bool live_record = false;
  bool pending_record = false;
  uint64_t journal_found = 0;
  uint64_t chunks_in_place = 0;  // records of chunks that an uploaded file should have

  // What colder tiers need not have: it waits for nothing.
  bool is_local() const { return policy.skips_every_tier(); }
  bool uploaded() const {
    return content.settled && content.generation > 0 && content.generation == content.uploaded_generation;
  }
  // Set by a check: a repair makes the file pending, so that what colder tiers lack of it is uploaded.
  bool requeue = false;
};

// A blob's records, and the chunks that refer to it.
struct BlobFacts {
  bool recorded = false;
  uint64_t bytes = 0;
  uint32_t tiers = 0;
  bool counted = false;  // there is a counter
  uint64_t counter = 0;
  uint64_t references = 0;
  uint64_t referenced_bytes = 0;
};

// A change that mends something: nullopt erases the key. With a delta: that is added to the counter there, instead.
struct Fix {
  std::string key;
  std::optional<std::string> value;
  int64_t delta = 0;
};

struct Finding {
  FsckProblem problem;
  std::vector<Fix> fixes;  // empty: not repairable
  bool adopt = false;      // repairable by giving the inode a name in /lost+found
  bool deep = false;       // in colder tiers: repair_deep() sees to it
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
  std::unordered_map<std::string, BlobFacts> blobs;  // by name
  uint64_t chunk_bytes = 0;                          // the volume's
  uint64_t hot_id = 0;                               // of the folder of backings
  uint64_t chunks = 0;
  meta::UsageShare counted = {};  // the volume's own counters
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

// The records of colder tiers; after the others. Findings of this stage: those that contradict others one by one.
io::Task<Result<void>> take_tier_census(kv::Engine& engine, const FsckOptions& options, Census& census);

// Pure checks on what was read.
void check_tree(Census& census);
void check_inodes(Census& census);
void check_counters(Census& census);
void check_tiers(Census& census);
// Against the backing files.
io::Task<Result<void>> check_backings(data::Store& store, Census& census, FsckReport& report);

// Against what is in colder tiers. Needs what they are (FsckOptions::deep).
io::Task<Result<void>> check_deep(kv::Engine& engine, const FsckOptions& options, Census& census, FsckReport& report);
// Mends what another place has, after repair(), and marks what is no problem any more.
io::Task<Result<void>> repair_deep(kv::Engine& engine, data::Store& store, const FsckOptions& options, Census& census);

// Applies the fixes in bounded transactions, marks the problems repaired, names the adopted in /lost+found.
io::Task<Result<void>> repair(kv::Engine& engine, Census& census);

}  // namespace firn::vfs::internal
