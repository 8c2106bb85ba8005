// The AWS tools' shared files: sections of keys and values.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace firn::object::s3 {

using Section = std::map<std::string, std::string>;

// "[name]" opens a section ("[profile name]" in the config file means the same); "key = value"; '#' and ';' begin
// comments. An indented line belongs to the setting above it and is not read. What makes no sense is passed over, as
// those tools do.
std::map<std::string, Section> parse_profiles(std::string_view text);

// The profile that `environment` chooses, the credentials file's values before the config file's.
struct Environment;
Section load_profile(const Environment& environment);
// The credentials file's values alone.
Section load_credentials_file(const Environment& environment);
// AWS_PROFILE, or "default".
std::string profile_name(const Environment& environment);

}  // namespace firn::object::s3
