// The composition root: the one place that makes a running file system out of its parts.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "cli/volume_folder.h"

namespace firn::cli {

struct DaemonOptions {
  VolumePaths paths;
  std::string mount_point;        // absolute; empty: the volume's doors without FUSE
  std::string mount_options;      // as after -o
  std::vector<std::string> http;  // addresses for HTTP over TCP; empty: those of firn.toml
  std::string announce;           // instead of http.announce; empty: that
  std::string nfs_address;        // instead of the one in firn.toml; empty: that one
  bool rewinds = false;           // OpenFlags::rewinds
  bool log_to_stderr = false;     // instead of VOLUME/firn.log
  // What opens an encrypted volume (cli/secret.h), asked for while there was a terminal.
  std::optional<std::string> secret;
};

// Opens the volume, serves it until SIGTERM, SIGINT, SIGHUP, POST /v1/admin/stop or the end of the mount, and closes
// it again. `ready` is called once everything answers, with what whoever started this had better know, or "". A failure
// before that left nothing behind; one after it says what could not be kept. Call it once, from the main thread of a
// process without other threads.
Result<void> run_daemon(const DaemonOptions& options, const std::function<void(const std::string& note)>& ready);

}  // namespace firn::cli
