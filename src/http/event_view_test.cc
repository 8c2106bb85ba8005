#include "http/event_view.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "http/event_cursor.h"

namespace firn::http {
namespace {

using meta::Event;
using meta::EventKind;
using nlohmann::json;

constexpr meta::FileType kDirectory = meta::FileType::kDirectory;

json show(const PlacedEvent& placed, std::string_view folder) {
  const auto shown = show_event(placed, folder, "c");
  return shown ? json::parse(*shown) : json();
}

std::string brief(const json& shown) {
  if (shown.is_null()) return "";
  std::string text = shown.at("event").get<std::string>() + " " + shown.at("path").get<std::string>();
  return shown.contains("from") ? text + " from " + shown.at("from").get<std::string>() : text;
}

TEST(EventView, TellsWhatHappened) {
  const Event event{.kind = EventKind::kContent, .inode = InodeId(5), .nlink = 1, .size = 7, .time = {9, 8}, .uid = 3};
  EXPECT_EQ(show({event, "/a", {}}, ""), json::parse(R"({"cursor": "c", "event": "content", "path": "/a", "inode": 5,
      "type": "file", "nlink": 1, "size": 7, "time": "9.000000008", "uid": 3})"));
  EXPECT_TRUE(show({event, std::nullopt, {}}, "").at("path").is_null());
}

TEST(EventView, OfAFolderIsWhatIsInIt) {
  const Event event{.kind = EventKind::kCreated, .inode = InodeId(5)};
  EXPECT_EQ(brief(show({event, "/p/a", {}}, "/p")), "created /p/a");
  EXPECT_EQ(brief(show({event, "/p", {}}, "/p")), "created /p");
  EXPECT_EQ(brief(show({event, "/pq", {}}, "/p")), "");
  EXPECT_EQ(brief(show({event, "/", {}}, "/p")), "");
  EXPECT_TRUE(show({event, std::nullopt, {}}, "/p").is_null());
}

TEST(EventView, MovesAcrossTheBorderAppearAndDisappear) {
  const Event file{.kind = EventKind::kRenamed, .inode = InodeId(5), .other = InodeId(6)};
  EXPECT_EQ(brief(show({file, "/p/b", "/p/a"}, "/p")), "renamed /p/b from /p/a");
  EXPECT_EQ(brief(show({file, "/p/b", "/a"}, "/p")), "created /p/b");
  EXPECT_EQ(show({file, "/p/b", "/a"}, "/p").at("replaced").at("inode"), 6);
  EXPECT_EQ(brief(show({file, "/b", "/p/a"}, "/p")), "removed /p/a");
  EXPECT_FALSE(show({file, "/b", "/p/a"}, "/p").contains("replaced"));
  EXPECT_EQ(brief(show({file, "/b", "/a"}, "/p")), "");
  const Event folder{.kind = EventKind::kRenamed, .inode = InodeId(5), .type = kDirectory};
  EXPECT_EQ(brief(show({folder, "/x", "/p"}, "/p")), "removed /p");
  EXPECT_EQ(brief(show({folder, "/x", "/p"}, "/p/q")), "removed /p/q");
  EXPECT_EQ(brief(show({folder, "/p", "/x"}, "/p/q")), "created /p/q");
  EXPECT_FALSE(show({folder, "/p", "/x"}, "/p/q").contains("inode"));
}

TEST(EventView, ExchangesAcrossTheBorderShowWhatIsThereNow) {
  const Event event{.kind = EventKind::kExchanged, .inode = InodeId(5), .other = InodeId(6)};
  EXPECT_EQ(brief(show({event, "/p/b", "/p/a"}, "/p")), "exchanged /p/b from /p/a");
  const json came = show({event, "/p/b", "/a"}, "/p"), left = show({event, "/b", "/p/a"}, "/p");
  EXPECT_EQ(brief(came), "created /p/b");
  EXPECT_EQ(came.at("inode"), 5);
  EXPECT_EQ(brief(left), "created /p/a");
  EXPECT_EQ(left.at("inode"), 6);
}

TEST(EventView, BytesThatAreNoTextAreTold) {
  const Event event{.kind = EventKind::kCreated, .inode = InodeId(5)};
  EXPECT_EQ(show({event, "/a\xff", {}}, "").at("path_hex"), "2f61ff");
}

TEST(EventCursor, SurvivesTheRoundTrip) {
  const EventCursor cursor{0xabc, 42};
  EXPECT_EQ(cursor.text(), "0000000000000abc-42");
  EXPECT_EQ(*EventCursor::parse(cursor.text()), cursor);
  for (const char* bad : {"", "abc-1", "0000000000000abc", "0000000000000abc-", "0000000000000abc-x",
                          "0000000000000abc--1", "0000000000000abc-18446744073709551615",
                          "0000000000000abc-99999999999999999999", "000000000000zabc-1", "0000000000000abc-1 "})
    EXPECT_FALSE(EventCursor::parse(bad)) << bad;
}

}  // namespace
}  // namespace firn::http
