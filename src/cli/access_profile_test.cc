#include "cli/access_profile.h"

#include <gtest/gtest.h>

namespace firn::cli {
namespace {

constexpr const char* kCreate =
    R"(2026-11-22T02:13:04.123456Z door=fuse op=CREATE inode=7 name="a \"b\" op=c" uid=1 gid=2 pid=44 result=OK us=12.500)";
constexpr const char* kWrite =
    "2026-11-22T02:13:04.123456Z door=fuse op=WRITE inode=8 offset=0 size=9 bytes=9 uid=1 gid=2 pid=45 result=ENOSPC "
    "us=30.000";

constexpr const char* kGet =
    "2026-11-22T02:13:04.123456Z door=http op=GET:files path=\"/a b\" bytes=7 uid=1 gid=2 client=10.0.0.5 token=ab "
    "result=404 us=3.000";
constexpr const char* kLookup =
    "2026-11-22T02:13:04.123456Z door=nfs op=lookup inode=1 name=\"a\" uid=1 gid=2 client=10.0.0.5 result=OK us=4.000";

TEST(AccessProfile, ReadsALine) {
  const auto line = parse_access_line(kCreate);
  ASSERT_TRUE(line);
  EXPECT_EQ(line->door, "fuse");
  EXPECT_EQ(line->op, "CREATE");
  EXPECT_EQ(line->inode, 7u);
  EXPECT_EQ(line->name, R"(a \"b\" op=c)");
  EXPECT_EQ(line->pid, 44u);
  EXPECT_EQ(line->result, "OK");
  EXPECT_EQ(line->us, 12.5);
  const auto get = parse_access_line(kGet);
  ASSERT_TRUE(get);
  EXPECT_EQ(get->op, "GET:files");
  EXPECT_EQ(get->path, "/a b");
  EXPECT_EQ(get->client, "10.0.0.5");
  EXPECT_FALSE(get->pid);
}

TEST(AccessProfile, PassesOverWhatIsNoLine) {
  for (const char* text : {"", "#", "# dropped 3 lines", "x", "2026 op=READ", "2026 op=READ name=\"a result=OK us=1"})
    EXPECT_FALSE(parse_access_line(text)) << text;
  EXPECT_EQ(dropped_in("# dropped 31 lines"), 31u);
  EXPECT_EQ(dropped_in("# dropped"), 0u);
}

TEST(AccessProfile, SumsUp) {
  AccessProfile profile({});
  for (const char* line : {kCreate, kWrite, kWrite, "#", "# dropped 5 lines"}) profile.add(line);
  EXPECT_EQ(profile.all().count, 3u);
  EXPECT_EQ(profile.all().errors, 2u);
  EXPECT_EQ(profile.dropped(), 5u);
  const auto operations = profile.operations(10);
  ASSERT_EQ(operations.size(), 2u);
  EXPECT_EQ(operations[0].first, (AccessOperation{"fuse", "WRITE"})) << "the longest first";
  EXPECT_EQ(operations[0].second.bytes, 18u);
  EXPECT_EQ(operations[0].second.us, 60);
  EXPECT_EQ(profile.processes(1)[0].first, 45u);
  AccessProfile by_process({.process_of = [](uint32_t) { return 7u; }});
  for (const char* line : {kCreate, kWrite}) by_process.add(line);
  ASSERT_EQ(by_process.processes(10).size(), 1u);
  EXPECT_EQ(by_process.processes(10)[0].first, 7u);
  EXPECT_EQ(profile.targets(10)[1].first, (AccessTarget{7, R"(a \"b\" op=c)", ""}));
}

TEST(AccessProfile, TellsDoorsApart) {
  AccessProfile all({}), nfs({.door = "nfs"});
  for (const char* line : {kCreate, kGet, kLookup, kGet}) {
    all.add(line);
    nfs.add(line);
  }
  EXPECT_EQ(all.operations(10).size(), 3u);
  const auto doors = all.doors();
  ASSERT_EQ(doors.size(), 3u);
  EXPECT_EQ(doors[1].first, "http");
  EXPECT_EQ(doors[1].second.errors, 2u);
  ASSERT_EQ(all.processes(10).size(), 1u) << "only of this machine";
  ASSERT_EQ(all.clients(10).size(), 1u);
  EXPECT_EQ(all.clients(10)[0].second.count, 3u);
  EXPECT_EQ(all.targets(10)[1].first, (AccessTarget{0, "", "/a b"}));
  EXPECT_EQ(nfs.all().count, 1u);
  EXPECT_EQ(nfs.operations(10)[0].first, (AccessOperation{"nfs", "lookup"}));
}

}  // namespace
}  // namespace firn::cli
