// What unlink, rmdir, rename and reclaim share. Private to meta.
#pragma once

#include "meta/mutation.h"
#include "meta/service.h"

namespace firn::meta {

struct FoundEntry {
  Inode* directory;
  Inode* victim;
};

// Locks and reads the parent and what the name names: search permission, kNotFound. `name` must outlive the task.
io::Task<Result<FoundEntry>> find_entry(Mutation& m, const Credentials& who, InodeId parent, std::string_view name);

// kStale unless it is the expected version, where one is expected.
inline Status check_version(const Attr* expected, const Inode& found) {
  return !expected || same_version(*expected, found.attr) ? Code::kOk : Code::kStale;
}

// Marks the inode, its inline value and its xattrs for removal at commit.
io::Task<Result<void>> erase_records(Mutation& m, Inode* inode);

// kNotEmpty when a name is left in the (locked) directory.
io::Task<Result<void>> check_empty(Mutation& m, const Inode& directory);

}  // namespace firn::meta
