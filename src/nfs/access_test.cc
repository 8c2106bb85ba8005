// Who may do what: exports, squashing, handles; and what is not done twice.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "io/block_on.h"
#include "io/sim/sim_reactor.h"
#include "nfs/duplicate_requests.h"
#include "nfs/exports.h"
#include "nfs/file_handle.h"

namespace firn::nfs {
namespace {

Peer peer(const std::string& address, uint16_t port = 700) { return {*parse_address(address), port, address}; }

Exports parse(const std::vector<std::string>& entries) {
  auto exports = Exports::parse(entries);
  EXPECT_TRUE(exports.has_value()) << exports.error().to_string();
  return exports ? *std::move(exports) : Exports();
}

const Access* access(const std::string& client, const Peer& from) {
  static Exports exports;
  exports = parse({"/ " + client});
  return exports.all().front().access_of(from);
}

TEST(Exports, WithoutAnyThisMachineHasAll) {
  const Exports exports = parse({});
  const Export& all = exports.all().front();
  EXPECT_EQ(all.path, "/");
  EXPECT_TRUE(all.access_of(peer("127.0.0.1")));
  EXPECT_TRUE(all.access_of(peer("::1")));
  EXPECT_TRUE(all.access_of(peer("::ffff:127.1.2.3")));
  EXPECT_FALSE(all.access_of(peer("192.168.1.1")));
  EXPECT_FALSE(all.access_of(peer("127.0.0.1", 1024))) << "any user of the machine could say that he is another";
}

TEST(Exports, Ranges) {
  EXPECT_TRUE(access("192.168.1.0/24", peer("192.168.1.255")));
  EXPECT_FALSE(access("192.168.1.0/24", peer("192.168.2.1")));
  EXPECT_TRUE(access("10.0.0.128/25", peer("10.0.0.129")));
  EXPECT_FALSE(access("10.0.0.128/25", peer("10.0.0.127")));
  EXPECT_TRUE(access("10.1.2.3", peer("10.1.2.3")));
  EXPECT_FALSE(access("10.1.2.3", peer("10.1.2.4")));
  EXPECT_TRUE(access("fd00::/8", peer("fdab::1")));
  EXPECT_FALSE(access("fd00::/8", peer("fe80::1")));
  EXPECT_TRUE(access("*", peer("8.8.8.8")));
  EXPECT_TRUE(access("0.0.0.0/0", peer("8.8.8.8")));
  EXPECT_FALSE(access("0.0.0.0/0", peer("fe80::1")));
  EXPECT_TRUE(access("*(insecure)", peer("8.8.8.8", 40000)));
}

TEST(Exports, TheFirstMatchCounts) {
  EXPECT_TRUE(access("10.0.0.1(ro) 10.0.0.0/8(rw)", peer("10.0.0.1"))->read_only);
  EXPECT_FALSE(access("10.0.0.1(ro) 10.0.0.0/8(rw)", peer("10.0.0.2"))->read_only);
}

TEST(Exports, TheDeepestHoldsAPath) {
  const Exports exports = parse({"/", "/a", "/a/b/"});
  EXPECT_EQ(exports.holding("/x")->path, "/");
  EXPECT_EQ(exports.holding("/a")->path, "/a");
  EXPECT_EQ(exports.holding("/ab")->path, "/");
  EXPECT_EQ(exports.holding("/a/b/c")->path, "/a/b");
  EXPECT_EQ(parse({"/a"}).holding("/"), nullptr);
  EXPECT_EQ(exports.find(exports.all()[1].id), &exports.all()[1]);
}

TEST(Exports, RefusesWhatMakesNoSense) {
  for (const char* entry : {"", "a", "/a/../b", "/ host.example", "/ 10.0.0.0/33", "/ 10.0.0.1(rw", "/ *(root)",
                            "/ *(anonuid=x)", "/ 10.0.0.0/", "/ ::1/129"})
    EXPECT_FALSE(Exports::parse({entry}).has_value()) << entry;
  EXPECT_FALSE(Exports::parse({"/a", "/a/"}).has_value());
}

TEST(Squashing, OfRoot) {
  const Caller root{.known = true, .uid = 0, .gid = 0, .groups = {0, 5}};
  const Caller user{.known = true, .uid = 1000, .gid = 0, .groups = {0, 5}};
  const Access* usual = access("*", peer("1.2.3.4"));
  EXPECT_EQ(usual->credentials(root).uid, kNobody);
  EXPECT_TRUE(usual->credentials(root).groups.empty());
  EXPECT_EQ(usual->credentials(user).uid, 1000u);
  EXPECT_EQ(usual->credentials(user).gid, kNobody);
  EXPECT_EQ(usual->credentials(user).groups, (std::vector<uint32_t>{kNobody, 5}));
  EXPECT_EQ(usual->credentials(Caller()).uid, kNobody);
  const Access* trusted = access("*(no_root_squash)", peer("1.2.3.4"));
  EXPECT_EQ(trusted->credentials(root).uid, 0u);
  EXPECT_EQ(trusted->credentials(user).gid, 0u);
  EXPECT_EQ(trusted->credentials(Caller()).uid, kNobody);
}

TEST(Squashing, OfAll) {
  const Access* all = access("*(all_squash,anonuid=7,anongid=8)", peer("1.2.3.4"));
  const meta::Credentials who = all->credentials({.known = true, .uid = 1000, .gid = 1000, .groups = {1, 2}});
  EXPECT_EQ(who.uid, 7u);
  EXPECT_EQ(who.gid, 8u);
  EXPECT_TRUE(who.groups.empty());
}

HandleSecret secret(uint8_t fill) {
  HandleSecret bytes;
  bytes.fill(std::byte{fill});
  return bytes;
}

TEST(Handles, OpenAgain) {
  const HandleKey key(secret(1), 42);
  const FileHandle handle{.exported = 5, .inode = InodeId(77), .generation = 99};
  const HandleBytes bytes = key.seal(handle);
  EXPECT_EQ(HandleKey(secret(1), 42).open(bytes), handle);
  EXPECT_FALSE(HandleKey(secret(2), 42).open(bytes)) << "another key";
  EXPECT_FALSE(HandleKey(secret(1), 43).open(bytes)) << "another volume";
}

TEST(Handles, CannotBeMadeUp) {
  const HandleKey key(secret(1), 42);
  const HandleBytes good = key.seal({.exported = 5, .inode = InodeId(77), .generation = 99});
  for (size_t i = 0; i < good.size(); ++i) {
    HandleBytes bad = good;
    bad[i] ^= std::byte{1};
    EXPECT_FALSE(key.open(bad)) << i;
  }
  for (size_t bytes = 0; bytes < good.size(); ++bytes) EXPECT_FALSE(key.open(std::span(good).first(bytes)));
}

TEST(Handles, TheSecretIsKept) {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("firn-nfs-" + std::to_string(system_random().next()));
  std::filesystem::create_directory(folder);
  const std::string file = folder / "nfs.key";
  const auto first = load_handle_secret(file, system_random());
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(*load_handle_secret(file, system_random()), *first);
  struct stat st{};
  ASSERT_EQ(stat(file.c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777, 0600u);
  std::filesystem::resize_file(file, 31);
  EXPECT_EQ(load_handle_secret(file, system_random()).error().code(), Code::kCorrupt);
  std::filesystem::remove_all(folder);
}

DuplicateRequests::Key key_of(const std::string& client, const std::string& call) {
  return DuplicateRequests::key_of(*parse_address(client), std::as_bytes(std::span(call)));
}

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

TEST(DuplicateRequests, AreToldTheFirstAnswer) {
  DuplicateRequests requests;
  const auto first = requests.begin(key_of("10.0.0.1", "rename"), 0);
  EXPECT_TRUE(first.first);
  const auto again = requests.begin(key_of("10.0.0.1", "rename"), 1);
  EXPECT_FALSE(again.first);
  EXPECT_FALSE(again.entry->answered.is_set());
  requests.finish(*first.entry, bytes_of("done"));
  EXPECT_TRUE(again.entry->answered.is_set());
  EXPECT_EQ(again.entry->reply, "done");
  EXPECT_TRUE(requests.begin(key_of("10.0.0.2", "rename"), 1).first) << "another client";
  EXPECT_TRUE(requests.begin(key_of("10.0.0.1", "Rename"), 1).first) << "another call with the same xid";
}

TEST(DuplicateRequests, OfBeforeACrashAreAnsweredAsDone) {
  DuplicateRequests requests({.most = 2, .lifetime_ns = 100, .most_reply_bytes = 100});
  EXPECT_TRUE(requests.recall(key_of("10.0.0.1", "mkdir"), InodeId(7), 0));
  EXPECT_TRUE(requests.recall(key_of("10.0.0.1", "remove"), InodeId(8), 0));
  EXPECT_FALSE(requests.recall(key_of("10.0.0.1", "older"), InodeId(9), 0));
  const auto asked = requests.begin(key_of("10.0.0.1", "mkdir"), 50);
  EXPECT_TRUE(asked.first);
  EXPECT_EQ(asked.entry->done, InodeId(7));
  const auto again = requests.begin(key_of("10.0.0.1", "mkdir"), 60);
  EXPECT_FALSE(again.first);
  requests.finish(*asked.entry, bytes_of("made"));
  EXPECT_EQ(again.entry->reply, "made");
  EXPECT_EQ(requests.begin(key_of("10.0.0.1", "remove"), 101).entry->done, std::nullopt) << "its time is over";
}

TEST(DuplicateRequests, AreBounded) {
  DuplicateRequests requests({.most = 10, .lifetime_ns = 100, .most_reply_bytes = 4});
  for (int i = 0; i < 100; ++i) (void)requests.begin(key_of("10.0.0.1", std::to_string(i)), 0);
  EXPECT_EQ(requests.size(), 10u);
  EXPECT_FALSE(requests.begin(key_of("10.0.0.1", "99"), 50).first);
  EXPECT_TRUE(requests.begin(key_of("10.0.0.1", "99"), 101).first) << "its time is over";
  const auto large = requests.begin(key_of("10.0.0.1", "large"), 101);
  requests.finish(*large.entry, bytes_of("12345"));
  EXPECT_TRUE(large.entry->reply.empty());
}

}  // namespace
}  // namespace firn::nfs
