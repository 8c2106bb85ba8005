// firn debug
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "cli/bundle.h"
#include "cli/client.h"
#include "cli/command.h"
#include "cli/date_text.h"
#include "cli/json.h"
#include "cli/mounts.h"
#include "cli/rates.h"
#include "cli/redact.h"
#include "cli/settings.h"
#include "cli/target.h"
#include "cli/version.h"

namespace firn::cli {
namespace {

constexpr const char* kManual =
    "Packs what a bug report needs: status, metrics, what happens within a second, settings, versions, mounts, the\n"
    "end of the log, and how much waits to be uploaded. Secrets are taken out; names of files are left out without\n"
    "--with-paths; contents never are in it. Look at it before you send it: tar tzf FILE.";

constexpr size_t kLogBytes = 512 << 10;

struct Arguments {
  std::string volume;
  std::string output;
  bool with_paths = false;
  bool json = false;
};

std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string log_tail(const std::string& path) {
  std::string text = read_text(path);
  if (text.size() <= kLogBytes) return text;
  text.erase(0, text.size() - kLogBytes);
  return text.substr(text.find('\n') + 1);
}

// Without the lines that explain.
std::string without_comments(const std::string& text) {
  std::string out, line;
  for (std::istringstream lines(text); std::getline(lines, line);)
    if (!line.starts_with("# ")) out += line + "\n";
  return out;
}

// As firn reads them: what is no setting is not in it. Those that begin with # have their default.
std::string settings_text(const std::string& file, bool with_paths) {
  Result<Settings> settings = load_settings(file);
  if (!settings) return "the settings do not load: " + settings.error().to_string() + "\n";
  if (!with_paths && !settings->nfs.exports.empty())
    settings->nfs.exports = {fmt::format("{} exports", settings->nfs.exports.size())};
  return without_comments(render_settings(*std::move(settings)));
}

std::string system_text() {
  utsname system{};
  uname(&system);
  std::string out =
      fmt::format("{}\n{} {} {} {}\n", version_text(), system.sysname, system.release, system.version, system.machine);
  out += fmt::format("processors {}, memory {} MiB, user {}\n", sysconf(_SC_NPROCESSORS_ONLN),
                     (sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE)) >> 20, geteuid() == 0 ? "root" : "ordinary");
  out += "fuse io_uring " + read_text("/sys/module/fuse/parameters/enable_uring") + "\n";
  return out + read_text("/etc/os-release");
}

// Which of the variables that firn heeds are there; not what they say.
std::string environment_text() {
  std::string out;
  for (char** variable = environ; *variable; ++variable) {
    const std::string_view text = *variable;
    const std::string_view name = text.substr(0, text.find('='));
    if (name.starts_with("FIRN_") || name.starts_with("AWS_") || name == "SSL_CERT_FILE")
      out += fmt::format("{} is set\n", name);
  }
  return out;
}

std::string mounts_text() {
  std::string out;
  const auto mounts = list_mounts();
  if (!mounts) return mounts.error().to_string() + "\n";
  for (const Mount& mount : *mounts) out += fmt::format("{} of {}\n", mount.point, mount.source);
  return out;
}

Result<std::string> ask(const Served& served, const std::string& route) {
  Client client = TRY(Client::connect(served));
  return TRY(client.call("GET", route)).body;
}

std::string or_reason(Result<std::string> text) {
  return text ? *std::move(text) : "not there: " + text.error().to_string() + "\n";
}

Result<Scrape> look(const Served& served) {
  const std::string text = TRY(ask(served, "/v1/metrics"));
  return Scrape::parse(text);
}

Result<std::string> second_of(const Served& served) {
  const Scrape before = TRY(look(served));
  const auto begin = std::chrono::steady_clock::now();
  std::this_thread::sleep_for(std::chrono::seconds(1));
  const Scrape after = TRY(look(served));
  return table_of(
      rates_between(before, after, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count()));
}

// A line for each member: without_secrets() cuts lines that are too long.
std::string lines_of(const nlohmann::json& body) {
  return body.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

Result<std::string> status_text(const Served& served) {
  const std::string answer = TRY(ask(served, "/v1/status"));
  return lines_of(TRY(parse_answer(answer)));
}

// What waits to be uploaded, without the files' names.
Result<std::string> pending_text(const Served& served, bool with_paths) {
  const std::string answer = TRY(ask(served, "/v1/admin/wal?limit=1000"));
  nlohmann::json body = TRY(parse_answer(answer));
  if (!with_paths)
    for (nlohmann::json& file : body["pending"]) {
      file.erase("name");
      file.erase("name_hex");
    }
  return lines_of(body);
}

class Report {
 public:
  Report(Bundle& bundle, bool with_paths, std::string root)
      : bundle_(bundle), with_paths_(with_paths), root_(std::move(root)) {}

  Status add(const std::string& file, const std::string& text) { return bundle_.add(file, without_secrets(text)); }
  // A text that may tell of files.
  Status add_log(const std::string& file, const std::string& text) {
    return add(file, with_paths_ ? text : without_paths(text, root_));
  }

 private:
  Bundle& bundle_;
  const bool with_paths_;
  const std::string root_;
};

Result<void> gather(const Served& served, bool with_paths, Bundle& bundle) {
  Report report(bundle, with_paths, served.paths.root);
  TRY(report.add("system.txt", system_text()));
  TRY(report.add("environment.txt", environment_text()));
  TRY(report.add("mounts.txt", mounts_text()));
  TRY(report.add("status.json", or_reason(status_text(served))));
  TRY(report.add("metrics.txt", or_reason(ask(served, "/v1/metrics"))));
  TRY(report.add("stats.txt", or_reason(second_of(served))));
  TRY(report.add("pending.json", or_reason(pending_text(served, with_paths))));
  if (served.remote) return {};
  TRY(report.add("firn.toml", settings_text(served.paths.config(), with_paths)));
  TRY(report.add_log("firn.log", log_tail(served.paths.log())));
  return {};
}

Result<int> run(const Arguments& arguments) {
  const Served served = TRY(served_volume(arguments.volume));
  const std::string name = date_text(std::time(nullptr), "firn-debug-%Y%m%d-%H%M%S");
  const std::string output = arguments.output.empty() ? name + ".tar.gz" : arguments.output;
  Bundle bundle = TRY(Bundle::create(name));
  TRY(gather(served, arguments.with_paths, bundle));
  TRY(bundle.pack(output));
  if (arguments.json)
    print_json({{"file", output}});
  else
    fmt::print("{}\n", output);
  return kExitOk;
}

}  // namespace

void add_debug(Command& firn) {
  Command command = firn.add("debug", "Pack what a bug report needs, without secrets", kManual);
  auto arguments = std::make_shared<Arguments>();
  command.value("VOLUME", arguments->volume, "The volume's folder, or where it is mounted; none with --url");
  command.value("-o,--output", arguments->output, "The file to write, which must not be there").called("FILE");
  command.flag("--with-paths", arguments->with_paths, "With names of files, where the log or the uploads have them");
  command.json(arguments->json, "The file's name as one JSON value");
  command.may_be_remote();
  command.runs([arguments]() -> Result<int> {
    if (arguments->volume.empty() && !TRY(chosen_remote()))
      return misuse("debug: which volume? give its folder, where it is mounted, or --url");
    return run(*arguments);
  });
}

}  // namespace firn::cli
