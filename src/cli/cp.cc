// firn cp: copies between the local disk and a volume, or within one.
#include <fmt/format.h>

#include <algorithm>

#include "cli/command.h"
#include "cli/target.h"
#include "cli/transfer_options.h"
#include "cli/volume_copy.h"

namespace firn::cli {
namespace {

constexpr const char* kManual =
    "Copies each SOURCE to the last argument, TARGET, as firn get does where that is local, and as firn put does where "
    "the\n"
    "SOURCEs are. Within a volume its daemon copies, which costs no transfer, and no space where its disk shares\n"
    "blocks. With -r, folders with permissions and times of modification.\n\n"
    "In a volume are VOLUME:/PATH, paths below a mount point, and, with --url, FIRN_URL or a volume that is found on "
    "the\n"
    "network, absolute paths; write local ones ./name then.\n\n"
    "  firn cp -r ./album /photos/               to the volume on the network\n"
    "  firn cp -r /photos/album .                from there\n"
    "  firn cp -r ./volume:/photos ./volume:/copy";

// Whether `path` is in a volume when other arguments do not tell.
bool is_in_volume(const std::string& path) { return names_volume_of_this_machine(path) || mounted_target(path); }

Result<int> copy(const TransferArguments& arguments) {
  const std::vector<std::string>& paths = arguments.paths;
  if (paths.size() < 2) return misuse("cp: give a SOURCE and a TARGET; see: firn help cp");
  // Where a server is asked, absolute paths are its own.
  const bool elsewhere = TRY(chosen_remote()) || std::ranges::none_of(paths, is_in_volume);
  const auto in_volume = [&](const std::string& path) {
    return elsewhere ? path.starts_with('/') || names_volume_of_this_machine(path) : is_in_volume(path);
  };
  const auto sources = std::ranges::subrange(paths.begin(), paths.end() - 1);
  const bool to_volume = in_volume(paths.back());
  const bool from_volume = std::ranges::all_of(sources, in_volume);
  if (!from_volume && std::ranges::any_of(sources, in_volume))
    return fail(Code::kInvalid,
                "some of the files to copy are in a volume and some are local; copy them one after the other");
  if (from_volume && to_volume) return copy_within_volume(arguments);
  if (from_volume) return get_files(arguments);
  if (to_volume) return put_files(arguments);
  return fail(Code::kInvalid, fmt::format("{}: neither it nor what is to be copied is in a volume", paths.back()));
}

}  // namespace

void add_cp(Command& firn) {
  Command command = firn.add("cp", "Copy files into, out of or within a volume", kManual);
  auto arguments = std::make_shared<TransferArguments>();
  command.value("SOURCE", arguments->paths, "Files or folders; at last TARGET").required();
  add_transfer_options(command, *arguments);
  command.runs([arguments] { return copy(*arguments); });
}

}  // namespace firn::cli
