// firn.init: the mark of a volume's folder that is being made, or that nobody finished.
#pragma once

#include <string>

#include "cli/volume_folder.h"

namespace firn::cli {

enum class Maker : uint8_t { kInit, kRestore };

struct MakerOptions {
  Maker maker = Maker::kInit;
  std::string from;  // a restore's URL, as it was given
};

// Held by this process, for as long as it lives; stays behind, unless remove() was called.
// It keeps an id, so that an init that takes up where an interrupted one ended knows that one's marks in the tiers for
// its own.
class FolderMarker {
 public:
  // kBusy: somebody is at work there. kInvalid: what was interrupted there is the other maker's, who alone may go on.
  static Result<FolderMarker> take(const VolumePaths& paths, const MakerOptions& options);

  const std::string& id() const { return id_; }  // 16 bytes
  Status remove();

 private:
  explicit FolderMarker(VolumePaths paths) : paths_(std::move(paths)) {}
  Status claim(const MakerOptions& options);

  VolumePaths paths_;
  io::UniqueFd fd_;
  std::string id_;
};

// Why a folder with a marker, which `name` leads to, is no volume, and what to do about it.
std::string explain_marker(const VolumePaths& paths, const std::string& name);

}  // namespace firn::cli
