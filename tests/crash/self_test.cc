#include "self_test.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <functional>

#include "scan.h"
#include "stamp.h"

namespace firn::crash {
namespace {

namespace fs = std::filesystem;

// Two files of some size that have one name each.
struct Victims {
  std::string first, second;
};

void overwrite(const std::string& path, uint64_t offset, std::span<const std::byte> bytes) {
  int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0 || ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset)) < 0)
    throw std::runtime_error("cannot damage " + path);
  ::close(fd);
}

struct Damage {
  const char* name;
  std::function<void(const Victims&)> inflict;
};

const std::vector<Damage>& damages() {
  static const std::vector<Damage> all{
      {"a byte flipped",
       [](const Victims& v) {
         std::vector<std::byte> content;
         read_whole(v.first, content);
         content[4100] ^= std::byte{1};
         overwrite(v.first, 4100, std::span(content).subspan(4100, 1));
       }},
      {"a block of zeros", [](const Victims& v) { overwrite(v.first, 4096, std::vector<std::byte>(4096)); }},
      {"another file's block",
       [](const Victims& v) {
         std::vector<std::byte> other;
         read_whole(v.second, other);
         overwrite(v.first, 0, std::span(other).first(4096));
       }},
      {"a version that never was",
       [](const Victims& v) {
         std::vector<std::byte> block(4096);
         fill_stamps(block, 1, 0xfffff, 0);
         overwrite(v.first, 0, block);
       }},
      {"a tail cut off", [](const Victims& v) { fs::resize_file(v.first, fs::file_size(v.first) - 1); }},
      {"a size without data", [](const Victims& v) { fs::resize_file(v.first, fs::file_size(v.first) + 4096); }},
      {"a name lost", [](const Victims& v) { fs::remove(v.first); }},
      {"a name too many", [](const Victims& v) { fs::copy_file(v.first, v.first + "-more"); }},
      {"two names swapped",
       [](const Victims& v) {
         fs::rename(v.first, v.first + "-away");
         fs::rename(v.second, v.first);
         fs::rename(v.first + "-away", v.second);
       }},
      {"a link too many", [](const Victims& v) { fs::create_hard_link(v.first, v.first + "-link"); }},
      {"a file made a folder",
       [](const Victims& v) {
         fs::remove(v.first);
         fs::create_directory(v.first);
       }},
  };
  return all;
}

// Fresh files of known content beside what the workload left, so that every damage has something to hit.
Victims make_victims(Campaign& campaign) {
  Worker& worker = *campaign.workers().front();
  Victims victims;
  for (std::string* path : {&victims.first, &victims.second}) {
    static int count = 0;
    std::string name = fmt::format("{}/victim{}", worker.own_folder(), count++);
    *path = campaign.root() + "/" + name;
    int fd = ::open(path->c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
    struct stat status{};
    ::fstat(fd, &status);
    worker.ledger().names.begin({.path = name});
    worker.ledger().names.finish(true, status.st_ino);
    FileModel model(new_file_id());
    std::vector<std::byte> content(20000);
    fill_stamps(content, model.id(), model.begin_write(0, content.size()), 0);
    model.finish(true);
    if (::write(fd, content.data(), content.size()) < 0) throw std::runtime_error("cannot write " + *path);
    ::close(fd);
    worker.ledger().files.insert_or_assign(status.st_ino, std::move(model));
  }
  return victims;
}

// What a crash could not excuse even though nothing was synced.
std::vector<std::string> unsynced_size_without_data(Campaign& campaign) {
  Victims victims = make_victims(campaign);
  overwrite(victims.first, 4096, std::vector<std::byte>(4096));
  return campaign.verify();
}

}  // namespace

SelfTestResult run_self_test(const CampaignOptions& options) {
  SelfTestResult result;
  auto attempt = [&](const std::string& name, bool expect_violation, const auto& body) {
    CampaignOptions plain = options;
    plain.firn.clear();
    plain.folder = fmt::format("{}/{}", options.folder, result.passed + static_cast<int>(result.failures.size()));
    Campaign campaign(plain);
    std::vector<std::string> wrong = campaign.prepare();
    if (wrong.empty()) wrong = campaign.work(150, false);
    if (wrong.empty()) wrong = body(campaign);
    bool found = !wrong.empty();
    if (found == expect_violation)
      ++result.passed;
    else
      result.failures.push_back(found ? fmt::format("{}: reported, though nothing is wrong: {}", name, wrong.front())
                                      : fmt::format("{}: not found", name));
    fs::remove_all(plain.folder);
  };
  attempt("no damage, nothing synced", false, [](Campaign& c) { return c.verify(); });
  attempt("no damage, all synced", false, [](Campaign& c) {
    make_victims(c);
    c.acknowledge_all();
    return c.verify();
  });
  for (const Damage& damage : damages())
    attempt(damage.name, true, [&](Campaign& c) {
      Victims victims = make_victims(c);
      c.acknowledge_all();
      damage.inflict(victims);
      return c.verify();
    });
  attempt("an unsynced size without its data", true, unsynced_size_without_data);
  return result;
}

}  // namespace firn::crash
