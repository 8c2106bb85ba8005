#include "discovery/service.h"

#include <gtest/gtest.h>

namespace firn::discovery {
namespace {

const std::string kId = "0123456789abcdef0123456789abcdef";

TEST(Service, GoesIntoTxtAndBack) {
  const Service service{.name = "Fotos ä", .id = kId, .version = "0.1.0", .tls = true};
  EXPECT_EQ(to_txt(service), (std::vector<std::string>{"name=Fotos ä", "id=" + kId, "version=0.1.0", "tls=1"}));
  EXPECT_EQ(from_txt(to_txt(service)), service);
}

TEST(Service, NamesThatAreTooLongOrNoTextAreMadeFit) {
  const auto name_of = [](const std::string& name) { return to_txt({.name = name, .id = kId})[0]; };
  EXPECT_EQ(name_of(std::string(300, 'a')), "name=" + std::string(250, 'a'));
  const std::string cut = name_of(std::string(249, 'a') + "ä");
  EXPECT_EQ(cut, "name=" + std::string(249, 'a')) << "half a character would make it no UTF-8";
  EXPECT_EQ(name_of("a\nb\xff"), "name=a?b?");
  EXPECT_EQ(name_of("a\xc2\x9b"
                    "31m"),
            "name=a??31m")
      << "a terminal may take it for an escape sequence";
}

TEST(Service, EntriesOfStrangersAreAnything) {
  const auto taken = [](std::vector<std::string> entries) { return from_txt(entries).has_value(); };
  EXPECT_TRUE(taken({"name=a", "id=" + kId}));
  EXPECT_TRUE(taken({"later", "=", "", "Name=a", "ID=" + kId, std::string("\0\xff", 2)}));
  EXPECT_FALSE(taken({}));
  EXPECT_FALSE(taken({"name=a"}));
  EXPECT_FALSE(taken({"id=" + kId}));
  EXPECT_FALSE(taken({"name", "id=" + kId}));
  EXPECT_FALSE(taken({"name=", "id=" + kId}));
  EXPECT_FALSE(taken({"name=a\x1b[2J", "id=" + kId}));
  for (const char* no_text :
       {"\xff", "a\xc3", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xc2\x9b"})
    EXPECT_FALSE(taken({std::string("name=") + no_text, "id=" + kId})) << no_text;
  EXPECT_TRUE(taken({"name=\xc3\xa4\xe2\x82\xac\xf0\x9f\x93\xb7", "id=" + kId}));
  EXPECT_FALSE(taken({"name=a", "id=" + kId + "0"}));
  EXPECT_FALSE(taken({"name=a", "id=" + kId.substr(1) + "G"}));
  EXPECT_FALSE(taken({std::string("name=a\0b", 8), "id=" + kId}));
}

TEST(Service, TheFirstOfSeveralEntriesCounts) {
  const auto service = from_txt({"name=first", "name=second", "id=" + kId, "tls=1", "tls=0", "version=\x1b!"});
  ASSERT_TRUE(service);
  EXPECT_EQ(service->name, "first");
  EXPECT_TRUE(service->tls);
  EXPECT_EQ(service->version, "?!");
  EXPECT_FALSE(from_txt({"name=a", "id=" + kId, "tls=true"})->tls);
}

}  // namespace
}  // namespace firn::discovery
