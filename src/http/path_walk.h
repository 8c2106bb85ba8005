// From a path, as HTTP clients give it, to an inode of a volume.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "vfs/volume.h"

namespace firn::http {

inline constexpr int kMaxSymlinks = 40;  // as Linux's own limit

enum class LastLink : uint8_t { kFollow, kKeep };

// Who walks. Converts to the credentials that a volume wants, but is not made from them by chance: a walk that forgot
// its scope does not compile.
struct Asker : meta::Credentials {
  Asker() = default;
  explicit Asker(meta::Credentials who, std::string only_below = "")
      : meta::Credentials(std::move(who)), scope(std::move(only_below)) {}

  // "/a/b", without "." and "..": the folder that no walk may leave, by ".." or a symlink; empty: the whole volume.
  std::string scope;
};

// Whether `path` is `scope`, or below it, and has no "..". Every absolute path is in the empty scope.
bool in_scope(std::string_view scope, std::string_view path);

// Whether `path` is a folder above `scope`.
bool above_scope(std::string_view scope, std::string_view path);

// Resolves an absolute path, "." and ".." and symlinks included; ".." above the root stays there. kAccessDenied: the
// walk would leave the scope. A scope that has a symlink among its folders lets nobody in.
io::Task<Result<vfs::Attr>> resolve(vfs::Volume& volume, Asker who, std::string path, LastLink last_link);

// The directory that holds the last name of `path`, and that name.
struct Place {
  InodeId parent;
  std::string name;
};
// kInvalid for the root, and for a path that ends in "." or "..". The directory is in the scope: the scope's own folder
// has no place.
io::Task<Result<Place>> resolve_parent(vfs::Volume& volume, Asker who, std::string path);

}  // namespace firn::http
