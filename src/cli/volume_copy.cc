#include "cli/volume_copy.h"

#include <fmt/format.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <ranges>

#include "cli/listing.h"
#include "cli/target.h"
#include "cli/volume_changes.h"

namespace firn::cli {
namespace {

// One entry of the volume, and what it is to be.
struct Copied {
  std::string name;  // as whoever asked calls it
  Target from;
  Entry entry;
  Target to;
};

nlohmann::json attributes_of_copy(const Entry& entry) {
  nlohmann::json attributes = {{"mtime", text_of(entry.mtime)}};
  if (entry.kind != FileKind::kSymlink) attributes["mode"] = fmt::format("{:04o}", entry.mode & 07777);
  return attributes;
}

Result<bool> is_up_to_date(Client& client, const Copied& copied) {
  const Result<Entry> there = attributes_of(client, copied.to, {.follow = false});
  if (!there && there.error() == Code::kNotFound) return false;
  if (!there) return fail(there.error());
  return there->kind == FileKind::kFile && there->size == copied.entry.size && there->mtime == copied.entry.mtime;
}

// One run of the command.
class Copy {
 public:
  Copy(const TransferArguments& arguments, const Served& served, Client& client)
      : arguments_(arguments),
        client_(client),
        transfers_({.served = served, .jobs = static_cast<size_t>(arguments.jobs), .what = "copying"}) {}

  Status source(const std::string& name, const Target& from, const Target& to);
  Result<TransferCounts> finish();

 private:
  Status folder(const Copied& copied);
  Status entry(const Copied& copied);
  Status make_folder(const Copied& copied);
  Status copy_file(Client& client, const Copied& copied);
  Status copy_symlink(Client& client, const Copied& copied);

  const TransferArguments& arguments_;
  Client& client_;
  std::vector<Copied> folders_;  // get their permissions and times at the end, the innermost first
  Transfers transfers_;
};

Status Copy::source(const std::string& name, const Target& from, const Target& to) {
  Result<Entry> found = attributes_of(client_, from, {.follow = true});
  if (!found && found.error() == Code::kNotFound && access(name.c_str(), F_OK) == 0)
    return Status(Code::kNotFound, fmt::format("{}: not found in the volume; what has that name on this machine is "
                                               "copied by firn put, or as ./NAME",
                                               name));
  if (!found) return on(name, std::move(found).error());
  const Copied copied{.name = name, .from = from, .entry = *found, .to = to};
  const Result<Entry> there = attributes_of(client_, to, {.follow = true});
  if (there && there->inode == found->inode)
    return Status(Code::kInvalid, fmt::format("{}: is the same file as {}", name, to.inner));
  if (found->kind == FileKind::kFolder) return folder(copied);
  if (found->kind == FileKind::kOther) return Status(Code::kInvalid, fmt::format("{}: is a {}", name, found->type));
  return entry(copied);
}

Status Copy::folder(const Copied& copied) {
  if (!arguments_.recursive)
    return Status(Code::kIsDirectory, fmt::format("{}: is a folder; copy it with -r", copied.name));
  if (lies_in(copied.to, copied.from))
    return Status(Code::kInvalid, fmt::format("{}: cannot be copied into itself, {}", copied.name, copied.to.inner));
  TRY(make_folder(copied));
  return on(copied.name, list_tree(client_, copied.from, [&](const Entry& inner, const nlohmann::json&) {
              return entry({.name = joined(copied.name, inner.path),
                            .from = below(copied.from, inner.path),
                            .entry = inner,
                            .to = below(copied.to, inner.path)});
            }));
}

Status Copy::make_folder(const Copied& copied) {
  folders_.push_back(copied);
  return on(copied.name, make_private_folder(client_, copied.to));
}

Status Copy::entry(const Copied& copied) {
  switch (copied.entry.kind) {
    case FileKind::kFolder:
      if (copied.entry.unreadable) transfers_.left_out(fmt::format("cp: {}: may not be read", copied.name));
      return make_folder(copied);
    case FileKind::kSymlink:
      return transfers_.add(0,
                            [this, copied](Client& client) { return on(copied.name, copy_symlink(client, copied)); });
    case FileKind::kOther:
      transfers_.left_out(fmt::format("cp: {}: is a {} and left out", copied.name, copied.entry.type));
      return {};
    case FileKind::kFile:
      break;
  }
  return transfers_.add(copied.entry.size,
                        [this, copied](Client& client) { return on(copied.name, copy_file(client, copied)); });
}

Status Copy::copy_file(Client& client, const Copied& copied) {
  if (arguments_.update && TRY(is_up_to_date(client, copied))) {
    transfers_.unchanged(copied.entry.size);
    return {};
  }
  TRY(client.call("POST", fmt::format("/v1/copy?from={}&to={}", http::encode_parameter(copied.from.inner),
                                      http::encode_parameter(copied.to.inner))));
  if (arguments_.recursive) TRY(set_attributes(client, copied.to, attributes_of_copy(copied.entry)));
  return transfers_.moved(copied.entry.size);
}

Status Copy::copy_symlink(Client& client, const Copied& copied) {
  const Entry link = TRY(attributes_of(client, copied.from, {.follow = false}));
  if (link.kind != FileKind::kSymlink) return Status(Code::kStale, "changed meanwhile; try again");
  TRY(put_symlink(client, copied.to, link.symlink));
  return set_attributes(client, copied.to, attributes_of_copy(link));
}

Result<TransferCounts> Copy::finish() {
  TRY(transfers_.finish());
  for (const Copied& folder : std::views::reverse(folders_))
    TRY(on(folder.name, set_attributes(client_, folder.to, attributes_of_copy(folder.entry))));
  return transfers_.counts();
}

}  // namespace

Result<int> copy_within_volume(const TransferArguments& arguments) {
  const std::string& name = arguments.paths.back();
  const Target target = TRY(find_target(name));
  Client client = TRY(Client::connect(target.served));
  const Destination to = TRY(destination_of(client, target, arguments));
  Copy run(arguments, target.served, client);
  for (size_t i = 0; i + 1 < arguments.paths.size(); ++i) {
    const std::string& source = arguments.paths[i];
    const Target from = TRY(find_target(source));
    if (!from.served.same_as(target.served))
      return fail(Code::kCrossDevice,
                  fmt::format("{}: lies in another volume than {}; get it, then put it", source, name));
    const std::string last = TRY(name_in_target(arguments, from.inner, to));
    TRY(run.source(source, from, below(target, last)));
  }
  return end_transfer(arguments, TRY(run.finish()));
}

}  // namespace firn::cli
