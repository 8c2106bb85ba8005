#include "cli/target.h"

#include <fmt/format.h>

#include "cli/cache_folder.h"
#include "cli/found_server.h"
#include "cli/mounts.h"

namespace firn::cli {
namespace {

Result<Target> remote_target(const std::string& argument, const Remote& remote) {
  if (!argument.starts_with('/'))
    return fail(Code::kInvalid,
                fmt::format("{}: in the volume at {} a PATH is absolute, such as /photos", argument, remote.text()));
  return Target{{.remote = remote}, argument};
}

// Of VOLUME:/PATH.
std::optional<Target> target_in_volume(const std::string& argument) {
  // The scheme of a URL has one, too.
  const size_t from = is_bucket_url(argument) ? argument.find("//") : 0;
  const size_t colon = argument.find(":/", from);
  if (colon == std::string::npos || colon == 0) return std::nullopt;
  const auto probe = probe_folder(argument.substr(0, colon));
  if (!probe || probe->state != FolderState::kVolume) return std::nullopt;
  return Target{{.paths = probe->paths}, argument.substr(colon + 1)};
}

// Of a path that no volume on this machine has.
Result<Target> target_elsewhere(const std::string& argument) {
  constexpr const char* kAdvice = "give a path below a mount point, VOLUME:/PATH, or a server with --url";
  if (!argument.starts_with('/'))
    return fail(Code::kInvalid, fmt::format("{}: not inside a mounted firn volume; {}", argument, kAdvice));
  const Result<Remote> remote = any_server();
  if (remote) return remote_target(argument, *remote);
  return fail(Code::kInvalid, fmt::format("{}: not inside a mounted firn volume, and on the network: {}; {}", argument,
                                          remote.error().message(), kAdvice));
}

Result<VolumePaths> volume_behind(const Mount& mount) {
  if (is_left_over(mount))
    return fail(Code::kUnavailable, fmt::format("{0}: the daemon of this mount has ended, and another serves {1} now; "
                                                "detach it with: firn umount {0}",
                                                mount.point, mount.source));
  return VolumePaths{mount.source};
}

}  // namespace

Result<Target> find_target(const std::string& argument) {
  if (remote_is_explicit()) return remote_target(argument, *TRY(chosen_remote()));
  if (auto target = target_in_volume(argument)) return *std::move(target);
  if (const auto remote = TRY(chosen_remote())) return remote_target(argument, *remote);
  const std::string path = absolute_but_last(argument);
  Result<Mount> mount = mount_of(path);
  if (!mount) return target_elsewhere(argument);
  std::string inner = mount->point == "/" ? path : path.substr(mount->point.size());
  if (inner.empty()) inner = "/";
  return Target{{.paths = TRY(volume_behind(*mount))}, std::move(inner)};
}

bool names_volume_of_this_machine(const std::string& argument) {
  return !remote_is_explicit() && target_in_volume(argument).has_value();
}

Result<Target> find_tree(const std::string& argument) {
  if (remote_is_explicit() || TRY(chosen_remote())) return find_target(argument);
  if (const auto mount = find_mount(absolute_path(argument)); mount && mount->type == kMountType)
    return Target{{.paths = TRY(volume_behind(*mount))}, "/"};
  if (const auto probe = probe_folder(argument); probe && probe->state == FolderState::kVolume)
    return Target{{.paths = probe->paths}, "/"};
  return find_target(argument);
}

Result<VolumePaths> local_volume(const std::string& argument) {
  if (const auto mount = find_mount(absolute_path(argument)); mount && mount->type == kMountType)
    return volume_behind(*mount);
  Result<VolumePaths> paths = require_volume(argument);
  if (paths || is_bucket_url(argument)) return paths;
  const std::string detached = volume_to_be_at(absolute_path(argument));
  return detached.empty() ? std::move(paths) : VolumePaths{detached};
}

Result<Served> served_volume(const std::string& argument) {
  // A volume that is named goes before FIRN_URL.
  if (argument.empty() || remote_is_explicit()) {
    const auto remote = TRY(chosen_remote());
    if (!remote) return fail(Code::kInvalid, "no volume is named, and no server");
    if (argument.empty()) return Served{.remote = remote};
    return fail(Code::kInvalid,
                fmt::format("{}: the volume is the one at {}; name no other", argument, remote->text()));
  }
  return Served{.paths = TRY(local_volume(argument))};
}

std::optional<Target> mounted_target(const std::string& path) {
  if (const auto remote = chosen_remote(); !remote || *remote) return std::nullopt;
  const std::string absolute = absolute_path(path);
  const Result<Mount> mount = mount_of(absolute);
  if (!mount || is_left_over(*mount)) return std::nullopt;
  std::string inner = mount->point == "/" ? absolute : absolute.substr(mount->point.size());
  return Target{{.paths = {mount->source}}, inner.empty() ? "/" : std::move(inner)};
}

bool lies_in(const Target& target, const Target& folder) {
  if (!target.served.same_as(folder.served)) return false;
  const std::string above = folder.inner.ends_with('/') ? folder.inner : folder.inner + "/";
  return (target.inner + "/").starts_with(above);
}

std::string route_to(const std::string& family, const Target& target) {
  return "/v1/" + family + http::encode_path(target.inner);
}

std::string file_route(const Target& target) { return route_to("files", target); }

std::string path_route(const std::string& name, const Target& target) {
  return fmt::format("/v1/{}?path={}", name, http::encode_parameter(target.inner));
}

Status on(const std::string& argument, Status status) {
  if (status.ok() || status.message().starts_with(argument)) return status;
  return std::move(status).with_context(argument);
}

}  // namespace firn::cli
