// Any TXT entries, one a line: what is taken can be printed, and goes there and back.
#include <sstream>

#include "base/check.h"
#include "discovery/service.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::istringstream lines(std::string(reinterpret_cast<const char*>(data), size));
  std::vector<std::string> entries;
  for (std::string line; std::getline(lines, line);) entries.push_back(line);
  const auto service = firn::discovery::from_txt(entries);
  if (!service) return 0;
  CHECK(service->id.size() == firn::discovery::kIdDigits);
  CHECK(firn::discovery::printable(service->name, 255) == service->name);
  CHECK(firn::discovery::printable(service->version, 64) == service->version);
  if (service->name.size() < 240) CHECK(firn::discovery::from_txt(firn::discovery::to_txt(*service)) == service);
  return 0;
}
