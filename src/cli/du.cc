// firn du
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>

#include "base/bytes.h"
#include "cli/command.h"
#include "cli/json.h"
#include "cli/listing.h"
#include "cli/target.h"
#include "http/json.h"

namespace firn::cli {
namespace {

constexpr const char* kManual =
    "Sums up what lies below each PATH: sizes of files as they are read, wherever their content is stored, and how "
    "many\n"
    "names there are besides folders. A file with several names counts once in a run. Each folder has a line, after\n"
    "those in it. A volume's folder or mount point stands for all of it.\n\n"
    "  firn du -s ./volume:/photos\n"
    "  firn du --json --url https://nas.example:7734 /";

struct Arguments {
  std::vector<std::string> paths;
  bool summary = false;
  bool json = false;
};

// Adds up folders while a listing goes through them.
class Sums {
 public:
  explicit Sums(const Arguments& arguments) : arguments_(arguments) {}

  Status path(const std::string& name);
  // False: some folder may not be read.
  bool complete() const { return complete_; }

 private:
  struct Folder {
    std::string name;   // as it is printed
    std::string below;  // of the path: "a/", or empty for that itself
    uint64_t bytes = 0, files = 0;
  };
  void take(const std::string& name, const Entry& entry, const std::string& served);
  void add(const Entry& entry, const std::string& served);
  void close();
  void print(const Folder& folder) const;

  const Arguments& arguments_;
  bool complete_ = true;
  std::vector<Folder> open_;                           // from the path to where the listing is
  std::set<std::pair<std::string, uint64_t>> linked_;  // the files with several names that have been counted
};

void Sums::print(const Folder& folder) const {
  if (!arguments_.json) {
    fmt::print("{:>10} {:>9} {}\n", human_size(folder.bytes), folder.files, folder.name);
    return;
  }
  nlohmann::json object = {{"bytes", folder.bytes}, {"files", folder.files}};
  http::put_text(object, "path", folder.name);
  print_json(object);
}

void Sums::close() {
  const Folder folder = std::move(open_.back());
  open_.pop_back();
  if (open_.empty() || !arguments_.summary) print(folder);
  if (open_.empty()) return;
  open_.back().bytes += folder.bytes;
  open_.back().files += folder.files;
}

void Sums::add(const Entry& entry, const std::string& served) {
  ++open_.back().files;
  if (entry.nlink > 1 && !linked_.emplace(served, entry.inode).second) return;
  open_.back().bytes += entry.size;
}

void Sums::take(const std::string& name, const Entry& entry, const std::string& served) {
  while (!entry.path.starts_with(open_.back().below)) close();
  if (entry.kind != FileKind::kFolder) {
    add(entry, served);
  } else if (entry.unreadable) {
    complete_ = false;
    print_error(fmt::format("du: {}: may not be read", joined(name, entry.path)));
  } else {
    open_.push_back({.name = joined(name, entry.path), .below = entry.path + "/"});
  }
}

Status Sums::path(const std::string& name) {
  const Target target = TRY(find_tree(name));
  Client client = TRY(Client::connect(target.served));
  const std::string served = target.served.text();
  Result<Entry> root = attributes_of(client, target, {.follow = true});
  if (!root) return on(name, std::move(root).error());
  open_.push_back({.name = name, .below = ""});
  if (root->kind == FileKind::kFolder) {
    const EntrySink sink = [&](const Entry& entry, const nlohmann::json&) {
      take(name, entry, served);
      return Status();
    };
    TRY(on(name, list_tree(client, target, sink)));
  } else {
    add(*root, served);
  }
  while (!open_.empty()) close();
  return {};
}

Result<int> sum_up(const Arguments& arguments) {
  Sums sums(arguments);
  for (const std::string& name : arguments.paths) TRY(sums.path(name));
  return sums.complete() ? kExitOk : kExitFailure;
}

}  // namespace

void add_du(Command& firn) {
  Command command = firn.add("du", "Sum up folders of a volume", kManual);
  auto arguments = std::make_shared<Arguments>();
  command.value("PATH", arguments->paths, "Folders or files").required();
  command.flag("-s,--summarize", arguments->summary, "One line for each PATH, none for the folders in it");
  command.json(arguments->json, "One JSON object per line");
  command.may_be_remote();
  command.runs([arguments] { return sum_up(*arguments); });
}

}  // namespace firn::cli
