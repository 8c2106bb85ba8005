// What comes from the local disk into a volume: a file, a symlink.
#pragma once

#include <string>

#include "cli/client.h"
#include "cli/target.h"
#include "cli/transfers.h"

namespace firn::cli {

struct Upload {
  std::string from;     // a local path; "-" is standard input
  Target to;            // is replaced
  std::string name;     // of `to`, as whoever asked calls it: for messages
  bool keeps = false;   // permissions and time of modification; otherwise they are those of a new file
  bool update = false;  // not where a file of the same size and time is there
};

// Readers see the old file or all of the new one. Blocks.
Status upload_file(Client& client, Transfers& transfers, const Upload& upload);
Status upload_symlink(Client& client, const Upload& upload);

// The permissions and time of modification of the local `path`, without following a symlink there.
Status copy_attributes(Client& client, const std::string& path, const Target& to);

}  // namespace firn::cli
