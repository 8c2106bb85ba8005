// An inode and a directory entry as the service holds them: Attr plus what only the service needs.
#pragma once

#include <memory>
#include <string>

#include "meta/types.h"

namespace firn::meta {

// What few inodes have. Shared and immutable, so that copying an Inode out of the cache is cheap.
struct Extras {
  std::string target;       // symlinks
  std::string access_acl;   // the kernel's xattr representation; empty: the mode says it all
  std::string default_acl;  // directories
};

struct Inode {
  Attr attr;
  uint32_t xattr_bytes = 0;  // names and values of the stored xattrs
  bool has_inline = false;   // there is an inline value
  bool unnamed = false;      // made by O_TMPFILE and never linked: nlink is 0, but link() may name it
  // One of its names, in the directory attr.parent: an entry with it leads here. Empty: none is known (a record from
  // before there was this; a removed name of several).
  std::string name;
  std::shared_ptr<const Extras> extras;

  void name_it(InodeId parent, std::string_view new_name) {
    attr.parent = parent;
    name = new_name;
  }
  // `parent` and `old_name` name it no more.
  void unname(InodeId parent, std::string_view old_name) {
    if (attr.parent != parent || name != old_name) return;
    name.clear();
    if (!is_directory()) attr.parent = InodeId();
  }
  bool is_directory() const { return attr.type == FileType::kDirectory; }
  const std::string& target() const { return get().target; }
  const std::string& access_acl() const { return get().access_acl; }
  const std::string& default_acl() const { return get().default_acl; }
  // Replaces one of the extras; attr.xattr_count is the caller's business.
  void set_extra(std::string Extras::* field, std::string value);

 private:
  const Extras& get() const {
    static const Extras kNone;
    return extras ? *extras : kNone;
  }
};

// `inode` 0 is a negative entry: the name is known not to exist.
struct Dirent {
  InodeId inode;
  FileType type = FileType::kRegular;
  friend bool operator==(const Dirent&, const Dirent&) = default;
};

}  // namespace firn::meta
