#include "cli/part_sweeper.h"

#include <algorithm>

#include "base/log.h"
#include "base/time.h"
#include "cli/part_file.h"
#include "cli/part_upload.h"
#include "http/path_walk.h"
#include "http/tree_walk.h"

namespace firn::cli {
namespace {

constexpr int64_t kSecondNs = 1'000'000'000;
constexpr int64_t kMostOftenNs = kSecondNs;
constexpr int64_t kFirstNs = 60 * kSecondNs;  // after the start, which has enough to do
constexpr int64_t kDayNs = 24 * 3600 * kSecondNs;

bool is_part_name(std::string_view path) {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  return name.starts_with('.') && name.ends_with(kPartSuffix);
}

}  // namespace

void PartSweeper::start() { io::detach(sweep_now_and_then(gate_.enter())); }

io::Task<void> PartSweeper::stop() {
  stopping_.cancel();
  co_await gate_.close();
}

io::Task<void> PartSweeper::sweep_now_and_then(io::Gate::Entry) {
  int64_t rest_ns = std::min(kFirstNs, options_.lifetime_ns);
  while (co_await io::sleep_for(std::max(rest_ns, kMostOftenNs), &stopping_)) {
    const Result<void> done = co_await sweep();
    if (!done && !stopping_.cancelled()) log::warning("looking for abandoned parts: {}", done.error().to_string());
    rest_ns = std::min(kDayNs, options_.lifetime_ns / 2);
  }
}

io::Task<Result<void>> PartSweeper::sweep() {
  const http::TreeWalk walk{.volume = options_.volume,
                            .token = &stopping_,
                            .visit = [this](std::string path, vfs::Attr attr) { return look_at(path, attr); }};
  co_return co_await http::walk_files(walk, "/");
}

bool PartSweeper::is_old(const vfs::Attr& attr) const {
  const int64_t lifetime_s = (options_.lifetime_ns + kSecondNs - 1) / kSecondNs;
  return system_clock().now().seconds - std::max(attr.mtime, attr.ctime).seconds > lifetime_s;
}

// What changes meanwhile stays: it is removed as the version that was looked at.
io::Task<Result<void>> PartSweeper::look_at(std::string path, vfs::Attr attr) {
  if (!is_part_name(path) || !is_old(attr)) co_return Result<void>();
  vfs::Volume& volume = options_.volume;
  const meta::Credentials daemon;
  const http::Place place = CO_TRY(co_await http::resolve_parent(volume, {}, path));
  const vfs::Attr found = CO_TRY(co_await volume.lookup(daemon, place.parent, place.name));
  if (found.inode != attr.inode || found.nlink != 1 || !is_old(found)) co_return Result<void>();
  // Somebody else's file may have such a name. An upload that ends before it has marked its part leaves it empty.
  const bool is_begun = found.size == 0 && (found.mode & 07777) == kPartMode;
  if (!is_begun && !co_await volume.getxattr(daemon, found.inode, kPartOrigin)) co_return Result<void>();
  const Result<void> removed = co_await volume.unlink(daemon, place.parent, place.name, &found);
  if (removed) log::info("{}: removed: a part of an upload that nobody went on with", path);
  const bool changed = !removed && (removed.error() == Code::kStale || removed.error() == Code::kBusy);
  if (!removed && !changed) log::warning("{}: is an abandoned part, and stays: {}", path, removed.error().to_string());
  co_return Result<void>();
}

}  // namespace firn::cli
