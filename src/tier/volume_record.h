// The object `volume`: what a colder tier knows of the volume whose tier it is (docs/formats/volume.md). It keeps two
// volumes from sharing a place, and is what a restore begins with.
#pragma once

#include <string>
#include <string_view>

#include "meta/volume.h"

namespace firn::tier {

inline constexpr const char* kVolumeObject = "volume";
inline constexpr uint64_t kMaxVolumeObjectBytes = 64 << 10;

// kInvalid: larger than kMaxVolumeObjectBytes.
Result<std::string> encode_volume_object(const meta::VolumeSettings& settings);
// kCorrupt, saying what is wrong, to anything that encode_volume_object would not have made; kNotSupported: a newer
// firn made it.
Result<meta::VolumeSettings> decode_volume_object(std::string_view bytes);

}  // namespace firn::tier
