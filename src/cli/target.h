// From a PATH argument to a volume's daemon and a path inside the volume.
#pragma once

#include <optional>
#include <string>

#include "base/status.h"
#include "cli/client.h"

namespace firn::cli {

struct Target {
  Served served;
  std::string inner;  // "/a/b"; the root is "/"
};

// VOLUME:/PATH; where --url or FIRN_URL names a server, an absolute path in its volume; a path inside a mounted volume;
// an absolute path that is in none, in the volume of any_server(). The last component need not exist and is not
// followed.
Result<Target> find_target(const std::string& argument);

// The same, but a volume's folder or mount point stands for all of it.
Result<Target> find_tree(const std::string& argument);

// Whether `argument` is VOLUME:/PATH, of a volume on this machine.
bool names_volume_of_this_machine(const std::string& argument);

// The volume on this machine that `argument` is: its folder, or where it is mounted.
Result<VolumePaths> local_volume(const std::string& argument);

// The volume that `argument` is: its folder, or where it is mounted. Of an empty one, the volume of the server that
// --url or FIRN_URL names. Where the command line names a server, `argument` must be empty.
Result<Served> served_volume(const std::string& argument);

// What a local path is in the firn volume that it lies in, where no --url names another; nullopt: it lies in none.
std::optional<Target> mounted_target(const std::string& path);
// Whether `target` is the folder, or lies below it.
bool lies_in(const Target& target, const Target& folder);

// "/v1/FAMILY" (files, meta, ls) + the escaped path, and "/v1/NAME?path=".
std::string route_to(const std::string& family, const Target& target);
std::string file_route(const Target& target);
std::string path_route(const std::string& name, const Target& target);

// `status` with `argument` before it, as error lines want it.
Status on(const std::string& argument, Status status);

}  // namespace firn::cli
