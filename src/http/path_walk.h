// From a path, as HTTP clients give it, to an inode of a volume.
#pragma once

#include <string>
#include <string_view>

#include "vfs/volume.h"

namespace firn::http {

inline constexpr int kMaxSymlinks = 40;  // as Linux's own limit

enum class LastLink : uint8_t { kFollow, kKeep };

// Resolves an absolute path, "." and ".." and symlinks included; ".." above the root stays there.
io::Task<Result<vfs::Attr>> resolve(vfs::Volume& volume, meta::Credentials who, std::string path, LastLink last_link);

// The directory that holds the last name of `path`, and that name.
struct Place {
  InodeId parent;
  std::string name;
};
// kInvalid for the root, and for a path that ends in "." or "..".
io::Task<Result<Place>> resolve_parent(vfs::Volume& volume, meta::Credentials who, std::string path);

}  // namespace firn::http
