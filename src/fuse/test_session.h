// SessionTest: a real mount of a volume in memory, over a transport. Needs root and /dev/fuse.
#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include "fuse/session.h"
#include "fuse/testing/fake_volume.h"

namespace firn::fuse {

struct Setup {
  TransportKind transport;
  bool passthrough;
};

class SessionTest : public ::testing::TestWithParam<Setup> {
 protected:
  void SetUp() override {
    ASSERT_EQ(geteuid(), 0U) << "this test mounts: run it as root";
    if (GetParam().transport == TransportKind::kUring) std::ofstream("/sys/module/fuse/parameters/enable_uring") << 1;
    char name[] = "/tmp/firn-fuse-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    root_ = name;
    volume_.passthrough = GetParam().passthrough;
    auto pool = io::ReactorPool::create({});
    ASSERT_TRUE(pool.has_value()) << pool.error().to_string();
    reactors_ = *std::move(pool);
    mount();
  }

  void TearDown() override {
    if (session_) {
      io::block_on(*reactors_, session_->stop(500'000'000));
      session_.reset();
    }
    rmdir(root_.c_str());
    EXPECT_FALSE(std::filesystem::exists(root_));
  }

  void mount() {
    MountOptions options;
    options.mount_point = root_;
    options.transport = GetParam().transport;
    auto session = io::block_on(*reactors_, Session::mount(options, {volume_, access_log_, *reactors_}));
    ASSERT_TRUE(session.has_value()) << session.error().to_string();
    session_ = *std::move(session);
  }

  std::string path(const std::string& name) const { return root_ + "/" + name; }
  void put(const std::string& name, const std::string& text) { std::ofstream(path(name)) << text; }
  std::string get(const std::string& name) {
    std::ifstream file(path(name));
    return {std::istreambuf_iterator<char>(file), {}};
  }
  struct stat info_of(const std::string& name) {
    struct stat info{};
    EXPECT_EQ(lstat(path(name).c_str(), &info), 0) << name << ": " << strerror(errno);
    return info;
  }

  std::string root_;
  testing::FakeVolume volume_;
  vfs::AccessLog access_log_;
  std::unique_ptr<io::ReactorPool> reactors_;
  std::unique_ptr<Session> session_;
};

}  // namespace firn::fuse
