// firn umount: flushes, detaches, and waits for the daemon to end.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/vfs.h>

#include <nlohmann/json.hpp>

#include "cli/client.h"
#include "cli/command.h"
#include "cli/errors.h"
#include "cli/json.h"
#include "cli/mounts.h"
#include "cli/volume_folder.h"
#include "fuse/mount.h"

namespace firn::cli {
namespace {

constexpr const char* kManual =
    "Writes everything out, detaches the mount and returns when the daemon has ended: then all of it is on disk.\n"
    "When somebody uses the mount it fails and names them. --lazy detaches at once and lets the last user finish;\n"
    "then it does not wait. Who uses a copy of the mount in another mount namespace (a container) is waited for, and\n"
    "named. It also clears the mount that a dead daemon left behind. Given a VOLUME that is served without a mount,\n"
    "it ends that.";

constexpr int kEndTimeoutMs = 600'000;
constexpr int kSilentMs = 2'000;  // of it
constexpr size_t kMostNamedUsers = 8;

std::string joined(const std::vector<std::string>& users) {
  std::string out;
  for (size_t i = 0; i < users.size() && i < kMostNamedUsers; ++i) out += (out.empty() ? "" : ", ") + users[i];
  if (users.size() > kMostNamedUsers) out += fmt::format(" and {} more", users.size() - kMostNamedUsers);
  return out;
}

// Of a volume that is not mounted here any more, while its daemon lives.
std::string why_it_waits(const VolumePaths& paths) {
  const auto holder = find_holder(paths);
  if (!holder) return "its daemon has just ended";
  if (const auto mount = mount_of_volume(paths.root))
    return fmt::format("it is mounted at {} as well: process {} goes on", mount->point, holder->pid);
  const std::string users = joined(users_elsewhere(paths.root));
  if (users.empty())
    return fmt::format(
        "process {} saves before it ends, or a file is still open in a mount that was detached lazily; "
        "see {}",
        holder->pid, paths.log());
  return fmt::format(
      "unmounted here, but other mount namespaces have it as well: process {0} goes on until these have "
      "ended or unmounted it: {1}; kill {0} saves and cuts them off",
      holder->pid, users);
}

// Does not end the daemon by itself: programs elsewhere would fail amid what they write, as none here does.
Result<Holder> wait_and_tell(const VolumePaths& paths) {
  Result<Holder> last = wait_for_release(paths, kSilentMs);
  if (last || last.error() != Code::kTimedOut) return last;
  if (find_holder(paths)) print_error(fmt::format("umount: {}: waiting: {}", paths.root, why_it_waits(paths)));
  last = wait_for_release(paths, kEndTimeoutMs - kSilentMs);
  if (last || last.error() != Code::kTimedOut) return last;
  return fail(Code::kTimedOut, fmt::format("{}: {}", paths.root, why_it_waits(paths)));
}

Result<int> wait_for_end(const VolumePaths& paths) {
  const Holder last = TRY(wait_and_tell(paths));
  if (last.failure.empty()) return kExitOk;
  return fail(Code::kIo, fmt::format("{}: unmounted, but not everything could be kept: {}; see {}", paths.root,
                                     last.failure, paths.log()));
}

// The mount's volume, where it still can be found.
Result<VolumePaths> volume_of(const Mount& mount) { return require_volume(mount.source); }

Result<int> detach(const Mount& mount, bool lazy) {
  const auto paths = volume_of(mount);
  const bool dead = paths && (!find_holder(*paths) || is_left_over(mount));
  const Status status = fuse::unmount_path(mount.point, {.lazy = lazy || dead});
  if (status == Code::kBusy) {
    const std::string users = joined(users_of(mount.point));
    return fail(Code::kBusy, fmt::format("{}: busy: {}; end that or use --lazy", mount.point,
                                         users.empty() ? "in use by a process of another user" : "in use by " + users));
  }
  if (!status.ok()) return fail(status);
  if (lazy || dead || !paths) return kExitOk;
  return wait_for_end(*paths);
}

// VOLUME instead of a mount point: detaches its mount, or ends the daemon that serves it without one.
Result<int> end_volume(const std::string& path, bool lazy) {
  const VolumePaths paths = TRY(require_volume(path));
  const auto holder = find_holder(paths);
  if (!holder) return fail(Code::kNotFound, fmt::format("{}: neither mounted nor served", path));
  if (!holder->mount_point.empty()) {
    const auto mount = find_mount(holder->mount_point);
    const auto its = mount && mount->type == kMountType ? find_holder({mount->source}) : std::nullopt;
    if (its && its->pid == holder->pid) return detach(*mount, lazy);
    if (!holder->serves)
      return fail(Code::kBusy, fmt::format("{0}: process {1} is about to mount it at {2}, and has not yet; try again "
                                           "when it has, or end it with kill {1}",
                                           path, holder->pid, holder->mount_point));
    if (is_mounted_for(holder->pid, paths.root))
      return fail(Code::kBusy,
                  fmt::format("{0}: mounted at {2} in another mount namespace, which process {1} has; unmount "
                              "it there (nsenter -t {1} -m firn umount {2}), or end it with kill {1}",
                              path, holder->pid, holder->mount_point));
    // It has been detached, and its daemon has not ended.
    return lazy ? kExitOk : wait_for_end(paths);
  }
  Client client = TRY(Client::connect(paths));
  TRY(client.call("POST", "/v1/admin/stop"));
  return wait_for_end(paths);
}

Result<int> umount(const std::string& argument, bool lazy) {
  const std::string path = absolute_path(argument);
  const auto mount = find_mount(path);
  if (mount && mount->type == kMountType) return detach(*mount, lazy);
  if (mount && mount->type.starts_with("fuse"))
    return fail(Code::kInvalid, fmt::format("{}: a mount of {}, not of firn; use umount(8)", path, mount->type));
  const auto probe = probe_folder(argument);
  if (probe && probe->state == FolderState::kVolume) return end_volume(argument, lazy);
  if (const std::string detached = volume_to_be_at(path); !detached.empty()) return end_volume(detached, lazy);
  return fail(Code::kNotFound,
              fmt::format("{}: no firn volume is mounted there; firn status lists those that are", argument));
}

}  // namespace

void add_umount(Command& firn) {
  Command command = firn.add("umount", "Unmount a volume", kManual);
  struct Arguments {
    std::string path;
    bool lazy = false, json = false;
  };
  auto arguments = std::make_shared<Arguments>();
  command.value("MOUNTPOINT", arguments->path, "Where it is mounted").required();
  command.flag("--lazy,-z", arguments->lazy, "Detach now, finish when the last user is gone");
  command.json(arguments->json, "What was unmounted as one JSON value");
  command.runs([arguments]() -> Result<int> {
    const int exit_code = TRY(umount(arguments->path, arguments->lazy));
    if (arguments->json) print_json({{"unmounted", absolute_path(arguments->path)}});
    return exit_code;
  });
}

}  // namespace firn::cli
