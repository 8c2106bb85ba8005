// What a daemon tells about itself: the body of GET /v1/status.
#pragma once

#include <string>

#include "cli/running_volume.h"
#include "cli/settings.h"
#include "cli/volume_folder.h"
#include "fuse/session.h"

namespace firn::cli {

// report() runs on reactors while the volume runs.
class StatusSource {
 public:
  StatusSource(RunningVolume& running, const VolumePaths& paths, const Settings& settings);

  io::Task<std::string> report() const;

  const fuse::Session* session = nullptr;  // the doors'; set before they serve HTTP

 private:
  RunningVolume& running_;
  const VolumePaths paths_;
  const Settings settings_;
  const int64_t started_ns_;
};

}  // namespace firn::cli
