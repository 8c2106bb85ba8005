// Any bytes as a configuration file: never a crash, always a line number in the message.
#include "base/check.h"
#include "base/config.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  bool flag = false;
  int64_t integer = 1, duration = 1;
  uint64_t bytes = 1;
  std::string text = "a";
  std::vector<std::string> list;
  const firn::config::Schema schema = {{"a.flag", firn::config::Flag{&flag}, "A flag."},
                                       {"a.integer", firn::config::Integer{&integer, -5, 5}, "An integer."},
                                       {"a.size", firn::config::Size{&bytes, 1, 1 << 20}, "A size."},
                                       {"b.time", firn::config::Duration{&duration, 0, 1'000'000'000}, "A duration."},
                                       {"b.text", firn::config::Text{&text, {"a", "b"}}, "A choice."},
                                       {"b.list", firn::config::TextList{&list, 2, nullptr}, "A list."}};
  const firn::Status status = firn::config::parse({reinterpret_cast<const char*>(data), size}, "f.toml", schema);
  (void)firn::config::sections_below({reinterpret_cast<const char*>(data), size}, "a");
  CHECK(status.ok() || status.message().starts_with("f.toml:"));
  CHECK(integer >= -5 && integer <= 5);
  CHECK(bytes >= 1 && bytes <= 1 << 20);
  CHECK(text == "a" || text == "b");
  CHECK(list.size() <= 2);
  return 0;
}
