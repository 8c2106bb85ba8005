// Opening a file when descriptors may have run out.
#pragma once

#include <memory>
#include <string>

#include "data/hot/object_table.h"
#include "io/disk.h"

namespace firn::data::internal {

// Disk::open; at the descriptor limit it closes what is only kept for later, and tries once more.
io::Task<Result<std::unique_ptr<io::File>>> open_file(io::Disk& disk, ObjectTable& table, std::string path,
                                                      io::OpenOptions options);

}  // namespace firn::data::internal
