// Making a volume: its folder, its metadata, its tiers' marks; all of it, or nothing.
#pragma once

#include <optional>
#include <vector>

#include "cli/place.h"
#include "cli/settings.h"
#include "cli/volume_folder.h"
#include "meta/volume.h"
#include "tier/blob/sealing.h"

namespace firn::cli {

struct NewVolume {
  VolumePaths paths;
  Settings settings;
  std::vector<Place> places;     // of settings.tiers.stores
  meta::VolumeSettings record;   // but for id
  std::optional<tier::Key> key;  // of an encrypted one
};

// The folder is missing, empty, or what an interrupted init left. On failure nothing is left that this made, but where
// it could not be taken away again, which the message then says; then the folder stays half made, and another init
// there finishes or replaces it; of a volume that lives in a bucket also once something of it is there. kBusy: another
// init is at work there.
// Its id: 16 bytes.
Result<std::string> make_volume(NewVolume volume);

}  // namespace firn::cli
