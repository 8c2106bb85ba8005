#include "cli/server_events.h"

#include <gtest/gtest.h>

#include <vector>

namespace firn::cli {
namespace {

TEST(ServerEvents, AreReadHoweverTheyAreCut) {
  const std::string stream =
      "retry: 1\nid: c0\n\n: comment\nid: c1\ndata: one\n\nevent:e\r\ndata:two\r\ndata: three\r\n\r\nid: c2\n";
  for (size_t step = 1; step <= stream.size(); ++step) {
    std::vector<std::string> seen;
    ServerEvents events([&](const ServerEvents::Event& event) -> Status {
      seen.push_back(event.type + "|" + event.data);
      return {};
    });
    for (size_t at = 0; at < stream.size(); at += step) ASSERT_TRUE(events.feed(stream.substr(at, step)).ok());
    EXPECT_EQ(seen, (std::vector<std::string>{"|one", "e|two\nthree"}));
    EXPECT_EQ(events.last_id(), "c1");
  }
}

TEST(ServerEvents, HalfAnEventIsForgotten) {
  int seen = 0;
  ServerEvents events([&](const ServerEvents::Event&) -> Status {
    ++seen;
    return {};
  });
  ASSERT_TRUE(events.feed("id: a\ndata: 1\n\nid: b\ndata: 2\nda").ok());
  events.restart();
  EXPECT_EQ(events.last_id(), "a");
  ASSERT_TRUE(events.feed("id: b\n\n").ok());
  EXPECT_EQ(seen, 1);
  EXPECT_EQ(events.last_id(), "b");
}

}  // namespace
}  // namespace firn::cli
