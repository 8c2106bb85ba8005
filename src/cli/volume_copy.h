// Copies files and folders within a volume; the daemon copies the contents.
#pragma once

#include "cli/transfer_options.h"

namespace firn::cli {

// All of arguments.paths are in one volume: kCrossDevice otherwise.
Result<int> copy_within_volume(const TransferArguments& arguments);

}  // namespace firn::cli
