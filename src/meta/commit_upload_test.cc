// What uploads of files that change leave in the records.
#include "meta/testing/tiering_fixture.h"

namespace firn::meta {
namespace {

using testing::chunk;
using testing::run;

class CommitUploadTest : public testing::TieredServiceTest {};
INSTANTIATE_TEST_SUITE_P(Engines, CommitUploadTest,
                         ::testing::Values(testing::Kind::kMemOwned, testing::Kind::kMemShared,
                                           testing::Kind::kRocksdb),
                         testing::kind_name);

TEST_P(CommitUploadTest, WhatWasReadOfAFileThatChangedReplacesNoVersion) {
  const InodeId file = settled_file("f");
  announce('a');
  announce('b');
  Upload upload{.inode = file,
                .generation = content(file).generation,
                .chunks = {chunk(0, 1, 'a')},
                .complete = true,
                .chunk_count = 1,
                .bytes = 4000,
                .at_rest = true};
  EXPECT_TRUE(commit(upload));
  touch(file);
  upload.generation = content(file).generation;
  upload.chunks = {chunk(0, 2, 'b')};
  upload.bytes = 3000;
  const auto expect_refused = [&] {
    EXPECT_EQ(run(service().commit_upload(upload)).error().code(), Code::kBusy);
    EXPECT_EQ(chunks(file), std::vector{chunk(0, 1, 'a')});
    EXPECT_EQ(content(file).uploaded_size, 4000u);
    EXPECT_EQ(pending().size(), 1u);
  };
  Content changed = content(file);
  changed.live = true;
  volume().update(file, {.content = changed});
  expect_refused();
  upload.generation = content(file).generation;  // it is open for writing since before
  expect_refused();
  changed.live = false;
  volume().update(file, {.content = changed});
  EXPECT_TRUE(commit(upload));
  EXPECT_EQ(chunks(file), std::vector{chunk(0, 2, 'b')});
  expect_invariants();
}

}  // namespace
}  // namespace firn::meta
