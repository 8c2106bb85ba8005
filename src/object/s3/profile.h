// The AWS tools' shared files: sections of keys and values.
// Source: "Format of the configuration and credential files", AWS SDKs and Tools Reference Guide.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"

namespace firn::object::s3 {

struct Environment;

using Section = std::map<std::string, std::string>;

// "[name]" opens a section ("[profile name]" in the config file means the same); "key = value"; '#' and ';' begin
// comments. An indented "key = value" below "above =" is "above.key"; below anything else it is not read. What makes no
// sense is passed over, as those tools do.
std::map<std::string, Section> parse_profiles(std::string_view text);

// AWS_PROFILE, or "default".
std::string profile_name(const Environment& environment);

// What both files say of one profile.
class Profile {
 public:
  const std::string& name() const { return name_; }
  // Neither file may have it.
  bool exists() const { return exists_; }
  // The credentials file's before the config file's; "" when it is not set.
  std::string get(const std::string& key) const;
  bool has(const std::string& key) const { return !get(key).empty(); }
  // The credentials file's values alone.
  const Section& credentials_file() const { return credentials_file_; }
  // kAccessDenied: "the profile NAME (FILE): KEY `why`".
  Status wrong(const std::string& key, const std::string& why) const;

 private:
  friend class SharedFiles;

  std::string name_, credentials_path_, config_path_;
  Section credentials_file_, config_file_;
  bool exists_ = false;
};

// Both files as they are when this is made, which reads them: small local files. AWS_SHARED_CREDENTIALS_FILE,
// AWS_CONFIG_FILE, or those in ~/.aws; one that cannot be read is empty.
class SharedFiles {
 public:
  explicit SharedFiles(const Environment& environment);

  Profile profile(const std::string& name) const;
  // A section of the config file that is no profile, such as "sso-session NAME".
  std::optional<Section> config_section(const std::string& name) const;
  const std::string& config_path() const { return config_path_; }

 private:
  std::string credentials_path_, config_path_;
  std::map<std::string, Section> credentials_, config_;
};

}  // namespace firn::object::s3
