// firn cat
#include <unistd.h>

#include <cerrno>

#include "cli/cached_fetch.h"
#include "cli/command.h"
#include "cli/target.h"

namespace firn::cli {
namespace {

class StandardOutput {
 public:
  Status write(std::span<const std::byte> data) {
    while (!data.empty()) {
      const ssize_t bytes = ::write(STDOUT_FILENO, data.data(), data.size());
      if (bytes < 0 && errno == EINTR) continue;
      if (bytes < 0) {
        reader_left_ = errno == EPIPE;
        return Status::from_errno(errno, "standard output");
      }
      data = data.subspan(static_cast<size_t>(bytes));
    }
    return {};
  }
  // It has had enough, as `head` may have: no news.
  bool reader_left() const { return reader_left_; }

 private:
  bool reader_left_ = false;
};

Result<int> print_files(const std::vector<std::string>& paths) {
  StandardOutput output;
  for (const std::string& path : paths) {
    const Target target = TRY(find_target(path));
    Client client = TRY(Client::connect(target.served));
    ContentCache* const cache = TRY(cache_for(target.served));
    Status fetched = fetch_cached(client, cache, target, {.sink = [&](auto data) { return output.write(data); }});
    if (output.reader_left()) return kExitFailure;
    TRY(on(path, std::move(fetched)));
  }
  return kExitOk;
}

}  // namespace

void add_cat(Command& firn) {
  Command command = firn.add("cat", "Print files of a volume", "Writes the content of files to standard output.");
  auto paths = std::make_shared<std::vector<std::string>>();
  command.value("PATH", *paths, "Files").required();
  command.may_be_remote();
  command.without_json("it prints what is in the files");
  command.runs([paths] { return print_files(*paths); });
}

}  // namespace firn::cli
