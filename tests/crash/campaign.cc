#include "campaign.h"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "scan.h"

namespace firn::crash {
namespace {

constexpr int kSharedFolders = 2;

std::vector<std::string> failed(const std::string& what, const Finished& result) {
  return {fmt::format("{}: exit code {}: {}", what, result.exit_code, result.output)};
}

}  // namespace

Campaign::Campaign(CampaignOptions options)
    : options_(std::move(options)), random_(options_.seed), start_(std::chrono::steady_clock::now()) {
  root_ = options_.folder + "/tree";
  if (!options_.firn.empty()) {
    volume_ = std::make_unique<Volume>(options_.firn, options_.folder, options_.transport);
    root_ = volume_->mount_point();
  }
}

std::vector<std::string> Campaign::prepare() {
  if (volume_) {
    if (Finished made = volume_->init(); made.exit_code != 0) return failed("firn init", made);
    if (Finished mounted = volume_->mount(); mounted.exit_code != 0) return failed("firn mount", mounted);
  }
  std::filesystem::create_directories(root_);
  for (int i = 0; i < kSharedFolders; ++i) std::filesystem::create_directory(fmt::format("{}/shared{}", root_, i));
  for (int i = 0; i < options_.workers; ++i) {
    workers_.push_back(
        std::make_unique<Worker>(WorkerOptions{.number = i, .shared_folders = kSharedFolders, .seed = random_()}));
    std::filesystem::create_directory(root_ + "/" + workers_.back()->own_folder());
  }
  ::sync();
  return {};
}

std::vector<std::string> Campaign::work(int milliseconds, bool kill) {
  std::atomic<bool> stop = false;
  std::vector<std::jthread> threads;
  uint64_t before = 0;
  for (auto& worker : workers_) {
    before += worker->operations();
    threads.emplace_back([&worker, this, &stop] { worker->run(root_, stop); });
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
  Instant cutoff = std::chrono::steady_clock::now() - std::chrono::milliseconds(options_.grace_ms);
  std::vector<std::string> wrong;
  stop = true;
  if (kill && !volume_->kill_daemon()) wrong.push_back("the daemon was not there to be killed");
  threads.clear();
  for (auto& worker : workers_) {
    worker->close_all();
    worker->ledger().age_out(cutoff);
    totals_.operations += worker->operations();
    if (!worker->failure().empty()) wrong.push_back(worker->failure());
  }
  totals_.operations -= before;
  return wrong;
}

void Campaign::acknowledge_all() {
  for (auto& worker : workers_) worker->ledger().all_synced();
}

std::vector<std::string> Campaign::verify() {
  std::vector<std::string> wrong;
  FoundTree tree = scan_tree(root_, wrong);
  std::vector<FoundTree> parts(workers_.size());
  for (const auto& [path, node] : tree) {
    if (path.find('/') == std::string::npos) continue;  // the fixed folders
    bool owned = false;
    for (size_t i = 0; i < workers_.size() && !owned; ++i) {
      owned = workers_[i]->owns(path);
      if (owned) parts[i].emplace(path, node);
    }
    if (!owned) wrong.push_back(path + ": nobody made this name");
  }
  auto read = [this](const std::string& path, std::vector<std::byte>& content) {
    return read_whole(root_ + "/" + path, content);
  };
  for (size_t i = 0; i < workers_.size(); ++i)
    for (std::string& text : workers_[i]->ledger().check_and_adopt(parts[i], read, totals_.facts))
      wrong.push_back(fmt::format("worker {}: {}", i, text));
  return wrong;
}

std::vector<std::string> Campaign::come_back() {
  volume_->detach();
  for (int i = 0; i < 3 && random_() % 2 == 0; ++i) {
    int delay_us = static_cast<int>(random_() % 60000);
    if (volume_->kill_while_mounting(delay_us)) ++totals_.recovery_kills;
  }
  if (Finished mounted = volume_->mount(); mounted.exit_code != 0) return failed("firn mount after a crash", mounted);
  return {};
}

std::vector<std::string> Campaign::unmount_and_fsck(bool mount_again) {
  if (Finished out = volume_->unmount(); out.exit_code != 0) return failed("firn umount", out);
  Finished checked = volume_->fsck();
  ++totals_.fscks;
  if (checked.exit_code != 0 || checked.output.find("clean") == std::string::npos) return failed("firn fsck", checked);
  if (!mount_again) return {};
  if (Finished mounted = volume_->mount(); mounted.exit_code != 0) return failed("firn mount", mounted);
  return {};
}

std::vector<std::string> Campaign::round() {
  bool clean = !volume_ || random_() % 10 == 0;
  int milliseconds =
      random_() % 10 == 0 ? 0 : 1 + static_cast<int>(random_() % static_cast<uint64_t>(options_.max_round_ms));
  std::vector<std::string> wrong = work(milliseconds, !clean);
  if (!wrong.empty()) return wrong;
  if (clean) {
    ++totals_.clean_unmounts;
    acknowledge_all();
    if (volume_) wrong = unmount_and_fsck(true);
  } else {
    ++totals_.kills;
    wrong = come_back();
  }
  if (wrong.empty()) wrong = verify();
  if (wrong.empty() && volume_ && !clean && totals_.rounds % static_cast<uint64_t>(options_.fsck_every) == 0) {
    wrong = unmount_and_fsck(true);
    if (wrong.empty()) wrong = verify();
  }
  return wrong;
}

bool Campaign::finished() const {
  auto elapsed = std::chrono::steady_clock::now() - start_;
  if (options_.seconds > 0 && elapsed >= std::chrono::seconds(options_.seconds)) return true;
  uint64_t done = volume_ ? totals_.kills : totals_.rounds;
  return options_.kills > 0 && done >= static_cast<uint64_t>(options_.kills);
}

std::vector<std::string> Campaign::run() {
  std::vector<std::string> wrong = prepare();
  while (wrong.empty() && !finished()) {
    wrong = round();
    if (wrong.empty()) ++totals_.rounds;
  }
  if (wrong.empty() && volume_) wrong = unmount_and_fsck(false);
  if (!wrong.empty() && volume_) volume_->kill_daemon();
  if (volume_) volume_->detach();
  return wrong;
}

}  // namespace firn::crash
