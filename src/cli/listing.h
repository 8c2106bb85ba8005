// What the daemon tells of files, read from its JSON.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "base/time.h"
#include "cli/client.h"
#include "cli/target.h"

namespace firn::cli {

enum class FileKind : uint8_t { kFile, kFolder, kSymlink, kOther };

struct Entry {
  std::string path;  // below what was listed: "a", or "a/b"; empty: that itself
  FileKind kind = FileKind::kOther;
  std::string type;  // as the daemon calls it: "fifo"
  uint64_t inode = 0;
  uint64_t nlink = 0;
  uint64_t size = 0;
  uint32_t mode = 0;
  Timestamp mtime;
  bool unreadable = false;  // a folder that is told without what is in it
  std::string symlink;      // its target; only from attributes_of()
};

// The bytes of a member that may be no UTF-8: "name", with "name_hex".
std::string bytes_of(const nlohmann::json& object, const std::string& member);

// What an object says of a file, but for its path. kIo: it is none that firn's daemon makes.
Result<Entry> attributes_in(const nlohmann::json& object);
// One object of a listing. kIo: its path would lead out of the folder that was listed, or it is no such object.
Result<Entry> entry_of(const nlohmann::json& object);

// What `target` is. `follow`: where it is a symlink, what that names.
struct Look {
  bool follow = true;
};
Result<Entry> attributes_of(Client& client, const Target& target, Look look);

// All that is below the folder `target`: folders before what is in them, the entries of each in byte order of their
// names. `object` is what the daemon says of the entry.
using EntrySink = std::function<Status(const Entry& entry, const nlohmann::json& object)>;
Status list_tree(Client& client, const Target& target, const EntrySink& sink);

// "/a" and "b/c" make "/a/b/c"; an empty `below` leaves it as it is.
std::string joined(const std::string& folder, const std::string& below);
// The last name of a path; empty for a root, "." and "..".
std::string last_name(const std::string& path);
// Of what lies at `below` of the target.
Target below(const Target& target, const std::string& path);

}  // namespace firn::cli
