// firn init: makes a volume.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/bytes.h"
#include "base/random.h"
#include "cli/command.h"
#include "cli/settings.h"
#include "cli/volume_folder.h"
#include "io/block_on.h"
#include "io/uring/uring_reactor.h"
#include "kv/rocksdb/rocksdb_engine.h"
#include "meta/volume.h"

namespace firn::cli {
namespace {

constexpr const char* kManual =
    "Makes VOLUME, a folder that holds a file system: firn.toml (the settings, with comments), meta/ (names and\n"
    "attributes), hot/ (the content of files). VOLUME must not exist yet, or be an empty folder. Put it on a local\n"
    "disk with a file system that has sparse files (ext4, XFS, btrfs).\n\n"
    "An interrupted init leaves nothing of value; run it again.\n\n"
    "  firn init ./demo && firn mount ./demo ./mnt";

struct InitOptions {
  std::string volume;
  std::string chunk_size = "4MiB";
  std::vector<std::string> tiers;
  std::string durability = "local";
  std::string compression = "none";
  bool encrypt = false;
};

Status write_file(const std::string& path, const std::string& text) {
  io::UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd) return Status::from_errno(errno, path);
  for (size_t done = 0; done < text.size();) {
    const ssize_t bytes = write(fd.get(), text.data() + done, text.size() - done);
    if (bytes < 0) return Status::from_errno(errno, path);
    done += static_cast<size_t>(bytes);
  }
  return fsync(fd.get()) == 0 ? Status() : Status::from_errno(errno, path);
}

Status sync_folder(const std::string& path) {
  io::UniqueFd fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || fsync(fd.get()) != 0) return Status::from_errno(errno, path);
  return {};
}

// The marker says that nothing else in the folder is of value, so what an interrupted init left may go.
Status remove_leftovers(const VolumePaths& paths) {
  for (const std::string& path : {paths.meta(), paths.hot(), paths.config(), paths.log()}) {
    std::error_code error;
    std::filesystem::remove_all(path, error);
    if (error) return Status::from_errno(error.value(), path);
  }
  return {};
}

Status make_folder(const std::string& path) {
  if (mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return {};
  return Status::from_errno(errno, path);
}

io::Task<Result<void>> format_and_close(kv::Engine& engine, meta::VolumeSettings settings, meta::RootOwner owner) {
  Result<void> formatted = co_await meta::format(engine, std::move(settings), owner);
  Result<void> closed = co_await engine.close();
  co_return formatted ? closed : formatted;
}

Status make_metadata(const VolumePaths& paths, const Settings& settings) {
  meta::VolumeSettings volume;
  volume.id.resize(16);
  system_random().fill(std::as_writable_bytes(std::span(volume.id)));
  volume.chunk_bytes = settings.chunk_bytes;
  volume.inline_max_bytes = settings.inline_max_bytes;
  volume.created = system_clock().now();
  auto reactor = TRY(io::UringReactor::create({}));
  auto engine = TRY(kv::open_rocksdb({.path = paths.meta(), .create = true}));
  TRY(io::run_to_end(*reactor, format_and_close(*engine, volume, {.uid = getuid(), .gid = getgid(), .mode = 0755})));
  return {};
}

Status make_volume(const VolumePaths& paths, const Settings& settings) {
  TRY(make_folder(paths.root));
  TRY(write_file(paths.marker(), "firn init is at work here, or was interrupted. Nothing is stored yet.\n"));
  TRY(sync_folder(paths.root));
  TRY(remove_leftovers(paths));
  TRY(make_folder(paths.hot()));
  TRY(make_metadata(paths, settings));
  TRY(write_file(paths.config(), render_settings(settings)));
  TRY(sync_folder(paths.root));
  if (unlink(paths.marker().c_str()) != 0) return Status::from_errno(errno, paths.marker());
  TRY(sync_folder(paths.root));
  // The folder's own name, in whatever holds it.
  return sync_folder(paths.root + "/..");
}

Result<int> init(const InitOptions& options) {
  if (!options.tiers.empty() || options.durability != "local" || options.encrypt || options.compression != "none")
    return fail(Code::kNotSupported,
                "--tier, --durability object, --encrypt and --compress need the tiered shape, "
                "which this version does not have; leave them out");
  Settings settings;
  Result<uint64_t> chunk = parse_size(options.chunk_size);
  const bool power_of_two = chunk && std::has_single_bit(*chunk);
  if (!power_of_two || *chunk < 64 << 10 || *chunk > 64 << 20)
    return misuse(fmt::format("init: --chunk-size: {} is not a power of two from 64KiB to 64MiB", options.chunk_size));
  settings.chunk_bytes = *chunk;

  const Probe probe = TRY(probe_folder(options.volume));
  switch (probe.state) {
    case FolderState::kVolume:
      return fail(Code::kExists, fmt::format("{}: is a volume already; use it with: firn mount {} MOUNTPOINT",
                                             options.volume, options.volume));
    case FolderState::kNotFolder:
      return fail(Code::kNotDirectory,
                  fmt::format("{}: exists and is not a folder; choose another name", options.volume));
    case FolderState::kForeign:
      return fail(Code::kNotEmpty,
                  fmt::format("{}: the folder is not empty; choose a new or an empty one", options.volume));
    case FolderState::kMissing:
    case FolderState::kEmpty:
    case FolderState::kHalfMade:
      break;
  }
  TRY(make_volume(probe.paths, settings));
  fmt::print("made {}; mount it with: firn mount {} MOUNTPOINT\n", options.volume, options.volume);
  return kExitOk;
}

}  // namespace

void add_init(CLI::App& app, Action* chosen) {
  CLI::App& command = add_command(app, "init", "Make a volume", kManual);
  auto options = std::make_shared<InitOptions>();
  command.add_option("VOLUME", options->volume, "The folder to make")->required();
  command.add_option("--chunk-size", options->chunk_size, "Unit in which colder tiers hold a file (4MiB)");
  command.add_option("--tier", options->tiers, "NAME=URL: a colder tier (not in this version)");
  command.add_option("--durability", options->durability, "What fsync waits for: local")
      ->check(CLI::IsMember({"local", "object"}));
  command.add_flag("--encrypt", options->encrypt, "Seal what leaves this machine (not in this version)");
  command.add_option("--compress", options->compression, "none, or a method of the tiered shape")
      ->check(CLI::IsMember({"zstd", "lz4", "none"}));
  command.callback([chosen, options] { *chosen = [options] { return init(*options); }; });
}

}  // namespace firn::cli
