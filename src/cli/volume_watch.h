// VolumeWatch: sees that the folder of a served volume is no longer at its place.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "cli/volume_folder.h"

namespace firn::cli {

// A daemon reaches its volume's files by their paths. Once its folder was moved or removed, or what that is on was
// unmounted, whatever the daemon did would be done to whoever is at that place next.
class VolumeWatch {
 public:
  // `on_gone` gets what was found, once, on a thread of this: at once where the folder itself went, within a second
  // where one above it did. That firn.lock or meta/ alone is gone is not told.
  static Result<std::unique_ptr<VolumeWatch>> start(const VolumePaths& paths,
                                                    std::function<void(const std::string& what)> on_gone);
  ~VolumeWatch();

 private:
  // A file as it was at first, and where; `found` keeps its number from being another's.
  struct Place {
    std::string path;
    io::UniqueFd found;
    bool is_there() const;
  };

  explicit VolumeWatch(std::function<void(const std::string& what)> on_gone) : on_gone_(std::move(on_gone)) {}
  static Result<Place> find(const std::string& path);
  bool is_there() const { return root_.is_there() && (lock_.is_there() || meta_.is_there()); }
  void watch();

  const std::function<void(const std::string& what)> on_gone_;
  Place root_, lock_, meta_;
  io::UniqueFd changes_;  // inotify; none: it is only looked now and then
  io::UniqueFd stop_;
  std::thread thread_;
};

}  // namespace firn::cli
