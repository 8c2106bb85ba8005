// What a tier says of the volume that it belongs to (docs/formats/bucket.md, `volume`), and the firn.toml made of it.
#pragma once

#include <string>

#include "cli/place.h"
#include "cli/settings.h"
#include "meta/volume.h"
#include "object/store.h"

namespace firn::cli {

// kNotFound: there is no volume.
io::Task<Result<meta::VolumeSettings>> read_volume_object(object::ObjectStore& store);

// The same, of a place that nothing is open for. For the main thread.
Result<meta::VolumeSettings> fetch_volume_object(const Place& place, const S3Settings& settings);

// As the volume was made; its last tier is at `place` now. `key_file`: absolute, or empty.
Settings settings_of(const meta::VolumeSettings& record, const Place& place, const std::string& key_file);

// What a mount under another environment must not lose. Credentials are not ours to keep.
void keep_environment(S3Settings& settings);

}  // namespace firn::cli
