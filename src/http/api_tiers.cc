// The routes of colder tiers: where files are, what waits, and moving them.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <tuple>

#include "http/api.h"
#include "http/json.h"
#include "http/path_walk.h"
#include "http/tree_page.h"
#include "http/tree_walk.h"
#include "vfs/policy.h"

namespace firn::http {

namespace {

constexpr size_t kEvictAtOnce = 64;  // each waits for the log, which they share
constexpr size_t kWarmAtOnce = 4;    // each has several chunks on their way
constexpr size_t kPage = 512;
constexpr size_t kMostFindings = 1000;  // in one answer; more are counted

Response json_response(const nlohmann::json& body) { return {200, "application/json", dump_json(body), {}}; }

nlohmann::json json_of(const vfs::Residency& residency) {
  nlohmann::json body = {{"tiers", residency.bits},
                         {"hot", residency.hot          ? "all"
                                 : residency.partly_hot ? "some"
                                                        : "none"},
                         {"uploaded", residency.uploaded},
                         {"inline", residency.is_inline}};
  if (residency.local_only) body["local_only"] = true;
  if (!residency.policy.empty()) body["policy"] = residency.policy;
  return body;
}

// Counts first, so that there is a total to measure the rest by.
io::Task<Result<void>> count(vfs::Volume& volume, std::string path, WorkProgress* progress) {
  const TreeWalk walk{.volume = volume,
                      .token = &progress->stop,
                      .at_once = 1,
                      .visit = [progress](std::string, vfs::Attr attr) -> io::Task<Result<void>> {
                        progress->total_files += 1;
                        progress->total_bytes += attr.size;
                        co_return Result<void>();
                      }};
  co_return co_await walk_files(walk, std::move(path));
}

// Files that stay for one reason.
struct Staying {
  uint64_t files = 0;
  std::string example;  // the path of one
};

struct Outcome {
  std::atomic<uint64_t> bytes = 0, files = 0, pinned = 0, local = 0, damaged = 0;
  std::mutex findings_mutex;  // guards what follows
  Staying open, pending;
  nlohmann::json findings = nlohmann::json::array();  // which are damaged, and how

  void note_damaged(std::string_view path, const Status& what) {
    damaged += 1;
    std::lock_guard lock(findings_mutex);
    if (findings.size() >= kMostFindings) return;
    findings.push_back({{"what", what.message()}});
    put_name(findings.back(), path);
  }

  void note_staying(Staying Outcome::* why, std::string path) {
    std::lock_guard lock(findings_mutex);
    Staying& staying = this->*why;
    if (staying.files++ == 0) staying.example = std::move(path);
  }
};

nlohmann::json json_of(const Staying& staying) {
  nlohmann::json body = {{"files", staying.files}};
  if (staying.files > 0) put_name(body, staying.example);
  return body;
}

io::Task<Result<void>> evict_one(vfs::Volume* volume, std::string path, vfs::Attr attr, WorkProgress* progress,
                                 Outcome* outcome) {
  progress->files += 1;
  progress->bytes += attr.size;
  if (attr.policy.stays_hot()) {
    (attr.policy.pinned ? outcome->pinned : outcome->local) += 1;
    co_return Result<void>();
  }
  Result<uint64_t> freed = co_await volume->evict(attr.inode);
  if (freed) {
    outcome->bytes += *freed;
    outcome->files += *freed > 0 ? 1 : 0;
  } else if (freed.error() == Code::kBusy) {
    outcome->note_staying(&Outcome::open, std::move(path));
  } else if (freed.error() == Code::kWouldBlock) {
    outcome->note_staying(&Outcome::pending, std::move(path));
  } else if (freed.error() == Code::kCorrupt) {
    outcome->note_damaged(path, freed.error());
  } else {
    co_return fail(std::move(freed).error());
  }
  co_return Result<void>();
}

io::Task<Result<std::string>> evict_all(vfs::Volume& volume, std::string path, WorkProgress& progress) {
  CO_TRY(co_await count(volume, path, &progress));
  Outcome outcome;
  const TreeWalk walk{.volume = volume,
                      .token = &progress.stop,
                      .at_once = kEvictAtOnce,
                      .visit = [&](std::string file, vfs::Attr attr) {
                        return evict_one(&volume, std::move(file), std::move(attr), &progress, &outcome);
                      }};
  CO_TRY(co_await walk_files(walk, std::move(path)));
  co_return dump_json({{"evicted_files", outcome.files.load()},
                       {"evicted_bytes", outcome.bytes.load()},
                       {"busy", outcome.open.files + outcome.pending.files},
                       {"open", json_of(outcome.open)},
                       {"pending", json_of(outcome.pending)},
                       {"pinned", outcome.pinned.load()},
                       {"local_only", outcome.local.load()},
                       {"damaged", outcome.damaged.load()},
                       {"findings", std::move(outcome.findings)}});
}

io::Task<Result<void>> warm_one(vfs::Volume* volume, vfs::Attr attr, WorkProgress* progress, Outcome* outcome) {
  const uint64_t back = CO_TRY(co_await volume->warm(attr.inode, &progress->stop));
  outcome->bytes += back;
  outcome->files += back > 0 ? 1 : 0;
  progress->files += 1;
  progress->bytes += attr.size;
  co_return Result<void>();
}

io::Task<Result<std::string>> warm_all(vfs::Volume& volume, std::string path, WorkProgress& progress) {
  CO_TRY(co_await count(volume, path, &progress));
  Outcome outcome;
  const TreeWalk walk{
      .volume = volume, .token = &progress.stop, .at_once = kWarmAtOnce, .visit = [&](std::string, vfs::Attr attr) {
        return warm_one(&volume, std::move(attr), &progress, &outcome);
      }};
  CO_TRY(co_await walk_files(walk, std::move(path)));
  co_return fmt::format(R"({{"warmed_files":{},"warmed_bytes":{}}})", outcome.files.load(), outcome.bytes.load());
}

io::Task<Result<void>> gather(vfs::Volume& volume, std::string path, vfs::FileSet* files, io::CancelToken* token) {
  const TreeWalk walk{.volume = volume,
                      .token = token,
                      .at_once = 1,
                      .visit = [files](std::string, vfs::Attr attr) -> io::Task<Result<void>> {
                        files->insert(attr.inode);
                        co_return Result<void>();
                      }};
  co_return co_await walk_files(walk, std::move(path));
}

io::Task<Result<void>> count_pending(vfs::Volume& volume, const vfs::FileSet* only, WorkProgress& progress) {
  for (InodeId after;;) {
    const auto page = CO_TRY(co_await volume.list_pending(after, kPage));
    for (const vfs::PendingFile& file : page) {
      if (only != nullptr && !only->contains(file.inode)) continue;
      progress.total_files += 1;
      progress.total_bytes += file.bytes;
    }
    if (page.size() < kPage) co_return Result<void>();
    after = page.back().inode;
  }
}

// Copies how far the uploads are into `progress`, while they run.
io::Task<void> follow(vfs::Volume* volume, WorkProgress* progress, io::CancelToken* ended, io::Gate::Entry) {
  const vfs::TierStatistics before = volume->tier_statistics();
  while (co_await io::sleep_for(100'000'000, ended)) {
    const vfs::TierStatistics now = volume->tier_statistics();
    progress->bytes = std::min(now.handled_bytes - before.handled_bytes, progress->total_bytes.load());
    progress->files = std::min(now.uploaded_files - before.uploaded_files, progress->total_files.load());
  }
}

io::Task<Result<std::string>> flush_below(vfs::Volume& volume, std::string path, WorkProgress& progress) {
  const bool all = path == "/";
  vfs::FileSet below;
  if (!all) CO_TRY(co_await gather(volume, std::move(path), &below, &progress.stop));
  const vfs::FileSet* const only = all ? nullptr : &below;
  CO_TRY(co_await volume.sync_all());
  CO_TRY(co_await count_pending(volume, only, progress));
  io::Gate gate;
  io::CancelToken ended;
  io::detach(follow(&volume, &progress, &ended, gate.enter()));
  const Result<tier::UploadSummary> done = co_await volume.flush_tiers(only, &progress.stop);
  ended.cancel();
  co_await gate.close();
  const tier::UploadSummary summary = CO_TRY(Result<tier::UploadSummary>(done));
  if (!summary.first_failure.ok()) co_return fail(summary.first_failure);
  co_return fmt::format(R"({{"uploaded_files":{},"uploaded_bytes":{},"blobs":{},"shared_bytes":{},"postponed":{}}})",
                        summary.files, summary.blob_bytes, summary.blobs, summary.shared_bytes, summary.postponed);
}

constexpr size_t kMostPending = 10'000;  // in one answer
constexpr uint64_t kMaxInode = (uint64_t{1} << 63) - 1;

struct PendingPage {
  std::vector<vfs::PendingFile> files;
  std::optional<InodeId> next;  // what the following page begins after
};

io::Task<Result<PendingPage>> pending_by_inode(vfs::Volume& volume, InodeId after, size_t limit) {
  PendingPage page;
  page.files = CO_TRY(co_await volume.list_pending(after, limit));
  if (page.files.size() == limit) page.next = page.files.back().inode;
  co_return page;
}

// Looks at all that waits, and holds no more than `limit` of them.
io::Task<Result<PendingPage>> pending_by_age(vfs::Volume& volume, size_t limit) {
  const auto older = [](const vfs::PendingFile& one, const vfs::PendingFile& other) {
    return std::tie(one.since, one.inode) < std::tie(other.since, other.inode);
  };
  PendingPage oldest;  // its files are a heap with the youngest in front
  for (InodeId after;;) {
    const auto page = CO_TRY(co_await volume.list_pending(after, kPage));
    for (const vfs::PendingFile& file : page) {
      oldest.files.push_back(file);
      std::ranges::push_heap(oldest.files, older);
      if (oldest.files.size() <= limit) continue;
      std::ranges::pop_heap(oldest.files, older);
      oldest.files.pop_back();
    }
    if (page.size() < kPage) break;
    after = page.back().inode;
    co_await io::stand_back();
  }
  std::ranges::sort_heap(oldest.files, older);
  co_return oldest;
}

// By the query's "limit", "order" and "after".
io::Task<Result<PendingPage>> pending_page(vfs::Volume& volume, const Request& request) {
  const uint64_t limit = CO_TRY(number_parameter(request, "limit", 1000));
  if (limit == 0 || limit > kMostPending) co_return fail(Code::kInvalid, "\"limit\" must be from 1 to 10000");
  const InodeId after{CO_TRY(number_parameter(request, "after", 0))};
  if (after.value > kMaxInode) co_return fail(Code::kInvalid, "\"after\" is not the \"next\" of an answer");
  const std::string_view order = request.parameter("order").value_or("inode");
  if (order == "inode") co_return co_await pending_by_inode(volume, after, static_cast<size_t>(limit));
  if (order != "age") co_return fail(Code::kInvalid, "\"order\" must be inode or age");
  if (after != InodeId()) co_return fail(Code::kInvalid, "\"after\" goes with the order of inodes");
  co_return co_await pending_by_age(volume, static_cast<size_t>(limit));
}

// An entry of a folder. One that was removed since it was listed has a name and no more.
io::Task<Result<nlohmann::json>> tiers_of(vfs::Volume& volume, const vfs::Listed& entry) {
  nlohmann::json line = nlohmann::json::object();
  if (entry.type == meta::FileType::kRegular) {
    Result<vfs::Residency> residency = co_await volume.residency(entry.inode);
    if (residency)
      line = json_of(*residency);
    else if (residency.error() != Code::kNotFound && residency.error() != Code::kStale)
      co_return fail(std::move(residency).error());
  }
  if (entry.type == meta::FileType::kDirectory && entry.attr && entry.attr->policy != meta::Policy())
    line["policy"] = vfs::policy_text(entry.attr->policy, volume.tier_names());
  line["directory"] = entry.type == meta::FileType::kDirectory;
  if (entry.attr) line["size"] = entry.attr->size;
  put_name(line, entry.name);
  co_return line;
}

}  // namespace

io::Task<Result<void>> Api::list_tiers(Exchange& exchange, std::string) {
  const std::string path = CO_TRY(path_parameter(exchange.request(), "path"));
  const PageQuestion question = CO_TRY(page_question(exchange.request()));
  const Asker who = credentials(exchange);
  const vfs::Attr attr = CO_TRY(co_await resolve(options_.volume, who, path, LastLink::kFollow));
  nlohmann::json entries = nlohmann::json::array();
  if (attr.type != meta::FileType::kDirectory) {
    entries.push_back(json_of(CO_TRY(co_await options_.volume.residency(attr.inode))));
    entries.back()["size"] = attr.size;
    put_name(entries.back(), path);
    co_return co_await exchange.respond(json_response({{"entries", std::move(entries)}, {"next", nullptr}}));
  }
  CO_TRY(co_await options_.volume.access(who, attr.inode, R_OK));
  std::vector<vfs::Listed> listed;
  TreePage page({.volume = options_.volume, .who = who, .limit = question.limit});
  const bool more = CO_TRY(
      co_await page.list(attr.inode, question.after, [&](const TreeEntry& entry) { listed.push_back(entry.listed); }));
  for (const vfs::Listed& entry : listed) entries.push_back(CO_TRY(co_await tiers_of(options_.volume, entry)));
  nlohmann::json body = {{"entries", std::move(entries)}, {"next", nullptr}};
  if (more) body["next"] = next_after(listed.back().name);
  co_return co_await exchange.respond(json_response(body));
}

io::Task<Result<void>> Api::list_pending(Exchange& exchange, std::string) {
  const auto [files, next] = CO_TRY(co_await pending_page(options_.volume, exchange.request()));
  std::map<InodeId, std::string> paths;
  for (const vfs::PendingFile& file : files) paths.emplace(file.inode, "");
  CO_TRY(co_await find_paths(options_.volume, paths));
  nlohmann::json list = nlohmann::json::array();
  for (const vfs::PendingFile& file : files) {
    list.push_back({{"inode", file.inode.value}, {"bytes", file.bytes}, {"since", file.since.seconds}});
    put_name(list.back(), paths.at(file.inode));
  }
  const vfs::TierStatistics now = options_.volume.tier_statistics();
  nlohmann::json body = {{"pending", std::move(list)}, {"uploading", now.uploading}, {"next", nullptr}};
  if (next) body["next"] = next->value;
  if (!now.last_failure.ok()) body["failure"] = now.last_failure.to_string();
  co_return co_await exchange.respond(json_response(body));
}

std::optional<Work> Api::work_of(std::string_view what, std::string path) {
  vfs::Volume& volume = options_.volume;
  if (what == "flush") return [&volume, path](WorkProgress& progress) { return flush_below(volume, path, progress); };
  if (what == "evict") return [&volume, path](WorkProgress& progress) { return evict_all(volume, path, progress); };
  if (what == "warm") return [&volume, path](WorkProgress& progress) { return warm_all(volume, path, progress); };
  return std::nullopt;
}

io::Task<Result<void>> Api::long_work(Exchange& exchange, std::string) {
  const Request& request = exchange.request();
  const std::string_view what = std::string_view(request.path).substr(request.path.rfind('/') + 1);
  const std::string path = request.parameter("path") ? CO_TRY(path_parameter(request, "path")) : "/";
  std::optional<Work> work = work_of(what, path);
  if (what == "policy") work = CO_TRY(policy_work(request, path));
  if (!work && options_.work) work = CO_TRY(options_.work(what, request));
  if (!work) co_return co_await exchange.respond(problem(404, fmt::format("this volume has no such work: {}", what)));
  co_return co_await respond_with_work(exchange, std::move(*work));
}

}  // namespace firn::http
