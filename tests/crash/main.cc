// crash_test: see README.md in this folder.
#include <fmt/format.h>
#include <stdlib.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <filesystem>
#include <random>

#include "campaign.h"
#include "self_test.h"

namespace {

using firn::crash::Campaign;
using firn::crash::CampaignOptions;

struct Arguments {
  CampaignOptions campaign;
  bool plain = false;
  bool self_test = false;
  bool keep = false;
};

int parse(int argc, char** argv, Arguments& arguments) {
  CLI::App app("Kills a firn daemon at random moments and checks that everything acknowledged is still there.");
  CampaignOptions& options = arguments.campaign;
  app.add_option("--firn", options.firn, "the firn program")->check(CLI::ExistingFile);
  app.add_option("--dir", options.folder, "an existing folder to work in (default: a temporary one)");
  app.add_option("--kills", options.kills, "stop after so many kills (0: no limit)");
  app.add_option("--seconds", options.seconds, "stop after so many seconds (0: no limit)");
  app.add_option("--seed", options.seed, "repeat the choices of an earlier run (not its timing)");
  app.add_option("--workers", options.workers, "threads of the workload")->check(CLI::Range(1, 64));
  app.add_option("--grace-ms", options.grace_ms, "what is older must survive without a sync");
  app.add_option("--transport", options.transport, "the mount option of this name")
      ->check(CLI::IsMember({"uring", "dev"}));
  app.add_flag("--plain", arguments.plain, "a plain folder and no kills: checks the checker");
  app.add_flag("--self-test", arguments.self_test, "a plain folder, deliberately damaged: checks the checker");
  app.add_flag("--keep", arguments.keep, "leave the folder behind after a failure");
  CLI11_PARSE(app, argc, argv);
  if (options.firn.empty() && !arguments.plain && !arguments.self_test) {
    fmt::print(stderr, "crash_test: --firn, --plain or --self-test is needed\n");
    return 2;
  }
  if (arguments.plain) options.firn.clear();
  return -1;
}

std::string make_folder(const std::string& parent) {
  namespace fs = std::filesystem;
  fs::path base = parent.empty() ? fs::temp_directory_path() : fs::path(parent);
  fs::create_directories(base);
  std::string pattern = (fs::absolute(base) / "firn-crash-XXXXXX").string();
  return ::mkdtemp(pattern.data()) == nullptr ? "" : pattern;
}

void print_summary(const Campaign& campaign, std::chrono::steady_clock::duration elapsed) {
  const auto& t = campaign.totals();
  fmt::print(
      "crash_test: {} rounds, {} kills, {} more during recovery, {} clean unmounts, {} fscks, {} operations, "
      "{} facts checked, {} s\n",
      t.rounds, t.kills, t.recovery_kills, t.clean_unmounts, t.fscks, t.operations, t.facts,
      std::chrono::duration_cast<std::chrono::seconds>(elapsed).count());
}

int run_campaign(const Arguments& arguments) {
  auto start = std::chrono::steady_clock::now();
  Campaign campaign(arguments.campaign);
  std::vector<std::string> wrong = campaign.run();
  for (const std::string& text : wrong) fmt::print("VIOLATION {}\n", text);
  print_summary(campaign, std::chrono::steady_clock::now() - start);
  fmt::print("{} passed, {} failed\n", campaign.totals().rounds, wrong.empty() ? 0 : 1);
  return wrong.empty() ? 0 : 1;
}

int run_self_test(const Arguments& arguments) {
  auto result = firn::crash::run_self_test(arguments.campaign);
  for (const std::string& text : result.failures) fmt::print("FAILED {}\n", text);
  fmt::print("{} passed, {} failed\n", result.passed, result.failures.size());
  return result.failures.empty() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  arguments.campaign.seed = std::random_device{}();
  if (int code = parse(argc, argv, arguments); code >= 0) return code;
  std::string folder = make_folder(arguments.campaign.folder);
  if (folder.empty()) {
    fmt::print(stderr, "crash_test: cannot make a folder in {}\n", arguments.campaign.folder);
    return 1;
  }
  arguments.campaign.folder = folder;
  fmt::print("crash_test: seed {}, in {}\n", arguments.campaign.seed, folder);
  std::fflush(stdout);
  int code = arguments.self_test ? run_self_test(arguments) : run_campaign(arguments);
  if (code == 0 || !arguments.keep) std::filesystem::remove_all(folder);
  return code;
}
