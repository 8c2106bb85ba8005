// The routes of policies: what one is, and setting those of a tree.
#include <nlohmann/json.hpp>

#include "http/api.h"
#include "http/json.h"
#include "http/path_walk.h"
#include "http/tree_walk.h"
#include "vfs/policy.h"

namespace firn::http {

namespace {

constexpr size_t kSetAtOnce = 16;

struct Setting {
  vfs::Volume& volume;
  meta::Credentials who;
  meta::PolicyChange change;
  WorkProgress& progress;
  std::atomic<uint64_t> files = 0, folders = 0, away = 0;
};

io::Task<Result<meta::Attr>> find(vfs::Volume& volume, Asker who, std::string path) {
  if (volume.tier_names().empty()) co_return fail(Code::kNotSupported, "the volume has no colder tiers");
  meta::Attr attr = CO_TRY(co_await resolve(volume, std::move(who), path, LastLink::kKeep));
  if (!meta::may_have_policy(attr.type))
    co_return fail(Code::kInvalid, "only files and folders have a policy; of a symbolic link, give what it names");
  co_return attr;
}

io::Task<Result<void>> count_file(Setting* setting, uint64_t bytes) {
  setting->progress.total_files += 1;
  setting->progress.total_bytes += bytes;
  co_return Result<void>();
}

io::Task<Result<void>> set_folder(Setting* setting, InodeId folder) {
  CO_TRY(co_await setting->volume.set_policy(setting->who, folder, setting->change));
  setting->folders += 1;
  co_return Result<void>();
}

io::Task<Result<void>> set_file(Setting* setting, InodeId inode) {
  const meta::Attr attr = CO_TRY(co_await setting->volume.set_policy(setting->who, inode, setting->change));
  setting->files += 1;
  if (attr.content.evicted) setting->away += 1;
  setting->progress.files += 1;
  setting->progress.bytes += attr.size;
  co_return Result<void>();
}

// A folder before what is in it: what is made there meanwhile inherits.
io::Task<Result<std::string>> set_all(Setting* setting, std::string path) {
  vfs::Volume& volume = setting->volume;
  const meta::Attr top = CO_TRY(co_await find(volume, {}, path));
  const TreeWalk count{.volume = volume,
                       .token = &setting->progress.stop,
                       .at_once = 1,
                       .visit = [setting](std::string, vfs::Attr attr) { return count_file(setting, attr.size); }};
  CO_TRY(co_await walk_files(count, path));
  const TreeWalk walk{.volume = volume,
                      .token = &setting->progress.stop,
                      .at_once = kSetAtOnce,
                      .visit = [setting](std::string, vfs::Attr attr) { return set_file(setting, attr.inode); },
                      .enter = [setting](InodeId folder) { return set_folder(setting, folder); }};
  CO_TRY(co_await walk_files(walk, path));
  CO_TRY(co_await volume.sync_all());
  const meta::Attr now = CO_TRY(co_await volume.getattr(top.inode));
  co_return dump_json({{"set_files", setting->files.load()},
                       {"set_folders", setting->folders.load()},
                       {"away", setting->away.load()},
                       {"policy", vfs::policy_text(now.policy, volume.tier_names())}});
}

io::Task<Result<std::string>> set_tree(vfs::Volume* volume, meta::Credentials who, meta::PolicyChange change,
                                       std::string path, WorkProgress* progress) {
  Setting setting{.volume = *volume, .who = std::move(who), .change = change, .progress = *progress};
  co_return co_await set_all(&setting, std::move(path));
}

}  // namespace

io::Task<Result<void>> Api::show_policy(Exchange& exchange, std::string) {
  const std::string path = CO_TRY(path_parameter(exchange.request(), "path"));
  const meta::Attr attr = CO_TRY(co_await find(options_.volume, credentials(exchange), path));
  const std::vector<std::string>& tiers = options_.volume.tier_names();
  const nlohmann::json body = {{"policy", vfs::policy_text(attr.policy, tiers)}, {"tiers", tiers}};
  co_return co_await exchange.respond({200, "application/json", dump_json(body), {}});
}

Result<Work> Api::policy_work(const Request& request, std::string path) {
  vfs::Volume& volume = options_.volume;
  const std::string text(request.parameter("set").value_or(""));
  meta::PolicyChange change = TRY(vfs::parse_policy(text, volume.tier_names()));
  if (request.parameter("clear")) change = vfs::whole_policy(change);
  if (!change.pinned && !change.skip) return fail(Code::kInvalid, "say what the policy is to be: set, or clear");
  const meta::Credentials who{.door = options_.door};
  return Work([&volume, who, change, path = std::move(path)](WorkProgress& progress) {
    return set_tree(&volume, who, change, path, &progress);
  });
}

}  // namespace firn::http
