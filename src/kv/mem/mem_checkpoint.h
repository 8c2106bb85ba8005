// The checkpoint of an engine in memory: its map as batches of puts.
#pragma once

#include <memory>

#include "kv/mem/version_map.h"
#include "kv/shipping.h"

namespace firn::kv::mem {

// Keys are spread over so many tables by their hash, so that some stay the same between checkpoints, as they do in a
// real engine.
inline constexpr size_t kTables = 4;

std::unique_ptr<Checkpoint> make_checkpoint(VersionMap::Cursor& cursor, Version through);

}  // namespace firn::kv::mem
