#include "object/s3/credential_process.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/time.h"
#include "object/abandonable.h"
#include "object/s3/bounded_program.h"
#include "object/s3/iso_time.h"
#include "object/s3/shown_line.h"

namespace firn::object::s3 {

namespace {

constexpr int64_t kLimitNs = 30'000'000'000;
constexpr int64_t kEndingNs = 5'000'000'000;  // to start it, and to be rid of it

std::vector<std::string> variables_of(const Environment& environment) {
  std::vector<std::string> variables;
  for (const auto& [name, value] : environment.variables) variables.push_back(name + "=" + value);
  return variables;
}

Result<Credentials> ask(const std::vector<std::string>& words, const std::vector<std::string>& variables,
                        int64_t within_ns) {
  const ProgramResult ended = TRY(run_program(words, variables, {.within_ns = within_ns}));
  if (ended.exit_code == 0) return parse_process_answer(ended.out, system_clock().now().seconds);
  std::string why = ended.exit_code < 0 ? "a signal ended it" : "exit code " + std::to_string(ended.exit_code);
  if (const std::string line = shown_line(ended.errors); !line.empty()) why += ": " + line;
  return fail(Code::kInvalid, std::move(why));
}

}  // namespace

Result<std::vector<std::string>> split_command(std::string_view command) {
  std::vector<std::string> words;
  bool in_word = false;
  char quote = 0;
  for (size_t i = 0; i < command.size(); ++i) {
    const char c = command[i];
    if (quote == 0 && (c == ' ' || c == '\t')) {
      in_word = false;
      continue;
    }
    if (!in_word) words.emplace_back();
    in_word = true;
    const char next = i + 1 < command.size() ? command[i + 1] : '\0';
    if (c == '\\' && next != '\0' && (quote == 0 || (quote == '"' && (next == '"' || next == '\\')))) {
      words.back() += next;
      ++i;
    } else if (quote == 0 ? c == '"' || c == '\'' : c == quote) {
      quote = quote == 0 ? c : '\0';
    } else {
      words.back() += c;
    }
  }
  if (quote != 0) return fail(Code::kInvalid, "a quote is not closed");
  if (words.empty()) return fail(Code::kInvalid, "no program is named");
  return words;
}

Result<Credentials> parse_process_answer(const std::string& text, int64_t now_s) {
  const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return fail(Code::kInvalid, "what it prints is no JSON object");
  if (!json.contains("Version") || json["Version"] != 1)
    return fail(Code::kInvalid, "what it prints is not of Version 1");
  const auto member = [&](const char* key) {
    return json.contains(key) && json[key].is_string() ? json[key].get<std::string>() : "";
  };
  Credentials found{.access_key_id = member("AccessKeyId"),
                    .secret_access_key = member("SecretAccessKey"),
                    .session_token = member("SessionToken")};
  if (found.access_key_id.empty() || found.secret_access_key.empty())
    return fail(Code::kInvalid, "what it prints has no AccessKeyId and SecretAccessKey");
  if (!json.contains("Expiration") || json["Expiration"].is_null()) return found;
  found.expires_s = parse_iso_time(member("Expiration"));
  if (!found.expires_s) return fail(Code::kInvalid, "the Expiration that it prints is no time");
  if (*found.expires_s <= now_s) return fail(Code::kInvalid, "the credentials that it prints have expired already");
  return found;
}

io::Task<Result<Credentials>> ask_credential_process(std::string command, std::string profile, Environment environment,
                                                     io::BlockingPool& pool, io::Until until) {
  const std::string context = "credential_process of the profile " + profile;
  Result<std::vector<std::string>> words = split_command(command);
  if (!words) co_return fail(Code::kAccessDenied, context + ": " + words.error().to_string());
  int64_t within_ns = kLimitNs;
  if (until.deadline_ns != 0)
    within_ns = std::clamp<int64_t>(until.deadline_ns - io::Reactor::current()->clock().monotonic_ns(), 0, kLimitNs);
  if (within_ns == 0) co_return fail(Code::kTimedOut, context + ": no time is left to run it");
  const std::string program = words->front();
  std::optional<Result<Credentials>> found =
      co_await run_abandonable(pool, io::within(within_ns + kEndingNs, until.token),
                               [words = *std::move(words), variables = variables_of(environment), within_ns] {
                                 return ask(words, variables, within_ns);
                               });
  if (!found && until.token != nullptr && until.token->cancelled()) co_return fail(Code::kInterrupted);
  if (!found) found = fail(Code::kTimedOut, "it cannot be ended");
  if (!*found)
    co_return fail(found->error() == Code::kTimedOut ? Code::kTimedOut : Code::kAccessDenied,
                   context + " (" + program + "): " + found->error().to_string());
  (*found)->source = context;
  co_return *std::move(*found);
}

}  // namespace firn::object::s3
