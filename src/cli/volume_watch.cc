#include "cli/volume_watch.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace firn::cli {

namespace {

constexpr int kLookMs = 1000;
constexpr int kLookOftenMs = 100;  // where nobody tells of changes

}  // namespace

Result<VolumeWatch::Place> VolumeWatch::find(const std::string& path) {
  Place place{path, io::UniqueFd(open(path.c_str(), O_PATH | O_CLOEXEC))};
  if (!place.found) return fail(Status::from_errno(errno, path));
  return place;
}

// A disk that does not answer, or refuses, has nothing else at that place.
bool VolumeWatch::Place::is_there() const {
  struct stat now{}, first{};
  if (fstat(found.get(), &first) != 0) return true;
  if (stat(path.c_str(), &now) != 0) return errno != ENOENT && errno != ENOTDIR;
  return now.st_dev == first.st_dev && now.st_ino == first.st_ino;
}

Result<std::unique_ptr<VolumeWatch>> VolumeWatch::start(const VolumePaths& paths,
                                                        std::function<void(const std::string& what)> on_gone) {
  std::unique_ptr<VolumeWatch> watch(new VolumeWatch(std::move(on_gone)));
  watch->root_ = TRY(find(paths.root));
  watch->lock_ = TRY(find(paths.lock()));
  watch->meta_ = TRY(find(paths.meta()));
  watch->changes_.reset(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  constexpr uint32_t kGoing = IN_MOVE_SELF | IN_DELETE_SELF | IN_MOVED_FROM | IN_DELETE | IN_ONLYDIR;
  if (watch->changes_ && inotify_add_watch(watch->changes_.get(), paths.root.c_str(), kGoing) < 0)
    watch->changes_.reset();
  watch->stop_.reset(eventfd(0, EFD_CLOEXEC));
  if (!watch->stop_) return fail(Status::from_errno(errno, "making an event descriptor"));
  watch->thread_ = std::thread([self = watch.get()] { self->watch(); });
  return watch;
}

VolumeWatch::~VolumeWatch() {
  if (!thread_.joinable()) return;
  const uint64_t one = 1;
  (void)!write(stop_.get(), &one, sizeof one);
  thread_.join();
}

void VolumeWatch::watch() {
  std::array<pollfd, 2> fds = {
      {{stop_.get(), POLLIN, 0}, {changes_.get(), POLLIN, 0}}};  // poll passes over no descriptor
  alignas(inotify_event) std::array<char, 4096> told{};
  while (is_there()) {
    (void)poll(fds.data(), fds.size(), changes_ ? kLookMs : kLookOftenMs);
    if (fds[0].revents != 0) return;
    while (changes_ && read(changes_.get(), told.data(), told.size()) > 0) {
    }
  }
  on_gone_(fmt::format("{}: the folder of the volume was moved or removed while it was served", root_.path));
}

}  // namespace firn::cli
