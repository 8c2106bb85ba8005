// What `firn get`, `firn put` and `firn cp` have in common on the command line.
#pragma once

#include <string>
#include <vector>

#include "cli/client.h"
#include "cli/command.h"
#include "cli/target.h"
#include "cli/transfers.h"

namespace firn::cli {

struct TransferArguments {
  std::vector<std::string> paths;  // the sources, and the target behind them
  bool recursive = false;
  bool exact = false;  // the target is not a folder to put sources into
  bool update = false;
  bool json = false;
  int64_t jobs = 4;
};

// Declares them; the positional one apart.
void add_transfer_options(Command& command, TransferArguments& arguments);

// Where SOURCE goes that is called `name`: "" for the target itself, else its name in that folder. kInvalid: it has
// none.
struct Destination {
  bool into = false;  // the target is a folder that is there
};
Result<std::string> name_in_target(const TransferArguments& arguments, const std::string& source, Destination target);

// Of the last path, which is in a volume. kNotDirectory: several sources are to go there, and it is no folder.
Result<Destination> destination_of(Client& client, const Target& target, const TransferArguments& arguments);

// What the commands of these names do. At least two paths.
Result<int> get_files(const TransferArguments& arguments);
Result<int> put_files(const TransferArguments& arguments);

// Prints the counts where --json asks for them. The exit code.
int end_transfer(const TransferArguments& arguments, const TransferCounts& counts);

}  // namespace firn::cli
