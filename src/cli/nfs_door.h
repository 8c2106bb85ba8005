// NfsDoor: NFS over a running volume, as its settings ask for it.
#pragma once

#include <memory>
#include <string>

#include "cli/running_volume.h"
#include "cli/settings.h"
#include "cli/volume_folder.h"
#include "vfs/access_log.h"

namespace firn::cli {

// What is wrong with the address or the exports, before anything is opened.
Status check_nfs(const NfsSettings& settings);

// On one reactor; its connections are on all.
class NfsDoor {
 public:
  virtual ~NfsDoor() = default;
  struct Parts {
    RunningVolume& running;
    vfs::AccessLog& access_log;
    const VolumePaths& paths;
  };
  // Null: the settings ask for none.
  static io::Task<Result<std::unique_ptr<NfsDoor>>> open(Parts parts, const NfsSettings& settings);
  // Where it is served, "127.0.0.1:2049".
  virtual const std::string& address() const = 0;
  // Answers what was asked, closes connections and files. Once, before it is destroyed.
  virtual io::Task<void> close() = 0;
  // For keep_write_verifier(). After close(), while the volume is there.
  virtual uint64_t write_verifier() const = 0;
};

}  // namespace firn::cli
