// Mounts that go wrong, end badly, or are made by an ordinary user. Every case runs in a child process.
#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include "fuse/mount_point.h"
#include "fuse/session.h"
#include "fuse/testing/fake_volume.h"

namespace firn::fuse {
namespace {

namespace fs = std::filesystem;
using testing::FakeVolume;

class MountTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(geteuid(), 0U) << "this test mounts: run it as root";
    char name[] = "/tmp/firn-mount-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    root_ = name;
    chmod(name, 0755);
  }
  void TearDown() override {
    (void)umount2(mount_point().c_str(), MNT_DETACH);
    fs::remove_all(root_);
  }
  std::string mount_point() const { return root_ + "/mnt"; }

  std::string root_;
};

// Runs `body` in a child; what it returns is the exit code.
pid_t in_child(const std::function<int()>& body) {
  const pid_t pid = fork();
  if (pid == 0) {
    alarm(30);
    _exit(body());
  }
  return pid;
}

int exit_code(pid_t pid) {
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::string mount_error(const MountOptions& options) {
  FakeVolume volume;
  vfs::AccessLog access_log;
  auto reactors = *io::ReactorPool::create({.reactors = 1});
  auto session = io::block_on(*reactors, Session::mount(options, {volume, access_log, *reactors}));
  if (session) {
    io::block_on(*reactors, (*session)->stop());
    return "";
  }
  return session.error().message();
}

// Mounts, writes a byte to `ready`, and serves until it is killed or unmounted.
int serve(const MountOptions& options, int ready) {
  FakeVolume volume;
  vfs::AccessLog access_log;
  auto reactors = *io::ReactorPool::create({});
  auto session = io::block_on(*reactors, Session::mount(options, {volume, access_log, *reactors}));
  if (!session) {
    fprintf(stderr, "%s\n", session.error().message().c_str());
    return 2;
  }
  (void)!write(ready, "x", 1);
  io::block_on(*reactors, (*session)->wait_unmounted());
  session->reset();
  return 0;
}

struct Server {
  pid_t pid = -1;
  bool mounted = false;
};

Server start_server(const MountOptions& options, uid_t uid = 0) {
  int ready[2];
  EXPECT_EQ(pipe2(ready, O_CLOEXEC), 0);
  const Fd in(ready[0]);
  Fd out(ready[1]);
  const int fd = out.get();
  Server server;
  server.pid = in_child([&] {
    if (uid != 0 && (setgroups(0, nullptr) != 0 || setgid(uid) != 0 || setuid(uid) != 0)) return 3;
    return serve(options, fd);
  });
  out.reset();
  char byte = 0;
  server.mounted = read(in.get(), &byte, 1) == 1;
  return server;
}

TEST_F(MountTest, SaysWhatIsWrongWithTheMountPoint) {
  const auto error = [&](const std::string& path) { return mount_error({.mount_point = path}); };
  EXPECT_NE(error(mount_point()).find("create it with mkdir"), std::string::npos) << error(mount_point());
  std::ofstream(root_ + "/file") << "x";
  EXPECT_NE(error(root_ + "/file").find("not a directory"), std::string::npos);
  EXPECT_NE(error(root_).find("not empty"), std::string::npos);
  EXPECT_EQ(mount_error({.mount_point = root_, .non_empty = true}), "");
}

TEST_F(MountTest, DetachesAMountThatADeadDaemonLeft) {
  fs::create_directory(mount_point());
  const MountOptions options{.mount_point = mount_point(), .source = "demo"};
  const Server server = start_server(options);
  ASSERT_TRUE(server.mounted);
  kill(server.pid, SIGKILL);
  EXPECT_EQ(exit_code(server.pid), 128 + SIGKILL);
  struct statfs info{};
  EXPECT_EQ(statfs(mount_point().c_str(), &info), -1) << "the dead mount should be in the way";

  const std::string error = mount_error({.mount_point = mount_point(), .source = "another"});
  EXPECT_NE(error.find("umount -l"), std::string::npos) << error;
  EXPECT_EQ(mount_error(options), "");
  EXPECT_FALSE(find_mount(mount_point()).has_value());
}

TEST_F(MountTest, DetachesADeadMountWhoseSourceIsGone) {
  fs::create_directory(mount_point());
  const std::string source = root_ + "/volume";
  fs::create_directory(source);
  const Server server = start_server({.mount_point = mount_point(), .source = source});
  ASSERT_TRUE(server.mounted);
  kill(server.pid, SIGKILL);
  EXPECT_EQ(exit_code(server.pid), 128 + SIGKILL);
  EXPECT_NE(mount_error({.mount_point = mount_point(), .source = "another"}), "");
  fs::remove(source);
  EXPECT_EQ(mount_error({.mount_point = mount_point(), .source = "another"}), "");
}

TEST_F(MountTest, KillLeavesNobodyStuck) {
  fs::create_directory(mount_point());
  const Server server = start_server({.mount_point = mount_point()});
  ASSERT_TRUE(server.mounted);
  std::vector<pid_t> clients;
  for (int i = 0; i < 4; ++i) {
    clients.push_back(in_child([this, i] {
      const std::string path = mount_point() + "/f" + std::to_string(i);
      for (;;) {
        const int fd = open(path.c_str(), O_CREAT | O_RDWR, 0600);
        if (fd < 0) return 0;
        (void)!write(fd, "data", 4);
        close(fd);
        unlink(path.c_str());
      }
    }));
  }
  usleep(200'000);
  kill(server.pid, SIGKILL);
  EXPECT_EQ(exit_code(server.pid), 128 + SIGKILL);
  for (const pid_t client : clients) EXPECT_EQ(exit_code(client), 0);
}

TEST_F(MountTest, MountsForAnOrdinaryUser) {
  constexpr uid_t kNobody = 65534;
  ASSERT_TRUE(fs::exists("/usr/bin/fusermount3")) << "fusermount3 is missing: apt install fuse3";
  fs::create_directory(mount_point());
  ASSERT_EQ(chown(mount_point().c_str(), kNobody, kNobody), 0);
  const Server server = start_server({.mount_point = mount_point()}, kNobody);
  ASSERT_TRUE(server.mounted);
  const pid_t user = in_child([this] {
    if (setgid(kNobody) != 0 || setuid(kNobody) != 0) return 3;
    std::ofstream(mount_point() + "/f") << "mine";
    std::string text;
    std::ifstream(mount_point() + "/f") >> text;
    if (text != "mine") return 4;
    const Status status = unmount_path(mount_point(), {});
    if (!status.ok()) fprintf(stderr, "%s\n", status.message().c_str());
    return status.ok() ? 0 : 5;
  });
  EXPECT_EQ(exit_code(user), 0);
  EXPECT_EQ(exit_code(server.pid), 0) << "the session ends when it is unmounted";
}

}  // namespace
}  // namespace firn::fuse
