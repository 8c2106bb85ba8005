// The names that the door has of its own: /.firn, and in it accesslog. They exist in no volume and in no listing of
// the root; what the volume has under the name is not seen through this door.
#pragma once

#include <cstdint>
#include <string_view>

#include "fuse/decode.h"

namespace firn::fuse {

inline constexpr std::string_view kReservedName = ".firn";
inline constexpr std::string_view kAccessLogName = "accesslog";
// Beyond every inode number that a volume gives.
inline constexpr uint64_t kReservedFolder = 0x7fff'ffff'ffff'f000;
inline constexpr uint64_t kAccessLogFile = kReservedFolder + 1;

inline bool is_reserved(uint64_t inode) { return inode >= kReservedFolder; }
// Whether the request is about one of them, or would make, move or remove one.
bool is_reserved(const Request& request);

}  // namespace firn::fuse
