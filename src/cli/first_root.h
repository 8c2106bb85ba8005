// The metadata of a new volume that lives in a bucket: from the folder that it was made in to the bucket.
#pragma once

#include "cli/new_volume.h"

namespace firn::cli {

// Puts what meta/ holds into the volume's tier, as its first root, whole. Those of an interrupted init of the same
// volume are followed by another. Nobody else has meta/ open.
Result<void> put_first_root(const NewVolume& volume, const std::optional<tier::Key>& key);

}  // namespace firn::cli
