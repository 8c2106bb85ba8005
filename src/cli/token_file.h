// The file that holds a volume's tokens (docs/formats/tokens.md).
#pragma once

#include <vector>

#include "cli/volume_folder.h"
#include "http/token.h"

namespace firn::cli {

// None where there is no file. kCorrupt: nobody is let in by what cannot be read.
Result<std::vector<http::Token>> load_tokens(const VolumePaths& paths);

// Replaces the file, mode 0600, at once; on the disk when this returns. The caller holds the volume's lock.
Status save_tokens(const VolumePaths& paths, const std::string& text);

}  // namespace firn::cli
