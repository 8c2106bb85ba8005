// What a daemon tells about itself: the body of GET /v1/status.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

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
  // Where the other doors are served; set once they are, on the first reactor.
  std::vector<std::string> http;  // "http://127.0.0.1:7734"
  std::string nfs;                // "127.0.0.1:2049"; empty: it is not

 private:
  struct Health;
  void judge_log(nlohmann::json& body, Health& health) const;
  void judge_tiers(const meta::Usage* usage, nlohmann::json& body, Health& health) const;
  void judge_following(nlohmann::json& body, Health& health) const;
  void describe_use(nlohmann::json& body) const;
  void judge_doors(nlohmann::json& body, Health& health) const;

  RunningVolume& running_;
  const VolumePaths paths_;
  const Settings settings_;
  const int64_t started_ns_;
};

}  // namespace firn::cli
