// firn events
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <thread>

#include "cli/client.h"
#include "cli/command.h"
#include "cli/date_text.h"
#include "cli/json.h"
#include "cli/server_events.h"
#include "cli/target.h"
#include "http/message.h"

namespace firn::cli {
namespace {

constexpr const char* kManual =
    "Shows what changes in a folder of a volume, or in all of it, as it happens: names that come, go and move,\n"
    "contents, attributes, extended attributes and policies. A change is shown once it is on the disk, so at most\n"
    "about a second later (sync.interval), and by its path at that time.\n"
    "With --json each change is a line of JSON, whose member \"cursor\" can be given to --since: nothing is missed "
    "and\n"
    "nothing shown twice. A cursor that is too old is a failure: list again what you follow. docs/http-api.md\n"
    "describes the members. A connection that breaks is made again. For root and the daemon's owner.";

constexpr std::chrono::seconds kRetry{2};

struct Arguments {
  std::string path;
  std::string since;
  bool json = false;
  bool no_follow = false;
};

std::string human_line(const nlohmann::json& event) {
  const auto text = [&](const char* member) {
    const auto found = event.find(member);
    return found != event.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  std::string line = fmt::format("{} {:<10} ", date_text(text("time"), "%Y-%m-%d %H:%M:%S"), text("event"));
  if (event.contains("from")) line += text("from") + " -> ";
  line += event.contains("path") && event["path"].is_string()
              ? text("path")
              : fmt::format("inode {}", event.value("inode", uint64_t{0}));
  if (event.contains("xattr")) line += " " + text("xattr");
  return line;
}

class Follower {
 public:
  Follower(Target target, const Arguments& arguments)
      : target_(std::move(target)),
        arguments_(arguments),
        events_([this](const ServerEvents::Event& event) { return show(event); }) {}

  Result<int> run() {
    for (;;) {
      const Status status = connect();
      if (closed_) return kExitFailure;  // whoever read the output has gone
      // What was never reached is a mistake; what was is coming back.
      if (!status.ok() && (status != Code::kUnavailable || !reached_)) return fail(status);
      if (arguments_.no_follow && status.ok()) return kExitOk;
      if (!status.ok() && arguments_.no_follow) return fail(status);
      if (!status.ok() && !std::exchange(told_, true)) print_error(status.message() + "; trying again");
      if (!status.ok()) std::this_thread::sleep_for(kRetry);
      events_.restart();
    }
  }

 private:
  std::string route() const {
    const std::string first = arguments_.no_follow ? "oldest" : "now";
    const std::string since =
        !events_.last_id().empty() ? events_.last_id() : (arguments_.since.empty() ? first : arguments_.since);
    return fmt::format("{}&follow={}&since={}", path_route("events", target_), arguments_.no_follow ? 0 : 1,
                       http::encode_parameter(since));
  }

  Status connect() {
    Client client = TRY(Client::connect(target_.served));
    return client.fetch(route(), {.begin = [this](const Client::Head&) -> Status {
                                    reached_ = true;
                                    told_ = false;
                                    return {};
                                  },
                                  .sink = [this](std::span<const std::byte> data) -> Status {
                                    TRY(events_.feed({reinterpret_cast<const char*>(data.data()), data.size()}));
                                    if (std::fflush(stdout) == 0) return {};
                                    closed_ = true;
                                    return Status(Code::kIo, "nobody reads the output");
                                  }});
  }

  Status show(const ServerEvents::Event& event) {
    if (event.type == "expired")
      return Status(Code::kStale, TRY(parse_answer(event.data)).value("detail", "events were discarded"));
    if (arguments_.json) {
      fmt::print("{}\n", event.data);
    } else {
      fmt::print("{}\n", human_line(TRY(parse_answer(event.data))));
    }
    return {};
  }

  const Target target_;
  const Arguments& arguments_;
  ServerEvents events_;
  bool reached_ = false;
  bool told_ = false;
  bool closed_ = false;
};

}  // namespace

void add_events(Command& firn) {
  Command command = firn.add("events", "Show what changes in a volume, as it happens", kManual);
  auto arguments = std::make_shared<Arguments>();
  command.value("PATH", arguments->path, "A folder of a volume, or the volume's own folder for all of it").required();
  command
      .value("--since", arguments->since,
             "Begin after this event's cursor; \"oldest\": with the oldest that is kept; \"now\"")
      .called("CURSOR");
  command.flag("--no-follow", arguments->no_follow, "Show what there is, from the oldest on or --since, and end");
  command.json(arguments->json, "Each change as a line of JSON");
  command.may_be_remote();
  command.runs([arguments]() -> Result<int> { return Follower(TRY(find_tree(arguments->path)), *arguments).run(); });
}

}  // namespace firn::cli
