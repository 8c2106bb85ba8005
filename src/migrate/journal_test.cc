#include "migrate/journal.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace firn::migrate {
namespace {

class JournalFile : public testing::Test {
 protected:
  void SetUp() override {
    char folder[] = "/tmp/firn-migrate-XXXXXX";
    ASSERT_NE(mkdtemp(folder), nullptr);
    folder_ = folder;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string path() const { return folder_ + "/journal"; }
  Journal open(const std::string& boot, int64_t at) {
    auto journal = Journal::open(path(), boot, {at, 0});
    EXPECT_TRUE(journal) << journal.error().to_string();
    return *std::move(journal);
  }
  void append(const std::string& text) { std::ofstream(path(), std::ios::app) << text; }

  std::string folder_;
};

TEST_F(JournalFile, ARunThatEndedLeavesNothingInDoubt) {
  {
    Journal first = open("a", 10);
    EXPECT_FALSE(first.before().interrupted);
    EXPECT_TRUE(first.note_safe({20, 0}).ok());
    EXPECT_TRUE(first.note_end().ok());
  }
  EXPECT_FALSE(open("b", 30).before().interrupted);
}

TEST_F(JournalFile, AKilledRunLeavesDoubtOnlyOverAReboot) {
  {
    Journal first = open("a", 10);
    EXPECT_TRUE(first.note_safe({20, 5}).ok());
  }
  {
    const Journal second = open("a", 30);
    EXPECT_TRUE(second.before().interrupted);
    EXPECT_FALSE(second.before().rebooted);
  }
  const Journal third = open("b", 40);
  EXPECT_TRUE(third.before().rebooted);
  EXPECT_EQ(third.before().safe, (Timestamp{20, 5}));
}

TEST_F(JournalFile, FilesWithSeveralNamesAreKnownAfterAKillButNotAfterAReboot) {
  {
    Journal first = open("a", 10);
    EXPECT_TRUE(first.note_file({1, 2}, InodeId(3)).ok());
    EXPECT_TRUE(first.note_file({1, 4}, InodeId(5)).ok());
  }
  EXPECT_EQ(open("a", 20).before().files, (std::map<FileKey, InodeId>{{{1, 2}, InodeId(3)}, {{1, 4}, InodeId(5)}}));
  EXPECT_TRUE(open("b", 30).before().files.empty());
  append("end\n");
  EXPECT_TRUE(open("b", 40).before().files.empty());
  append("file 1 2\n");
  EXPECT_TRUE(open("b", 50).before().rebooted);
}

// As where a run is killed again and again before it gets any further.
TEST_F(JournalFile, LinesHaveTheirLimitsOverAllRuns) {
  for (uint64_t run = 0; run < 5; ++run) {
    Journal journal = open(run < 3 ? "a" : "b", 10);
    for (uint64_t i = 0; i < 50'000; ++i) {
      ASSERT_TRUE(journal.note_file({1, i}, InodeId(1 + run)).ok());
      ASSERT_TRUE(journal.note_content({}, InodeId(1 + i)).ok());
    }
  }
  std::ifstream lines(path());
  uint64_t files = 0, contents = 0;
  for (std::string line; std::getline(lines, line);) {
    files += line.starts_with("file ");
    contents += line.starts_with("content ");
  }
  EXPECT_EQ(files, 200'000u);
  EXPECT_EQ(contents, 100'000u);
}

TEST_F(JournalFile, ContentsAreKnownAfterAKillButNotAfterAReboot) {
  ContentHash content{};
  content.front() = 0x0a;
  content.back() = 0xff;
  {
    Journal first = open("a", 10);
    EXPECT_TRUE(first.note_content(content, InodeId(7)).ok());
  }
  const std::vector<std::pair<ContentHash, InodeId>> known = {{content, InodeId(7)}};
  EXPECT_EQ(open("a", 20).before().contents, known);
  EXPECT_TRUE(open("b", 30).before().contents.empty());
  append("content 0aff 7\n");
  EXPECT_EQ(open("b", 40).before().safe, Timestamp());  // nobody wrote that
}

TEST_F(JournalFile, DoubtStaysUntilARunHasSeenAll) {
  {
    (void)open("a", 10);
  }
  {
    Journal second = open("b", 20);
    EXPECT_TRUE(second.note_safe({25, 0}).ok());  // not yet: the crawl may not have been there
  }
  {
    Journal third = open("b", 30);
    EXPECT_TRUE(third.before().rebooted);
    EXPECT_EQ(third.before().safe, (Timestamp{10, 0}));
    EXPECT_TRUE(third.note_end().ok());
  }
  EXPECT_FALSE(open("c", 40).before().interrupted);
}

TEST_F(JournalFile, ATornLineMeansNothingAndIsTakenAway) {
  {
    (void)open("a", 10);
  }
  append("safe 99");
  {
    EXPECT_EQ(open("b", 20).before().safe, (Timestamp{10, 0}));
  }
  EXPECT_EQ(open("b", 30).before().safe, (Timestamp{10, 0}));
}

TEST_F(JournalFile, WhatNobodyCanReadPutsEverythingInDoubt) {
  append("something else\n");
  for (int run = 0; run < 2; ++run) {
    const Journal journal = open("a", 10);
    EXPECT_TRUE(journal.before().rebooted);
    EXPECT_EQ(journal.before().safe, Timestamp());
  }
}

TEST_F(JournalFile, OneThatIsTooLongPutsEverythingInDoubtAndBeginsAnew) {
  {
    Journal first = open("a", 10);
    EXPECT_TRUE(first.note_file({1, 2}, InodeId(3)).ok());
  }
  std::string lines;
  while (lines.size() <= 32 << 20) lines += "safe 20 5\n";
  append(lines);
  for (int run = 0; run < 2; ++run) {
    const Journal journal = open("a", 30);
    EXPECT_TRUE(journal.before().rebooted);
    EXPECT_EQ(journal.before().safe, Timestamp());
    EXPECT_TRUE(journal.before().files.empty());
    EXPECT_LT(std::filesystem::file_size(path()), 1000u);
  }
}

}  // namespace
}  // namespace firn::migrate
