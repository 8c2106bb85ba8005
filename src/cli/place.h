// A colder tier as it is written on the command line and in firn.toml: NAME=URL.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace firn::cli {

struct Place {
  enum class Kind : uint8_t { kFolder, kBucket };

  std::string name;  // 1 to 32 of a-z 0-9 -
  std::string url;   // as it is kept: "/absolute/folder", or "s3://bucket/prefix?endpoint=https://host"
  Kind kind = Kind::kFolder;
  std::string where;                           // the folder, or "s3://bucket/prefix"
  std::map<std::string, std::string> options;  // after the '?': of [s3], for this place alone

  std::string text() const { return name + "=" + url; }
};

// What the local disk is called where colder tiers have their names.
inline constexpr const char* kLocalDisk = "hot";

inline constexpr const char* kPlaceExamples = "such as nas=/mnt/nas/firn or s3=s3://bucket/prefix";

// "NAME=URL", URL being s3://bucket/prefix[?endpoint=URL&region=NAME&profile=NAME&path_style=yes], /folder or
// file:///folder. kInvalid says what is wrong and gives an example.
Result<Place> parse_place(std::string_view text);
// The same; a relative folder is meant from the working directory.
Result<Place> parse_place_here(std::string_view text);
// Of a whole list, nearest first: at most tier::kMaxTiers, and no name or place twice.
Result<std::vector<Place>> parse_places(const std::vector<std::string>& texts);

}  // namespace firn::cli
