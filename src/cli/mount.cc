// firn mount: starts the daemon of a volume and mounts it.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/cache_folder.h"
#include "cli/command.h"
#include "cli/daemon.h"
#include "cli/daemonize.h"
#include "cli/http_settings.h"
#include "cli/json.h"
#include "cli/mounts.h"
#include "cli/secret.h"
#include "cli/volume_folder.h"
#include "fuse/mount_options.h"

namespace firn::cli {
namespace {

constexpr const char* kManual =
    "Mounts VOLUME at MOUNTPOINT, an empty folder, and returns once the mount answers. A daemon keeps serving it "
    "until\n"
    "firn umount. After a crash, mount again: what had been synced is there, and what was left open is recovered.\n\n"
    "Options for -o, separated by commas:\n"
    "  ro, noatime, nosuid, nodev, noexec   as in mount(8)\n"
    "  allow_other, noallow_other           whether other users may use it (root: yes, others: no)\n"
    "  nonempty                             mount over a folder that is not empty\n"
    "  transport=auto|uring|dev             how requests come from the kernel; firn status tells which is in use\n"
    "  passthrough=on|off                   whether the kernel reads and writes files under hot/ by itself\n"
    "  readahead=BYTES                      how far the kernel reads ahead (1 MiB; more than 128 KiB needs root)\n"
    "  max_write=BYTES, dircache=on|off, no_default_permissions\n\n"
    "Where the store has lost a part of the log of a bucket volume's metadata, which no daemon has any more, --rewind\n"
    "goes back to the state before that. What was committed after it is given up, and firn fsck --deep of the "
    "volume's\n"
    "cache folder says whether what is left is whole.\n\n"
    "An encrypted volume's passphrase comes from tiers.key_file in firn.toml, FIRN_PASSPHRASE, or the terminal.\n\n"
    "As an ordinary user this needs fusermount3 (package fuse3). The daemon's log is VOLUME/firn.log.";

struct MountArguments {
  std::string volume, mount_point, cache, key_file, announce;
  std::vector<std::string> options;
  bool rewind = false;
  bool foreground = false;
  bool json = false;
};

Result<VolumePaths> volume_of(const MountArguments& arguments) {
  if (!is_bucket_url(arguments.volume)) return require_volume(arguments.volume);
  const std::string key_file = arguments.key_file.empty() ? "" : absolute_path(arguments.key_file);
  return open_cache_folder(arguments.volume, arguments.cache, key_file);
}

// A machine may well mount a bucket's volume twice, once to write and once to follow.
Status check_cache_is_free(const VolumePaths& paths, const std::string& url) {
  const auto holder = find_holder(paths);
  if (!holder || holder->pid == 0) return {};
  const char* const how = mount_of_volume(paths.root) ? " at "
                          : !holder->serves           ? ", which is about to mount it at "
                                                      : ", which ends, or whose mount is used elsewhere: ";
  const std::string where = holder->mount_point.empty() ? "" : how + holder->mount_point;
  return Status(Code::kBusy, fmt::format("{}: its cache {} is in use by process {}{}; another mount on this machine "
                                         "needs one of its own: --cache FOLDER",
                                         url, paths.root, holder->pid, where));
}

void tell_mounted(const DaemonOptions& options, const MountArguments& arguments, const std::string& note) {
  if (!note.empty()) print_error("mount: " + note);
  if (arguments.json)
    print_json({{"volume", options.paths.root}, {"mount_point", options.mount_point}});
  else if (arguments.foreground)
    fmt::print("mounted {}\n", options.mount_point);
  std::fflush(stdout);
}

Result<int> mount(const MountArguments& arguments) {
  DaemonOptions options;
  for (const std::string& text : arguments.options)
    options.mount_options += (options.mount_options.empty() ? "" : ",") + text;
  fuse::MountOptions checked;
  if (const Status status = fuse::parse_mount_options(options.mount_options, checked); !status.ok())
    return misuse(fmt::format("mount: {}; see: firn help mount", status.to_string()));
  if (!is_bucket_url(arguments.volume) && (!arguments.cache.empty() || !arguments.key_file.empty()))
    return misuse("mount: --cache and --key-file are for volumes that live in a bucket; a folder has tiers.key_file");
  if (arguments.rewind && checked.read_only)
    return misuse("mount: --rewind changes the volume; mount it for reading and writing");
  options.paths = TRY(volume_of(arguments));
  if (is_bucket_url(arguments.volume)) TRY(check_cache_is_free(options.paths, arguments.volume));
  options.mount_point = absolute_path(arguments.mount_point);
  options.log_to_stderr = arguments.foreground;
  options.announce = arguments.announce;
  options.rewinds = arguments.rewind;
  options.secret = TRY(secret_of(options.paths));
  if (arguments.foreground) {
    TRY(run_daemon(options, [&](const std::string& note) { tell_mounted(options, arguments, note); }));
  } else {
    tell_mounted(options, arguments, TRY(start_in_background(options)));
  }
  return kExitOk;
}

}  // namespace

void add_mount(Command& firn) {
  Command command = firn.add("mount", "Mount a volume", kManual);
  auto arguments = std::make_shared<MountArguments>();
  command.value("VOLUME", arguments->volume, "The volume's folder, or s3://bucket/prefix").required();
  command.value("MOUNTPOINT", arguments->mount_point, "An empty folder").required();
  command.value("-o", arguments->options, "Mount options").one_at_a_time();
  command.value("--cache", arguments->cache, "The folder of the local cache of a volume that lives in a bucket")
      .called("FOLDER");
  command
      .value("--key-file", arguments->key_file,
             "What opens an encrypted volume that lives in a bucket, instead of a passphrase; kept in the "
             "cache's firn.toml")
      .called("FILE");
  command
      .value("--announce", arguments->announce,
             "Tell the local network by mDNS where HTTP is served: auto, yes or no; instead of http.announce")
      .one_of({kAnnounceChoices.begin(), kAnnounceChoices.end()});
  command.flag("--rewind", arguments->rewind,
               "Of a volume that lives in a bucket, where the log of its metadata has a gap: go back to before it");
  command.flag("--foreground,-f", arguments->foreground, "Stay in the foreground and log to stderr");
  command.json(arguments->json, "What is mounted where as one JSON value");
  command.runs([arguments] { return mount(*arguments); });
}

}  // namespace firn::cli
