// firn stats
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>
#include <thread>

#include "cli/client.h"
#include "cli/command.h"
#include "cli/json.h"
#include "cli/rates.h"
#include "cli/target.h"

namespace firn::cli {
namespace {

constexpr const char* kManual =
    "Shows, once a second, what a served volume does: operations of each door with their latency, bytes, the\n"
    "namespace's store and caches, colder tiers, and how busy the reactors are. VOLUME may also be a mount point.\n"
    "With --json each sample is a line. Ends after --count samples, or when it is interrupted.";

struct Arguments {
  std::string volume;
  int64_t interval_s = 1;
  int64_t count = 0;
  bool json = false;
};

Result<Scrape> look(const Served& served) {
  Client client = TRY(Client::connect(served));
  const Client::Reply reply = TRY(client.call("GET", "/v1/metrics"));
  return Scrape::parse(reply.body);
}

std::string clock_text() {
  const time_t now = std::time(nullptr);
  tm parts{};
  localtime_r(&now, &parts);
  return fmt::format("{:02}:{:02}:{:02}", parts.tm_hour, parts.tm_min, parts.tm_sec);
}

void show(const Served& served, const Rates& rates, double seconds) {
  constexpr const char* kTopOfScreen = "\x1b[H\x1b[2J";
  fmt::print("{}{}  {}, over {:.1f} s\n{}\n", isatty(STDOUT_FILENO) ? kTopOfScreen : "", clock_text(), served.text(),
             seconds, table_of(rates));
}

void show_json(const Rates& rates, double seconds) {
  nlohmann::json line = json_of(rates);
  line["time"] = std::time(nullptr);
  line["seconds"] = seconds;
  print_json(line);
}

Result<int> run(const Arguments& arguments) {
  using Clock = std::chrono::steady_clock;
  const Served served = TRY(served_volume(arguments.volume));
  Scrape before = TRY(look(served));
  Clock::time_point looked = Clock::now();
  for (int64_t sample = 0; arguments.count == 0 || sample < arguments.count; ++sample) {
    std::this_thread::sleep_until(looked + std::chrono::seconds(arguments.interval_s));
    Scrape after = TRY(look(served));
    const Clock::time_point now = Clock::now();
    const double seconds = std::chrono::duration<double>(now - looked).count();
    const Rates rates = rates_between(before, after, seconds);
    if (arguments.json) {
      show_json(rates, seconds);
    } else {
      show(served, rates, seconds);
    }
    // Whoever read it has gone.
    if (std::fflush(stdout) != 0) return kExitFailure;
    before = std::move(after);
    looked = now;
  }
  return kExitOk;
}

}  // namespace

void add_stats(Command& firn) {
  Command command = firn.add("stats", "Show what a volume does, once a second", kManual);
  auto arguments = std::make_shared<Arguments>();
  command.value("VOLUME", arguments->volume, "The volume's folder, or where it is mounted");
  command.value("--interval", arguments->interval_s, "Seconds between samples").between(1, 3600);
  command.value("--count", arguments->count, "How many samples; 0: until interrupted").between(0, 1'000'000'000);
  command.json(arguments->json, "Each sample as a line of JSON");
  command.may_be_remote();
  command.runs([arguments]() -> Result<int> {
    if (arguments->volume.empty() && !TRY(chosen_remote()))
      return misuse("stats: which volume? give its folder, where it is mounted, or --url");
    return run(*arguments);
  });
}

}  // namespace firn::cli
