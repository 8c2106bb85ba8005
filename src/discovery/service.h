// discovery::Service: what a daemon tells of itself, as the TXT entries of its service (RFC 6763, section 6).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace firn::discovery {

inline constexpr const char* kServiceType = "_firn._tcp";
inline constexpr size_t kIdDigits = 32;

struct Service {
  std::string name;     // of the volume
  std::string id;       // of the volume: 32 hexadecimal digits in lower case
  std::string version;  // of the program
  bool tls = false;

  friend bool operator==(const Service&, const Service&) = default;
};

// "name=...", "id=...", "version=..." and "tls=1" or "tls=0", each of at most 255 bytes. A name that is too long is cut
// off; of one that is no text the bad bytes are replaced.
std::vector<std::string> to_txt(const Service& service);

// What entries from the network say: any bytes, in any number. nullopt: it is none of ours, as it has no proper name or
// id. What is returned can be printed: no control characters, and UTF-8.
std::optional<Service> from_txt(const std::vector<std::string>& entries);

// UTF-8 without control characters, at most `most` bytes: what is cut off or replaced is lost.
std::string printable(std::string_view text, size_t most);

}  // namespace firn::discovery
