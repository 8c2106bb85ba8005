#include "discovery/peer.h"

#include <gtest/gtest.h>

namespace firn::discovery {
namespace {

Peer peer(const std::string& name, char digit, const std::string& host = "nas.local",
          const std::string& address = "192.168.1.5") {
  return {.service = {.name = name, .id = std::string(kIdDigits, digit), .version = "0.1.0", .tls = true},
          .host = host,
          .address = address,
          .port = 7734};
}

std::string chosen(const std::vector<Peer>& peers, std::string_view wanted) {
  const auto found = choose(peers, wanted);
  return found ? found->service.name + "@" + found->host : found.error().to_string();
}

TEST(Peers, OneThatIsReachedInSeveralWaysIsOne) {
  const auto peers = merged({peer("b", '1', "nas.local", "fe80::1%eth0"), peer("b", '1', "nas.local", "2001:db8::1"),
                             peer("b", '1', "nas.local", "192.168.1.5"), peer("b", '1', "nas.local", "127.0.0.1"),
                             peer("a", '2', "other.local", "fe80::2%eth0")});
  ASSERT_EQ(peers.size(), 2);
  EXPECT_EQ(peers[0].endpoint(), "[fe80::2%eth0]:7734");
  EXPECT_EQ(peers[1].endpoint(), "192.168.1.5:7734");
  EXPECT_EQ(peers[1].url(), "https://nas.local:7734");
}

TEST(Peers, TheOnlyOneIsMeantByNothing) {
  EXPECT_EQ(chosen({peer("photos", '1')}, ""), "photos@nas.local");
  EXPECT_NE(chosen({}, "").find("no volume"), std::string::npos);
}

TEST(Peers, OneOfSeveralIsNamed) {
  const std::vector<Peer> peers = {peer("films", '1'), peer("photos", '2')};
  EXPECT_EQ(chosen(peers, "photos"), "photos@nas.local");
  EXPECT_EQ(chosen(peers, std::string(kIdDigits, '1')), "films@nas.local");
  EXPECT_EQ(chosen(peers, "22222222"), "photos@nas.local");
  EXPECT_NE(chosen(peers, "2222222").find("no volume 2222222"), std::string::npos) << "too few digits";
  const std::string several = chosen(peers, "");
  for (const char* word : {"films", "photos", "11111111", "https://nas.local:7734", "--volume", "--url"})
    EXPECT_NE(several.find(word), std::string::npos) << several;
}

TEST(Peers, TwoMachinesThatClaimOneVolumeAreSeveral) {
  const std::vector<Peer> peers = {peer("photos", '1', "nas.local"), peer("photos", '1', "other.local")};
  EXPECT_NE(chosen(peers, "photos").find("several"), std::string::npos);
}

}  // namespace
}  // namespace firn::discovery
