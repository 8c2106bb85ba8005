#include "cli/transfer_options.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/json.h"
#include "cli/listing.h"
#include "cli/volume_changes.h"

namespace firn::cli {

void add_transfer_options(Command& command, TransferArguments& arguments) {
  constexpr int64_t kMaxJobs = 64;
  command.flag("-r,--recursive", arguments.recursive, "Folders with all that is in them");
  command.flag("-T,--no-target-directory", arguments.exact, "TARGET is the new name, even of a folder that is there");
  command.flag("-u,--update", arguments.update, "Leave files that are there with the same size and time");
  command.value("-j,--jobs", arguments.jobs, "Files at once (4)").called("NUMBER").between(1, kMaxJobs);
  command.json(arguments.json, "What was done as one JSON object");
  command.may_be_remote();
}

Result<std::string> name_in_target(const TransferArguments& arguments, const std::string& source, Destination target) {
  if (!target.into || arguments.exact) return "";
  std::string name = last_name(source);
  if (name.empty())
    return fail(Code::kInvalid, fmt::format("{}: has no name to get in {}; to make that one the copy of it, add -T",
                                            source, arguments.paths.back()));
  return name;
}

Result<Destination> destination_of(Client& client, const Target& target, const TransferArguments& arguments) {
  const std::string& name = arguments.paths.back();
  const Result<bool> into = is_folder(client, target);
  if (!into) return fail(on(name, into.error()));
  if ((!*into || arguments.exact) && arguments.paths.size() > 2)
    return fail(Code::kNotDirectory, fmt::format("{}: is no folder to put files into", name));
  if (!*into && name.ends_with('/') && !arguments.recursive)
    return fail(Code::kNotFound, fmt::format("{}: there is no such folder; make it with: firn mkdir {}", name, name));
  return Destination{.into = *into};
}

int end_transfer(const TransferArguments& arguments, const TransferCounts& counts) {
  if (arguments.json)
    print_json({{"files", counts.files},
                {"bytes", counts.bytes},
                {"resumed_bytes", counts.resumed_bytes},
                {"unchanged", counts.unchanged},
                {"left_out", counts.left_out}});
  return counts.left_out == 0 ? kExitOk : kExitFailure;
}

}  // namespace firn::cli
