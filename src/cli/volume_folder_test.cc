#include "cli/volume_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/wait.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>

#include "cli/client.h"

namespace firn::cli {
namespace {

namespace fs = std::filesystem;

class VolumeFolder : public testing::Test {
 protected:
  VolumeFolder() : root_(fs::path(testing::TempDir()) / fmt::format("firn_folder_test.{}", getpid())) {
    fs::create_directories(root_);
  }
  ~VolumeFolder() override { fs::remove_all(root_); }

  std::string path(const std::string& name) const { return root_ / name; }
  void touch(const std::string& name) const {
    fs::create_directories(fs::path(path(name)).parent_path());
    std::ofstream(path(name)) << "";
  }
  FolderState state(const std::string& name) const { return probe_folder(path(name))->state; }

  const fs::path root_;
};

TEST_F(VolumeFolder, TellsWhatIsThere) {
  touch("file");
  touch("foreign/x");
  touch("volume/firn.toml");
  touch("half/firn.toml");
  touch("half/firn.init");
  fs::create_directories(path("empty"));
  fs::create_directories(path("disk/lost+found"));
  EXPECT_EQ(state("none"), FolderState::kMissing);
  EXPECT_EQ(state("file"), FolderState::kNotFolder);
  EXPECT_EQ(state("foreign"), FolderState::kForeign);
  EXPECT_EQ(state("volume"), FolderState::kVolume);
  EXPECT_EQ(state("half"), FolderState::kHalfMade);
  EXPECT_EQ(state("empty"), FolderState::kEmpty);
  EXPECT_EQ(state("disk"), FolderState::kEmpty);
}

TEST_F(VolumeFolder, ExplainsWhatIsNoVolume) {
  touch("half/firn.init");
  fs::create_directories(path("lost/meta"));
  fs::create_directories(path("lost/hot"));
  auto why = [&](const std::string& name) { return require_volume(path(name)).error().to_string(); };
  EXPECT_NE(why("none").find("firn init"), std::string::npos);
  EXPECT_NE(why("half").find("interrupted"), std::string::npos);
  EXPECT_NE(why("lost").find("firn.toml is missing"), std::string::npos);
}

TEST_F(VolumeFolder, OneHolderAtATimeAndItIsNamed) {
  const VolumePaths paths{root_};
  EXPECT_FALSE(find_holder(paths));
  auto lock = VolumeLock::take(paths, "/mnt/a b");
  ASSERT_TRUE(lock);
  const auto why_not = [&] {
    const auto second = VolumeLock::take(paths, "");
    EXPECT_TRUE(!second && second.error() == Code::kBusy);
    return second.error().to_string();
  };
  EXPECT_NE(why_not().find(fmt::format("process {} is about to mount it at /mnt/a b", getpid())), std::string::npos);
  EXPECT_FALSE(find_holder(paths)->serves);
  lock->note_serving();
  EXPECT_NE(why_not().find(fmt::format("process {} has it for /mnt/a b", getpid())), std::string::npos)
      << "nothing is mounted there";
  EXPECT_TRUE(find_holder(paths)->serves);
  EXPECT_EQ(find_holder(paths)->mount_point, "/mnt/a b");
  EXPECT_EQ(wait_for_release(paths, 20).error().code(), Code::kTimedOut);
  pid_t pid = 0;
  std::ifstream(paths.lock()) >> pid;
  EXPECT_EQ(pid, getpid()) << "scripts read the first word";
  lock->leave("the disk is full");
  EXPECT_FALSE(find_holder(paths));
  EXPECT_EQ(wait_for_release(paths, 20)->failure, "the disk is full");
}

TEST_F(VolumeFolder, OnlyAFileIsALock) {
  const VolumePaths paths{root_};
  ASSERT_EQ(mkfifo(paths.lock().c_str(), 0600), 0);
  EXPECT_FALSE(find_holder(paths));
  EXPECT_TRUE(wait_for_release(paths, 20));
}

TEST_F(VolumeFolder, ADeadHolderHoldsNothing) {
  const VolumePaths paths{root_};
  const pid_t child = fork();
  if (child == 0) {
    auto lock = VolumeLock::take(paths, "");
    _exit(lock ? 0 : 1);  // without leave(), as a killed daemon
  }
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_EQ(WEXITSTATUS(status), 0);
  EXPECT_TRUE(VolumeLock::take(paths, ""));
}

TEST_F(VolumeFolder, WhoLooksDoesNotKeepItFromBeingTaken) {
  const VolumePaths paths{root_};
  touch("firn.lock");
  std::optional<io::UniqueFd> looks(open(paths.lock().c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_EQ(flock(looks->get(), LOCK_SH), 0);
  std::thread looking([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    looks.reset();
  });
  EXPECT_TRUE(VolumeLock::take(paths, ""));
  looking.join();
}

TEST_F(VolumeFolder, AHolderThatDoesNotAnswerIsNamed) {
  const VolumePaths paths{root_};
  EXPECT_NE(Client::connect(paths).error().to_string().find("nobody serves"), std::string::npos);
  const auto lock = VolumeLock::take(paths, "/mnt");
  const Status failure = Client::connect(paths).error();
  EXPECT_EQ(failure, Code::kUnavailable);
  EXPECT_NE(failure.to_string().find(fmt::format("process {} has this volume", getpid())), std::string::npos);
}

TEST_F(VolumeFolder, AbsolutePaths) {
  EXPECT_EQ(absolute_path("/a/../b//c/."), "/b/c");
  EXPECT_EQ(absolute_path("/"), "/");
  fs::create_directory_symlink(root_, path("link"));
  EXPECT_EQ(absolute_path(path("link/x/")), fs::canonical(root_).string() + "/x");
}

}  // namespace
}  // namespace firn::cli
