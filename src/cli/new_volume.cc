#include "cli/new_volume.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <optional>

#include "base/hex.h"
#include "base/random.h"
#include "cli/claims.h"
#include "cli/files.h"
#include "cli/first_root.h"
#include "cli/store_check.h"
#include "io/block_on.h"
#include "io/uring/uring_reactor.h"
#include "kv/rocksdb/rocksdb_engine.h"

namespace firn::cli {
namespace {

constexpr size_t kIdBytes = 16;
constexpr const char* kMarkerText = "firn init is at work here, or was interrupted. Nothing is stored yet.\nid ";

// The marker says that nothing else in the folder is of value, so what an interrupted init left may go.
Status remove_leftovers(const VolumePaths& paths) {
  for (const std::string& path : {paths.meta(), paths.hot(), paths.config(), paths.log(), paths.checked()})
    TRY(remove_all(path));
  return {};
}

std::string random_id() {
  std::string id(kIdBytes, '\0');
  system_random().fill(std::as_writable_bytes(std::span(id)));
  return id;
}

// "…\nid 00ff…\n" gives 16 bytes; nullopt where there is no such line.
std::optional<std::string> parse_id(std::string_view text) {
  const size_t at = text.find("\nid ");
  if (at == std::string_view::npos || text.size() < at + 4 + 2 * kIdBytes) return std::nullopt;
  std::string id;
  for (size_t i = 0; i < kIdBytes; ++i) {
    const std::string digits(text.substr(at + 4 + 2 * i, 2));
    if (digits.find_first_not_of("0123456789abcdef") != std::string::npos) return std::nullopt;
    id += static_cast<char>(std::stoi(digits, nullptr, 16));
  }
  return id;
}

// firn.init, held by this process. It keeps the volume's id, so that an init that takes up where an interrupted one
// ended knows that one's marks in the tiers for its own.
class InitMarker {
 public:
  static Result<InitMarker> take(const VolumePaths& paths) {
    InitMarker marker(paths);
    const std::string name = paths.marker();
    const char* path = name.c_str();
    marker.fd_ = io::UniqueFd(open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    const bool fresh = static_cast<bool>(marker.fd_);
    if (!fresh && errno == EEXIST) marker.fd_ = io::UniqueFd(open(path, O_RDWR | O_CLOEXEC));
    if (!marker.fd_) return fail(Status::from_errno(errno, name));
    // Another init may have finished since somebody looked: then there are settings and no marker, or what was opened
    // is no longer the file of that name.
    if (fresh && access(paths.config().c_str(), F_OK) == 0) {
      unlink(path);
      return fail(Code::kExists, paths.root + ": another firn init has just made a volume there");
    }
    struct stat held{}, named{};
    if (flock(marker.fd_.get(), LOCK_EX | LOCK_NB) != 0 || fstat(marker.fd_.get(), &held) != 0 ||
        stat(path, &named) != 0 || held.st_ino != named.st_ino)
      return fail(Code::kBusy, paths.root + ": another firn init is at work there");
    TRY(marker.agree_on_id());
    return marker;
  }

  const std::string& id() const { return id_; }

  Status remove() {
    if (unlink(paths_.marker().c_str()) != 0) return Status::from_errno(errno, paths_.marker());
    return sync_folder(paths_.root);
  }

 private:
  explicit InitMarker(VolumePaths paths) : paths_(std::move(paths)) {}

  Status agree_on_id() {
    char text[4096];
    const ssize_t bytes = pread(fd_.get(), text, sizeof text, 0);
    if (bytes < 0) return Status::from_errno(errno, paths_.marker());
    if (auto id = parse_id({text, static_cast<size_t>(bytes)})) {
      id_ = *std::move(id);
      return {};
    }
    id_ = random_id();
    if (ftruncate(fd_.get(), 0) != 0) return Status::from_errno(errno, paths_.marker());
    TRY(write_all(fd_.get(), paths_.marker(), kMarkerText + to_hex(id_) + "\n"));
    return sync_folder(paths_.root);
  }

  VolumePaths paths_;
  io::UniqueFd fd_;
  std::string id_;
};

io::Task<Result<void>> format_and_close(kv::Engine& engine, meta::VolumeSettings settings, meta::RootOwner owner) {
  Result<void> formatted = co_await meta::format(engine, std::move(settings), owner);
  Result<void> closed = co_await engine.close();
  co_return formatted ? closed : formatted;
}

Status make_metadata(const VolumePaths& paths, const meta::VolumeSettings& record) {
  auto reactor = TRY(io::UringReactor::create({}));
  auto engine = TRY(kv::open_rocksdb({.path = paths.meta(), .create = true}));
  TRY(io::run_to_end(*reactor, format_and_close(*engine, record, {.uid = getuid(), .gid = getgid(), .mode = 0755})));
  return {};
}

// All but the marker's end.
Status make_parts(const NewVolume& volume, Claims* claims) {
  TRY(remove_leftovers(volume.paths));
  if (claims) TRY(claims->take());
  TRY(make_folder(volume.paths.hot()));
  TRY(make_metadata(volume.paths, volume.record));
  TRY(write_file(volume.paths.config(), render_settings(volume.settings)));
  if (claims) TRY(remember_checked(volume.paths, claims->last_store()));
  return sync_folder(volume.paths.root);
}

// The reason for the failure counts; what could not be taken away is added to it.
Status undo(const VolumePaths& paths, InitMarker& marker, Claims* claims, bool made_folder, Status why) {
  if (claims)
    if (const Result<void> released = claims->release(); !released)
      return Status(why.code(),
                    fmt::format("{} (and what was begun could not be taken away: {}; run firn init {} again)",
                                why.to_string(), released.error().to_string(), paths.root));
  if (remove_leftovers(paths).ok() && marker.remove().ok() && made_folder) rmdir(paths.root.c_str());
  return why;
}

}  // namespace

Result<std::string> make_volume(NewVolume volume) {
  const VolumePaths& paths = volume.paths;
  const bool made_folder = TRY(make_folder(paths.root));
  InitMarker marker = TRY(InitMarker::take(paths));
  volume.record.id = marker.id();
  std::unique_ptr<Claims> claims;
  Status status;
  if (!volume.places.empty()) {
    auto created = Claims::create(volume.places, volume.settings.s3, volume.record);
    if (created)
      claims = *std::move(created);
    else
      status = created.error();
  }
  if (status.ok()) status = make_parts(volume, claims.get());
  if (!status.ok()) return fail(undo(paths, marker, claims.get(), made_folder, std::move(status)));
  // What is in the bucket from here on is known by the marker's id.
  if (volume.settings.tiers.durability == "object")
    if (const Result<void> put = put_first_root(volume, volume.key); !put)
      return fail(put.error().code(), put.error().to_string() + "; run the same firn init again");
  TRY(marker.remove());
  // The folder's own name, in whatever holds it.
  TRY(sync_folder(paths.root + "/.."));
  return volume.record.id;
}

}  // namespace firn::cli
