// firn token: who may reach a volume by HTTP.
#include <fmt/format.h>
#include <unistd.h>

#include <ctime>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/bytes.h"
#include "base/time.h"
#include "cli/client.h"
#include "cli/command.h"
#include "cli/date_text.h"
#include "cli/json.h"
#include "cli/token_file.h"
#include "http/token_answers.h"

namespace firn::cli {
namespace {

using nlohmann::json;

constexpr const char* kManual =
    "A token lets whoever shows it in by HTTP (Authorization: Bearer TOKEN; FIRN_TOKEN for firn itself). It acts as a\n"
    "user, on a folder and what is below it, and reads or writes; what that user may not do it may not either.\n\n"
    "  firn token create VOLUME   makes one and prints it, this once: only its hash is kept\n"
    "  firn token list VOLUME     those that there are, without their secrets\n"
    "  firn token revoke VOLUME ID...   ends them; requests that are under way go on to their end\n\n"
    "VOLUME is the volume's folder, served or not.";

struct Arguments {
  std::string volume, name, path = "/", groups, expires;
  std::vector<std::string> ids;
  std::optional<uint32_t> uid, gid;
  bool write = false, read_only = false, admin = false, json = false;
};

// The same question to a daemon that serves the volume, or to its file.
Result<std::string> ask(const VolumePaths& paths, const std::string& method, const std::string& target) {
  Result<VolumeLock> lock = VolumeLock::take(paths, "");
  if (!lock && lock.error() == Code::kBusy) {
    Client client = TRY(Client::connect(paths));
    return TRY(client.call(method, target)).body;
  }
  if (!lock) return fail(lock.error());
  http::Request request{.method = method};
  TRY(http::parse_target(target, request));
  const std::vector<http::Token> tokens = TRY(load_tokens(paths));
  Result<http::TokenAnswer> answer = http::answer_about_tokens({.tokens = tokens,
                                                                .request = request,
                                                                .now_s = system_clock().now().seconds,
                                                                .default_uid = geteuid(),
                                                                .default_gid = getegid(),
                                                                .random = system_random()});
  Status kept;
  if (answer && answer->changed) kept = save_tokens(paths, http::render_tokens(*answer->changed));
  lock->leave("");
  if (!answer) return fail(answer.error());
  TRY(kept);
  return std::move(answer->response.body);
}

Result<json> ask_json(const VolumePaths& paths, const std::string& method, const std::string& target) {
  return parse_answer(TRY(ask(paths, method, target)));
}

// "30d", or what parse_duration reads, from now, in seconds since 1970.
Result<int64_t> expiry_of(const std::string& text) {
  constexpr int64_t kSecondNs = 1'000'000'000, kDayHours = 24;
  int64_t times = 1;
  std::string duration = text;
  if (duration.ends_with('d')) {
    duration.back() = 'h';
    times = kDayHours;
  }
  const Result<int64_t> ns = parse_duration(duration);
  if (!ns || *ns < kSecondNs || *ns > INT64_MAX / kDayHours)
    return fail(Code::kInvalid, fmt::format("--expires {}: give a duration such as 12h or 30d", text));
  return system_clock().now().seconds + *ns * times / kSecondNs;
}

std::string date_of(const json& seconds) {
  if (!seconds.is_number()) return "never";
  return date_text(seconds.get<int64_t>(), "%Y-%m-%d %H:%M");
}

std::string target_of(const Arguments& arguments, int64_t expires_s) {
  std::string target =
      fmt::format("{}?right={}&path={}&name={}&expires={}", http::kTokensPath,
                  arguments.admin   ? "admin"
                  : arguments.write ? "write"
                                    : "read",
                  http::encode_parameter(arguments.path), http::encode_parameter(arguments.name), expires_s);
  if (arguments.uid) target += fmt::format("&uid={}&gid={}", *arguments.uid, arguments.gid.value_or(*arguments.uid));
  if (!arguments.groups.empty()) target += "&groups=" + http::encode_parameter(arguments.groups);
  return target;
}

Result<int> create(const Arguments& arguments) {
  const VolumePaths paths = TRY(require_volume(arguments.volume));
  const int64_t expires_s = arguments.expires.empty() ? 0 : TRY(expiry_of(arguments.expires));
  const json made = TRY(ask_json(paths, "POST", target_of(arguments, expires_s)));
  if (arguments.json) {
    print_json(made);
    return kExitOk;
  }
  // The secret alone on standard output, for scripts.
  fmt::print(stderr, "token {}: {} {} as {}:{}, expires {}; it is shown only now:\n", made.value("id", ""),
             made.value("right", ""), made.value("path", ""), made.value("uid", 0u), made.value("gid", 0u),
             date_of(made.at("expires")));
  fmt::print("{}\n", made.value("secret", ""));
  return kExitOk;
}

Result<int> list(const Arguments& arguments) {
  const VolumePaths paths = TRY(require_volume(arguments.volume));
  const json body = TRY(ask_json(paths, "GET", std::string(http::kTokensPath)));
  if (arguments.json) {
    print_json(body);
    return kExitOk;
  }
  for (const json& token : body.at("tokens"))
    fmt::print("{}  {:<5}  {:>11}  {:<16}  {}  {}\n", token.value("id", ""), token.value("right", ""),
               fmt::format("{}:{}", token.value("uid", 0u), token.value("gid", 0u)),
               token.value("expired", false) ? "expired" : date_of(token.at("expires")), token.value("path", ""),
               token.value("name", ""));
  if (body.at("tokens").empty()) fmt::print("there are no tokens\n");
  return kExitOk;
}

Result<int> revoke(const Arguments& arguments) {
  const VolumePaths paths = TRY(require_volume(arguments.volume));
  for (const std::string& id : arguments.ids)
    TRY(ask(paths, "DELETE", fmt::format("{}/{}", http::kTokensPath, http::encode_parameter(id))));
  if (arguments.json) print_json({{"revoked", arguments.ids}});
  return kExitOk;
}

Command add(Command& token, const std::string& name, const std::string& brief,
            const std::shared_ptr<Arguments>& arguments, Result<int> (*run)(const Arguments&)) {
  Command command = token.add(name, brief);
  command.value("VOLUME", arguments->volume, "The volume's folder").required();
  command.runs([arguments, run] { return run(*arguments); });
  return command;
}

void add_create(Command& token) {
  auto arguments = std::make_shared<Arguments>();
  Command command = add(token, "create", "Make a token, and print it", arguments, create);
  command.value("--name", arguments->name, "What it is for, for people");
  const Option path = command.value("--path", arguments->path, "The folder that it is for (/)");
  const Option read_only = command.flag("--read-only", arguments->read_only, "It reads (so it is without --write)");
  command.flag("--write", arguments->write, "It reads and writes").excludes(read_only);
  const Option uid = command.value("--uid", arguments->uid, "The user as whom it acts (who makes it)");
  command.value("--gid", arguments->gid, "Their group (the same number as --uid)").needs(uid);
  command.value("--groups", arguments->groups, "Their other groups: 100,101").needs(uid);
  command.value("--expires", arguments->expires, "After 12h, 30d and so on (never)");
  command.flag("--admin", arguments->admin, "It may do what the daemon's owner may (/v1/admin)").excludes(path);
  command.json(arguments->json, "As one JSON value");
}

}  // namespace

void add_token(Command& firn) {
  Command command = firn.add("token", "Say who may reach a volume by HTTP", kManual);
  command.needs_subcommand();
  add_create(command);
  auto listed = std::make_shared<Arguments>();
  add(command, "list", "List tokens, without their secrets", listed, list).json(listed->json, "As one JSON value");
  auto revoked = std::make_shared<Arguments>();
  Command revoke_command = add(command, "revoke", "End tokens", revoked, revoke);
  revoke_command.value("ID", revoked->ids, "As firn token list names them").required();
  revoke_command.json(revoked->json, "As one JSON value");
}

}  // namespace firn::cli
