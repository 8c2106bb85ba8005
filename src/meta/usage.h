// What an inode adds to the volume's counters.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "meta/keys.h"
#include "meta/types.h"

namespace firn::meta {

inline constexpr std::array<std::string_view, 6> kUsageCounters = {
    kInodesCounter, kBytesCounter, kPinnedFilesCounter, kPinnedBytesCounter, kLocalFilesCounter, kLocalBytesCounter};

// One number for each of these.
using UsageShare = std::array<int64_t, kUsageCounters.size()>;

// Of an inode that is there.
UsageShare share_of(const Attr& attr);

}  // namespace firn::meta
