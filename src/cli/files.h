// Small files written so that they stay.
#pragma once

#include <string>

#include "base/status.h"

namespace firn::cli {

// Replaces or makes the file, mode 0600; its content is on the disk when this returns.
Status write_file(const std::string& path, const std::string& text);
Status write_all(int fd, const std::string& path, const std::string& text);
// The names in the folder are on the disk when this returns.
Status sync_folder(const std::string& path);
// For its owner only. True: it was not there.
Result<bool> make_folder(const std::string& path);
// What is there goes, file or folder; nothing there is no failure.
Status remove_all(const std::string& path);

}  // namespace firn::cli
