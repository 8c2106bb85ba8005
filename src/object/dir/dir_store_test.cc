// What is particular to a folder: its marker, and what crashes and strangers leave in it.
#include "object/dir/dir_store.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>

#include "io/test_environment.h"
#include "io/unique_fd.h"
#include "object/abandonable.h"
#include "object/dir/root.h"

namespace firn::object {
namespace {

using io::Task;
namespace fs = std::filesystem;

class DirStoreTest : public ::testing::Test {
 protected:
  std::unique_ptr<io::TestEnvironment> environment = io::make_uring_environment();
  const std::string path = environment->path("nas");

  Result<void> put(ObjectStore& store, const std::string& key, const std::string& bytes) {
    return environment->run(store.put(key, Content(bytes), {}, {}));
  }
  Result<ObjectInfo> head(ObjectStore& store, const std::string& key) { return environment->run(store.head(key, {})); }
};

TEST_F(DirStoreTest, NeverWritesWhereItsMarkerIsNot) {
  ASSERT_TRUE(create_dir_store(path, "id1").ok());
  const auto store = open_dir_store({.path = path, .id = "id1"});
  ASSERT_TRUE(put(*store, "a/b", "1"));
  // The share goes: what is left is the empty folder that it was mounted on.
  fs::rename(path, path + ".share");
  fs::create_directory(path);
  const auto refused = put(*store, "a/c", "2");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), Code::kNoDevice);
  EXPECT_NE(refused.error().message().find("mounted"), std::string::npos) << refused.error().message();
  EXPECT_EQ(head(*store, "a/b").error(), Code::kNoDevice);  // not kNotFound: the object is not known to be gone
  EXPECT_TRUE(fs::is_empty(path));
  fs::remove(path);
  EXPECT_EQ(head(*store, "a/b").error(), Code::kNoDevice);
  fs::rename(path + ".share", path);
  EXPECT_EQ(head(*store, "a/b")->bytes, 1u);
  EXPECT_TRUE(put(*store, "a/c", "2"));
}

TEST_F(DirStoreTest, RefusesAnothersFolder) {
  ASSERT_TRUE(create_dir_store(path, "id1").ok());
  EXPECT_TRUE(create_dir_store(path, "id1").ok());
  EXPECT_EQ(create_dir_store(path, "id2"), Code::kExists);
  const auto store = open_dir_store({.path = path, .id = "id2"});
  EXPECT_EQ(put(*store, "k", "1").error(), Code::kNoDevice);
  const std::string full = environment->path("full");
  fs::create_directory(full);
  std::ofstream(full + "/holiday.jpg") << "x";
  EXPECT_EQ(create_dir_store(full, "id1"), Code::kExists);
  EXPECT_EQ(create_dir_store(environment->path("no/parent"), "id1"), Code::kNotFound);
}

TEST_F(DirStoreTest, TakesItsMarkerAwayFromAnEmptyStoreOnly) {
  ASSERT_TRUE(create_dir_store(path, "id1").ok());
  const std::string object = path + "/object";
  std::ofstream(object) << "x";
  EXPECT_EQ(remove_dir_store(path, "id1"), Code::kNotEmpty);
  EXPECT_TRUE(fs::exists(path + "/firn-store"));
  fs::remove(object);
  EXPECT_TRUE(remove_dir_store(path, "id2").ok()) << "there is no such store";
  EXPECT_TRUE(fs::exists(path + "/firn-store"));
  EXPECT_TRUE(remove_dir_store(path, "id1").ok());
  EXPECT_TRUE(fs::is_empty(path));
  EXPECT_TRUE(create_dir_store(path, "id2").ok());
}

TEST_F(DirStoreTest, LeavesNothingHalfWritten) {
  ASSERT_TRUE(create_dir_store(path, "id1").ok());
  const auto store = open_dir_store({.path = path});
  ASSERT_TRUE(put(*store, "a/b/c", "1"));
  EXPECT_FALSE(environment->run(store->put("a/b/c", Content("2"), {.if_absent = true}, {})));
  EXPECT_TRUE(fs::is_empty(path + "/.tmp"));
}

TEST_F(DirStoreTest, SweepsWhatDeadWritersLeft) {
  ASSERT_TRUE(create_dir_store(path, "id1").ok());
  fs::create_directory(path + "/.tmp");
  std::ofstream(path + "/.tmp/old") << "x";
  std::ofstream(path + "/.tmp/new") << "x";
  const timespec times[2] = {{.tv_sec = 1'000'000, .tv_nsec = 0}, {.tv_sec = 1'000'000, .tv_nsec = 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, (path + "/.tmp/old").c_str(), times, 0), 0);
  const auto store = open_dir_store({.path = path});
  ASSERT_TRUE(put(*store, "k", "1"));
  EXPECT_FALSE(fs::exists(path + "/.tmp/old"));
  EXPECT_TRUE(fs::exists(path + "/.tmp/new"));
}

TEST_F(DirStoreTest, TellsWhatComesPartByPart) {
  ASSERT_TRUE(create_dir_store(path, "id1").ok());
  std::atomic<uint64_t> parts = 0, arrived = 0;
  const auto on_arrival = [&](uint64_t bytes) {
    ++parts;
    arrived += bytes;
  };
  const auto store = open_dir_store({.path = path, .on_arrival = on_arrival});
  std::string content;
  for (uint64_t i = 0; i < 300'000; ++i) content += std::to_string(i);
  ASSERT_TRUE(put(*store, "k", content));
  const uint64_t offset = 1001, bytes = (1 << 20) + 7;
  EXPECT_EQ(environment->run(store->get("k", offset, bytes, {}))->bytes, content.substr(offset, bytes));
  EXPECT_EQ(arrived, bytes);
  EXPECT_GE(parts, 5u);
}

// FAT, or a share of it.
class Linkless final : public dir::FileSystem {
 public:
  explicit Linkless(bool local) : local_(local) {}
  int link(int, const std::string&, const std::string&) const override { return EPERM; }
  bool is_local(int) const override { return local_; }

 private:
  const bool local_;
};

TEST_F(DirStoreTest, AShareWithoutLinksKeepsNoMachinesApart) {
  ASSERT_TRUE(create_dir_store(path, "id1").ok());
  const auto put_once = [&](const dir::FileSystem* file_system, bool apart, const std::string& key) {
    const auto store = open_dir_store({.path = path, .apart_from_machines = apart, .file_system = file_system});
    return environment->run(store->put(key, Content("once"), {.if_absent = true}, {}));
  };
  const Linkless disk(true), share(false);
  EXPECT_TRUE(put_once(nullptr, true, "links"));
  EXPECT_TRUE(put_once(&disk, true, "disk"));
  EXPECT_EQ(put_once(&disk, true, "disk").error(), Code::kExists);
  EXPECT_TRUE(put_once(&share, false, "nearer"));
  EXPECT_EQ(put_once(&share, false, "nearer").error(), Code::kExists);
  const auto refused = put_once(&share, true, "last");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), Code::kNotSupported);
  EXPECT_NE(refused.error().message().find("nearer tier"), std::string::npos) << refused.error().message();
  EXPECT_FALSE(fs::exists(path + "/last"));
  EXPECT_TRUE(fs::is_empty(path + "/.tmp"));
  const auto store = open_dir_store({.path = path, .apart_from_machines = true, .file_system = &share});
  EXPECT_TRUE(put(*store, "last", "what replaces asks nobody"));
}

TEST(DirFileSystem, KnowsWhetherAnotherMachineCanWriteThere) {
  const io::UniqueFd shared(::open("/proc", O_RDONLY | O_DIRECTORY));
  EXPECT_FALSE(dir::Root::kernel().is_local(shared.get())) << "it has no block device";
}

Task<void> get_in_vain(ObjectStore* store, std::string key) {
  EXPECT_EQ((co_await store->get(key, 0, 10, io::within(50'000'000))).error(), Code::kTimedOut);
}

// To open a FIFO is to wait for whoever writes to it.
TEST_F(DirStoreTest, ACallThatHangsDoesNotKeepTheStoreFromGoing) {
  ASSERT_TRUE(create_dir_store(path, "id1").ok());
  const std::string fifo = path + "/hangs";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  auto store = open_dir_store({.path = path});
  environment->run(get_in_vain(store.get(), "hangs"));
  const auto begun = std::chrono::steady_clock::now();
  store.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(20));
  // It goes on in the end, and harms nobody.
  EXPECT_TRUE(io::UniqueFd(::open(fifo.c_str(), O_WRONLY | O_NONBLOCK)));
  ::usleep(200'000);
}

TEST_F(DirStoreTest, AFolderIsNoObject) {
  ASSERT_TRUE(create_dir_store(path, "id1").ok());
  const auto store = open_dir_store({.path = path});
  ASSERT_TRUE(put(*store, "a/b", "1"));
  EXPECT_EQ(head(*store, "a").error(), Code::kNotFound);
  EXPECT_FALSE(environment->run(store->get("a", 0, 10, {})));
  EXPECT_FALSE(put(*store, "a", "x"));
}

Task<void> hang(io::TestEnvironment* environment) {
  const auto outcome = co_await run_abandonable(environment->pool(), io::within(20'000'000), [] {
    ::usleep(300'000);
    return 7;
  });
  EXPECT_FALSE(outcome.has_value());
  io::CancelToken token;
  token.cancel();
  EXPECT_FALSE((co_await run_abandonable(environment->pool(), {.token = &token}, [] {
                 ::usleep(300'000);
                 return 7;
               })).has_value());
  EXPECT_EQ(co_await run_abandonable(environment->pool(), {}, [] { return 7; }), 7);
}
TEST_F(DirStoreTest, DoesNotWaitForAShareThatHangs) { environment->run(hang(environment.get())); }

// The marker is a pipe that nobody writes to: who opens it waits for ever.
TEST_F(DirStoreTest, NoticesAShareThatHangsWhateverTheDeadline) {
  ASSERT_TRUE(create_dir_store(path, "id1").ok());
  const std::string marker = path + "/firn-store";
  fs::remove(marker);
  ASSERT_EQ(::mkfifo(marker.c_str(), 0600), 0);
  io::UniqueFd writer;
  const auto store = open_dir_store({.path = path, .stall_timeout_ns = 500'000'000});
  for (const uint64_t bytes : {1u << 20, 4096u, 1u}) {
    EXPECT_EQ(put(*store, "k", std::string(bytes, 'x')).error(), Code::kTimedOut);
    EXPECT_EQ(environment->run(store->get("k", 0, bytes, {})).error(), Code::kTimedOut);
  }
  writer = io::UniqueFd(::open(marker.c_str(), O_WRONLY | O_NONBLOCK));  // lets those go who wait there
  EXPECT_TRUE(static_cast<bool>(writer));
}

}  // namespace
}  // namespace firn::object
