#include "cli/new_volume.h"

#include <fmt/format.h>
#include <unistd.h>

#include "cli/claims.h"
#include "cli/files.h"
#include "cli/first_root.h"
#include "cli/folder_marker.h"
#include "cli/store_check.h"
#include "io/block_on.h"
#include "io/uring/uring_reactor.h"
#include "kv/rocksdb/rocksdb_engine.h"

namespace firn::cli {
namespace {

// The marker says that nothing else in the folder is of value, so what an interrupted init left may go.
Status remove_leftovers(const VolumePaths& paths) {
  for (const std::string& path : {paths.meta(), paths.hot(), paths.config(), paths.log(), paths.checked()})
    TRY(remove_all(path));
  return {};
}

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
Status undo(const VolumePaths& paths, FolderMarker& marker, Claims* claims, bool made_folder, Status why) {
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
  FolderMarker marker = TRY(FolderMarker::take(paths, {}));
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
