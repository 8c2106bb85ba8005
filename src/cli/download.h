// What comes out of a volume onto the local disk: a file, a symlink.
#pragma once

#include <string>

#include "cli/client.h"
#include "cli/listing.h"
#include "cli/target.h"
#include "cli/transfers.h"

namespace firn::cli {

struct Download {
  std::string name;  // of the source, as whoever asked calls it: for messages
  Target source;
  Entry entry;     // what the source is
  std::string to;  // the local path, which is replaced
};

// Permissions without the set-id and sticky bits, which would lend what the volume's owner has to this machine's users.
constexpr uint32_t local_mode(uint32_t mode) { return mode & 0777; }

// Whether a file with the size and time of modification of the source is there.
bool is_up_to_date(const Download& download);

// Goes on where an earlier one was interrupted (part_file.h), if the file is still the same. Nobody sees a part of it
// under its name. Blocks.
Status download_file(Client& client, Transfers& transfers, const Download& download);
Status download_symlink(Client& client, const Download& download);

}  // namespace firn::cli
