#include "cli/migrations.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <array>

#include "base/checksum.h"
#include "cli/files.h"
#include "cli/mounts.h"
#include "cli/place.h"
#include "http/api.h"

namespace firn::cli {

namespace {

constexpr unsigned kReaders = 4;  // threads that read sources
constexpr std::array<std::string_view, 5> kRules = {"fail", "skip", "overwrite", "newer", "rename"};
constexpr std::array<std::string_view, 3> kModes = {"copy", "dry-run", "verify"};

template <size_t N>
std::optional<size_t> index_in(const std::array<std::string_view, N>& names, std::string_view text) {
  for (size_t i = 0; i < N; ++i)
    if (names[i] == text) return i;
  return std::nullopt;
}

// The same sources into the same folder are the same migration.
std::string journal_name(const MigrationRequest& request) {
  std::string identity = request.into;
  for (const migrate::SourceRoot& source : request.sources) identity += '\0' + source.path + '\0' + source.name;
  return fmt::format("{:016x}.journal", checksum64(identity));
}

std::string json_of(const migrate::Summary& summary) {
  std::string out = fmt::format(R"({{{},"stopped":{},"excerpt":{})", migrate::json_of(summary.tally), summary.stopped,
                                migrate::json_string(summary.excerpt));
  if (!summary.not_shared.empty()) out += fmt::format(R"(,"not_shared":{})", migrate::json_string(summary.not_shared));
  if (!summary.failure.ok())
    out += fmt::format(R"(,"failure":{},"full":{})", migrate::json_string(summary.failure.to_string()),
                       summary.failure == Code::kNoSpace || summary.failure == Code::kQuotaExceeded);
  return out + "}";
}

// Copies how far it is, for whoever is told.
io::Task<void> follow(migrate::Progress* progress, http::WorkProgress* shown, io::CancelToken* ended, io::Gate::Entry) {
  const auto copy = [=] {
    shown->files = progress->files.load();
    shown->bytes = progress->bytes.load();
    shown->total_files = progress->total_files.load();
    shown->total_bytes = progress->total_bytes.load();
  };
  while (co_await io::sleep_for(100'000'000, ended)) copy();
}

}  // namespace

std::vector<std::string> on_conflict_rules() { return {kRules.begin(), kRules.end()}; }

std::optional<migrate::OnConflict> parse_on_conflict(std::string_view text) {
  const auto index = index_in(kRules, text);
  return index ? std::optional(static_cast<migrate::OnConflict>(*index)) : std::nullopt;
}

std::string route_of(const MigrationRequest& request) {
  std::string route =
      fmt::format("/v1/admin/migrate?into={}&mode={}&on_conflict={}&one_file_system={}&count={}&dedup={}",
                  http::encode_parameter(request.into), kModes[static_cast<size_t>(request.mode)],
                  kRules[static_cast<size_t>(request.on_conflict)], request.one_file_system ? 1 : 0,
                  request.count_first ? 1 : 0, request.find_equal ? 1 : 0);
  const auto add = [&route](std::string_view name, const std::string& value) {
    route += fmt::format("&{}={}", name, http::encode_parameter(value));
  };
  for (const migrate::SourceRoot& source : request.sources) {
    add("from", source.path);
    add("name", source.name);
  }
  for (const std::string& pattern : request.include) add("include", pattern);
  for (const std::string& pattern : request.exclude) add("exclude", pattern);
  if (!request.report.empty()) add("report", request.report);
  return route;
}

Result<MigrationRequest> migration_of(const http::Request& request) {
  MigrationRequest result;
  result.into = request.parameter("into").value_or("/");
  result.report = request.parameter("report").value_or("");
  result.one_file_system = TRY(http::flag_parameter(request, "one_file_system"));
  result.count_first = TRY(http::flag_parameter(request, "count"));
  result.find_equal = !request.parameter("dedup") || TRY(http::flag_parameter(request, "dedup"));
  const auto mode = index_in(kModes, request.parameter("mode").value_or("copy"));
  const auto rule = parse_on_conflict(request.parameter("on_conflict").value_or("fail"));
  if (!mode || !rule) return fail(Code::kInvalid, "mode or on_conflict: no such word");
  result.mode = static_cast<migrate::Mode>(*mode);
  result.on_conflict = *rule;
  for (const auto& [name, value] : request.query) {
    if (name == "from") result.sources.push_back({.path = value, .name = ""});
    if (name == "name" && !result.sources.empty()) result.sources.back().name = value;
    if (name == "include") result.include.push_back(value);
    if (name == "exclude") result.exclude.push_back(value);
  }
  if (result.sources.empty()) return fail(Code::kInvalid, "the parameter from is missing");
  for (const migrate::SourceRoot& source : result.sources)
    if (!source.path.starts_with('/') || source.name.contains('/') || source.name == "." || source.name == "..")
      return fail(Code::kInvalid, "from: not an absolute path, or name: not a name");
  if (!result.into.starts_with('/')) return fail(Code::kInvalid, "into: not an absolute path");
  if (!result.report.empty() && !result.report.starts_with('/')) return fail(Code::kInvalid, "report: not absolute");
  return result;
}

Migrations::Migrations(RunningVolume& running, VolumePaths paths, const Settings& settings)
    : running_(running), paths_(std::move(paths)), inline_max_bytes_(settings.inline_max_bytes) {
  const auto places = parse_places(settings.tiers.stores);
  if (!places) return;
  for (const Place& place : *places)
    if (place.kind == Place::Kind::kFolder) tier_folders_.push_back(place.where);
}

Result<migrate::Options> Migrations::options_of(const MigrationRequest& request) const {
  migrate::Options options{.sources = request.sources,
                           .into = request.into,
                           .mode = request.mode,
                           .on_conflict = request.on_conflict,
                           .one_file_system = request.one_file_system,
                           .find_equal = request.find_equal,
                           .count_first = request.count_first};
  for (const std::string& text : request.include) options.selection.include.emplace_back(text);
  for (const std::string& text : request.exclude) options.selection.exclude.emplace_back(text);
  options.never.insert(TRY(migrate::stat_of(AT_FDCWD, paths_.root)).key);
  for (const std::string& folder : tier_folders_)
    if (const auto found = migrate::stat_of(AT_FDCWD, folder)) options.never.insert(found->key);
  for (const Mount& mount : list_mounts().value_or(std::vector<Mount>()))
    if (mount.source == paths_.root) options.never_paths.insert(mount.point);
  const std::string folder = paths_.root + "/migrate";
  if (request.mode == migrate::Mode::kCopy) TRY(make_folder(folder));
  options.journal = folder + "/" + journal_name(request);
  options.boot = boot_id();
  options.report = request.report;
  options.inline_max_bytes = inline_max_bytes_;
  return options;
}

io::Task<Result<std::string>> Migrations::run(MigrationRequest request, migrate::Progress& progress) {
  if (busy_.exchange(true)) co_return fail(Code::kBusy, "another migration into this volume is running");
  if (!pool_) pool_ = io::make_thread_pool(kReaders);
  Result<migrate::Options> options = co_await pool_->run([&] { return options_of(request); });
  Result<migrate::Summary> summary = fail(Code::kInternal);
  if (options) {
    migrate::Migration migration({running_.volume(), *pool_, system_clock(), running_.reactors().all()},
                                 *std::move(options), progress);
    summary = co_await migration.run();
  } else {
    summary = fail(std::move(options).error());
  }
  busy_ = false;
  if (!summary) co_return fail(std::move(summary).error());
  co_return json_of(*summary);
}

io::Task<Result<std::string>> Migrations::run_shown(MigrationRequest request, http::WorkProgress& shown) {
  migrate::Progress progress;
  io::CancelToken ended;
  io::Gate gate;
  io::CancelToken::Scope stop(&shown.stop, [&progress] { progress.stop.cancel(); });
  io::detach(follow(&progress, &shown, &ended, gate.enter()));
  Result<std::string> done = co_await run(std::move(request), progress);
  ended.cancel();
  co_await gate.close();
  co_return done;
}

Result<http::Work> Migrations::work(const http::Request& request) {
  MigrationRequest asked = TRY(migration_of(request));
  return [this, asked = std::move(asked)](http::WorkProgress& shown) { return run_shown(asked, shown); };
}

}  // namespace firn::cli
