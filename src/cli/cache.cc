// firn cache: what is kept here of files on other machines.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "cli/command.h"
#include "cli/content_cache.h"
#include "cli/json.h"

namespace firn::cli {
namespace {

constexpr const char* kManual =
    "firn cat and firn get keep what they read from a server that --url or FIRN_URL names, and read it again from the\n"
    "local disk as long as the server says that it is unchanged and may be read. FIRN_CACHE_SIZE limits it (1GiB; 0: "
    "nothing\n"
    "is kept); what was not used for the longest time goes. Without clear, it tells where it is and how much it "
    "holds.";

Result<std::unique_ptr<ContentCache>> cache_of_user() {
  auto cache = TRY(ContentCache::of_user());
  if (!cache) return fail(Code::kInvalid, "there is none: FIRN_CACHE_SIZE is 0");
  return cache;
}

Result<int> show(bool as_json) {
  const auto cache = TRY(cache_of_user());
  const ContentCache::Usage usage = cache->usage();
  if (as_json) {
    print_json(
        {{"folder", usage.folder}, {"files", usage.files}, {"bytes", usage.bytes}, {"limit_bytes", usage.limit_bytes}});
  } else {
    fmt::print("{}: {} files, {} of {}\n", usage.folder, usage.files, human_size(usage.bytes),
               human_size(usage.limit_bytes));
  }
  return kExitOk;
}

Result<int> clear(bool as_json) {
  const auto cache = TRY(cache_of_user());
  TRY(cache->clear());
  return as_json ? show(as_json) : Result<int>(kExitOk);
}

}  // namespace

void add_cache(Command& firn) {
  Command command = firn.add("cache", "Show or empty the cache of files of other machines", kManual);
  struct Arguments {
    std::string action;
    bool json = false;
  };
  auto arguments = std::make_shared<Arguments>();
  command.value("ACTION", arguments->action, "Remove what it holds").one_of({"clear"});
  command.json(arguments->json, "As one JSON value");
  command.runs([arguments] { return arguments->action.empty() ? show(arguments->json) : clear(arguments->json); });
}

}  // namespace firn::cli
