// A migration from a real folder into a volume on the simulator: what rules and crashes leave behind.
#include "migrate/migration.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "vfs/fsck/fsck.h"
#include "vfs/test_world.h"

namespace firn::migrate {
namespace {

namespace fs = std::filesystem;

// Jobs run at once, where they are submitted: the simulator has one thread.
class InlinePool final : public io::BlockingPool {
 public:
  void submit(std::function<void()> job) override { job(); }
  size_t queued() const override { return 0; }
};

class MigrationTest : public testing::Test {
 protected:
  void SetUp() override {
    char folder[] = "/tmp/firn-migrate-XXXXXX";
    ASSERT_NE(mkdtemp(folder), nullptr);
    folder_ = folder;
    fs::create_directories(folder_ / "source/a/b");
    ASSERT_TRUE(world_.mount().has_value());
  }
  void TearDown() override {
    ASSERT_TRUE(world_.unmount().has_value());
    auto store = data::make_hot_store({.disk = world_.disk(), .root = "/hot"});
    const auto report = world_.run(vfs::fsck(world_.engine(), *store, {}));
    ASSERT_TRUE(report.has_value());
    for (const vfs::FsckProblem& problem : report->problems) ADD_FAILURE() << problem.path << ": " << problem.what;
    fs::remove_all(folder_);
  }

  void write(const std::string& name, const std::string& content, int64_t mtime = 1000) {
    const fs::path path = folder_ / "source" / name;
    std::ofstream(path) << content;
    const timespec times[] = {{mtime, 1}, {mtime, 2}};
    ASSERT_EQ(utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
  }
  Options options() {
    return {.sources = {{.path = folder_ / "source", .name = "s"}},
            .journal = folder_ / "journal",
            .boot = "boot",
            .inline_max_bytes = vfs::TestWorld::kInlineMax};
  }
  Summary migrate(Options asked) {
    Progress progress;
    Migration migration({world_.volume(), pool_, world_.reactor().clock(), {&world_.reactor()}}, std::move(asked),
                        progress);
    const Result<Summary> summary = world_.run(migration.run());
    EXPECT_TRUE(summary.has_value()) << summary.error().to_string();
    return summary.value_or(Summary());
  }
  Summary migrate() { return migrate(options()); }

  Result<vfs::Attr> find(const std::string& path) {
    InodeId inode = kRootInode;
    Result<vfs::Attr> attr = world_.run(world_.volume().getattr(inode));
    for (const fs::path& name : fs::path(path)) {
      attr = world_.run(world_.volume().lookup(world_.root(), inode, name.string()));
      if (!attr) return attr;
      inode = attr->inode;
    }
    return attr;
  }
  std::string content(const std::string& path) {
    const auto attr = find(path);
    if (!attr) return "(" + attr.error().to_string() + ")";
    const auto opened = world_.run(world_.volume().open(world_.root(), attr->inode, {.flags = O_RDONLY}));
    std::string text(attr->size, '?');
    const auto got = world_.run(world_.volume().read(opened->handle, 0, std::as_writable_bytes(std::span(text))));
    (void)world_.run(world_.volume().release(opened->handle));
    text.resize(got.value_or(0));
    return text;
  }
  void overwrite(const std::string& path, const std::string& text) {
    const auto opened = world_.run(world_.volume().open(world_.root(), find(path)->inode, {.flags = O_WRONLY}));
    (void)world_.run(world_.volume().write(opened->handle, 0, std::as_bytes(std::span(text)), {}));
    (void)world_.run(world_.volume().release(opened->handle));
  }
  static uint64_t files(const Summary& summary, Outcome outcome) {
    return summary.tally.files[static_cast<size_t>(outcome)];
  }

  vfs::TestWorld world_{1, true};
  InlinePool pool_;
  fs::path folder_;
};

TEST_F(MigrationTest, SmallAndLargeArriveWithTheirTimes) {
  write("small", "hello");
  write("a/b/large", std::string(100'000, 'x'), -5);
  const Summary summary = migrate();
  EXPECT_EQ(files(summary, Outcome::kCopied), 2u);
  EXPECT_EQ(content("s/small"), "hello");
  EXPECT_EQ(content("s/a/b/large"), std::string(100'000, 'x'));
  EXPECT_EQ(find("s/a/b/large")->mtime, (Timestamp{-5, 2}));
  EXPECT_EQ(find("s/small")->mtime, (Timestamp{1000, 2}));
  EXPECT_EQ(files(migrate(), Outcome::kUnchanged), 2u);
}

TEST_F(MigrationTest, ProgressEndsAtTheTotal) {
  write("small", "hello");
  write("a/b/large", std::string(100'000, 'x'));
  Options asked = options();
  asked.count_first = true;
  Progress progress;
  Migration migration({world_.volume(), pool_, world_.reactor().clock(), {&world_.reactor()}}, asked, progress);
  ASSERT_TRUE(world_.run(migration.run()).has_value());
  EXPECT_EQ(progress.total_files.load(), 4u);
  EXPECT_EQ(progress.files.load(), progress.total_files.load());
  EXPECT_EQ(progress.bytes.load(), progress.total_bytes.load());
}

TEST_F(MigrationTest, WhatAPowerCutTookIsCopiedAgainWhateverTheRule) {
  for (int i = 0; i < 8; ++i) write("f" + std::to_string(i), std::string(20'000, static_cast<char>('a' + i)));
  write("small", "hello");
  Options asked = options();
  asked.mode = Mode::kDryRun;
  EXPECT_EQ(files(migrate(asked), Outcome::kCopied), 9u);
  (void)migrate();
  world_.cut_power();
  ASSERT_TRUE(world_.mount().has_value());
  // As if it had not come to its end, and the disk had kept the size, not the bytes.
  std::ofstream(folder_ / "journal") << "firn migrate journal 1\nbegin boot 0 0\n";
  overwrite("s/f3", "zz");
  asked = options();
  asked.boot = "another";
  const Summary summary = migrate(asked);
  EXPECT_EQ(files(summary, Outcome::kFailed), 0u);
  EXPECT_EQ(files(summary, Outcome::kReplaced), 1u);
  EXPECT_EQ(content("s/f3"), std::string(20'000, 'd'));
}

TEST_F(MigrationTest, EqualContentsAreToldWhereTheDiskCannotShareThem) {
  for (const char* name : {"one", "a/two", "a/b/three"}) write(name, std::string(100'000, 'e'));
  write("small", "same");
  write("small too", "same");
  write("other", std::string(100'000, 'o'));
  Summary summary = migrate();
  EXPECT_EQ(summary.tally.equal_files, 2u);
  EXPECT_EQ(summary.tally.equal_bytes, 200'000u);
  EXPECT_EQ(summary.tally.shared_bytes, 0u);
  EXPECT_EQ(summary.not_shared, "the disk cannot share blocks");
  Options asked = options();
  asked.into = "/without";
  asked.find_equal = false;
  summary = migrate(asked);
  EXPECT_EQ(summary.tally.equal_files, 0u);
  EXPECT_EQ(summary.not_shared, "");
  EXPECT_EQ(content("without/s/a/two"), std::string(100'000, 'e'));
}

TEST_F(MigrationTest, WhatIsSharedCountsAlsoWhereTheRestCannotBe) {
  world_.disk().set_shares_blocks(true);
  const std::string content(100'000, 'e');
  for (const char* name : {"one", "two"}) {
    write(name, content);
    // Behind a hole: it is shared by itself.
    std::ofstream file(folder_ / "source" / name, std::ios::in | std::ios::out);
    file.seekp(1 << 20);
    file << content;
  }
  world_.disk().set_faults(io::fail_nth(io::SimCall::kShareBlocks, 1, {.code = Code::kIo}));
  Options asked = options();
  Summary summary = migrate(asked);
  EXPECT_EQ(summary.tally.equal_files, 1u);
  EXPECT_GE(summary.tally.shared_bytes, content.size());
  EXPECT_LT(summary.tally.shared_bytes, 2 * content.size());
  world_.disk().set_faults(nullptr);
  asked.into = "/again";
  summary = migrate(asked);
  EXPECT_EQ(summary.tally.equal_files, 1u);
  EXPECT_GE(summary.tally.shared_bytes, 2 * content.size());
}

TEST_F(MigrationTest, HardLinksFindEachOtherInAnyOrder) {
  write("one", std::string(10'000, '1'));
  migrate();
  fs::create_hard_link(folder_ / "source/one", folder_ / "source/a/two");
  fs::create_hard_link(folder_ / "source/one", folder_ / "source/zero");
  const Summary summary = migrate();
  EXPECT_EQ(files(summary, Outcome::kFailed), 0u);
  EXPECT_EQ(find("s/one")->inode, find("s/a/two")->inode);
  EXPECT_EQ(find("s/one")->inode, find("s/zero")->inode);
  EXPECT_EQ(find("s/one")->nlink, 3u);
  EXPECT_EQ(content("s/zero"), std::string(10'000, '1'));
}

TEST_F(MigrationTest, AnEqualFileOfItsOwnBecomesAName) {
  write("one", std::string(10'000, '1'));
  write("two", std::string(10'000, '1'));
  migrate();
  fs::remove(folder_ / "source/two");
  fs::create_hard_link(folder_ / "source/one", folder_ / "source/two");
  EXPECT_EQ(files(migrate(), Outcome::kLinked), 1u);
  EXPECT_EQ(find("s/one")->inode, find("s/two")->inode);
}

TEST_F(MigrationTest, StoppedItKeepsWhatIsFinished) {
  for (int i = 0; i < 50; ++i) write("f" + std::to_string(i), "x");
  Progress progress;
  progress.stop.cancel();
  Migration migration({world_.volume(), pool_, world_.reactor().clock(), {&world_.reactor()}}, options(), progress);
  const auto summary = world_.run(migration.run());
  ASSERT_TRUE(summary.has_value());
  EXPECT_TRUE(summary->stopped);
  EXPECT_EQ(files(migrate(), Outcome::kCopied), 50u);
}

// Once a folder is open, what it is listed by becomes a file, as if the disk under it failed.
class BreakingPool final : public io::BlockingPool {
 public:
  BreakingPool(fs::path folder, fs::path file) : folder_(std::move(folder)), file_(std::move(file)) {}
  void submit(std::function<void()> job) override {
    for (const fs::directory_entry& entry : fs::directory_iterator("/proc/self/fd")) {
      std::error_code gone;
      if (fs::read_symlink(entry.path(), gone) != folder_ || gone) continue;
      const int file = open(file_.c_str(), O_RDONLY | O_CLOEXEC);
      EXPECT_GE(dup2(file, std::stoi(entry.path().filename())), 0);
      close(file);
    }
    job();
  }
  size_t queued() const override { return 0; }

 private:
  const fs::path folder_, file_;
};

TEST_F(MigrationTest, AFolderWhoseListingBreaksOffIsCountedOnce) {
  write("a/file", "x");
  BreakingPool pool(folder_ / "source/a/b", folder_ / "source/a/file");
  Progress progress;
  Migration migration({world_.volume(), pool, world_.reactor().clock(), {&world_.reactor()}}, options(), progress);
  const Result<Summary> summary = world_.run(migration.run());
  ASSERT_TRUE(summary.has_value());
  EXPECT_EQ(summary->tally.found(), 4u);  // s, a, b, file
  EXPECT_EQ(summary->tally.folders[static_cast<size_t>(Outcome::kCopied)], 2u);
  EXPECT_EQ(summary->tally.folders[static_cast<size_t>(Outcome::kFailed)], 1u);
  EXPECT_EQ(files(*summary, Outcome::kCopied), 1u);
}

TEST_F(MigrationTest, ARuleReplacesAtOnceAndLeavesNothingBeside) {
  write("f", "new");
  migrate();
  write("f", "newer still", 2000);
  Options asked = options();
  EXPECT_EQ(files(migrate(asked), Outcome::kFailed), 1u);
  asked.on_conflict = OnConflict::kNewer;
  EXPECT_EQ(files(migrate(asked), Outcome::kReplaced), 1u);
  EXPECT_EQ(content("s/f"), "newer still");
  const auto folder = world_.run(world_.volume().open_directory(world_.root(), find("s")->inode));
  const auto listed = world_.run(world_.volume().list(*folder, 0, 100, false));
  world_.volume().release_directory(*folder);
  EXPECT_EQ(listed->size(), 4u);  // . .. a f
}

}  // namespace
}  // namespace firn::migrate
