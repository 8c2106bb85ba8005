#include "cli/man_sections.h"

namespace firn::cli {

const std::vector<Fact>& exit_codes() {
  static const std::vector<Fact> kFacts = {{"0", "done", {}},
                                           {"1", "failed, or something is wrong with what was looked at", {}},
                                           {"2", "misuse of the command line: nothing was done", {}}};
  return kFacts;
}

const std::vector<Fact>& environment_variables() {
  static const std::vector<Fact> kFacts = {
      {"FIRN_URL", "The server to ask where --url is not given: http[s]://HOST[:7734].", {"FIRN_URL"}},
      {"FIRN_TOKEN", "The token to show to that server.", {"FIRN_URL"}},
      {"FIRN_CA_FILE", "The authority of that server's certificate where --ca-file is not given.", {"FIRN_CA_FILE"}},
      {"FIRN_PASSPHRASE", "What opens an encrypted volume that has no key file.", {"passphrase", "FIRN_PASSPHRASE"}},
      {"FIRN_NEW_PASSPHRASE", "The passphrase that firn key change gives it.", {"FIRN_NEW_PASSPHRASE"}},
      {"FIRN_CACHE_DIR",
       "The folder of the caches of volumes that live in a bucket, instead of firn in XDG_CACHE_HOME or ~/.cache.",
       {"FIRN_CACHE_DIR", "--cache"}},
      {"FIRN_CACHE_SIZE",
       "How much of other machines' files is kept in contents in that folder (1GiB; 0: nothing).",
       {"FIRN_CACHE_SIZE"}},
      {"XDG_CONFIG_HOME", "Where firn/token is looked for, instead of ~/.config.", {"FIRN_URL"}},
      {"AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL, "
       "AWS_CA_BUNDLE",
       "Credentials for S3, and where it is, as the AWS tools understand them.",
       {"s3://"}}};
  return kFacts;
}

const std::vector<Fact>& files_used() {
  static const std::vector<Fact> kFacts = {
      {"VOLUME/firn.toml", "The volume's settings, with comments.", {"firn.toml"}},
      {"VOLUME/firn.log", "The daemon's log.", {"firn.log"}},
      {"VOLUME/firn.sock", "The socket on which the daemon answers this program.", {"firn.sock"}},
      {"~/.config/firn/token",
       "The token to show to a server where FIRN_TOKEN is not set; for its owner alone (mode 600).",
       {"FIRN_URL"}},
      {"~/.cache/firn",
       "The caches of volumes that live in a bucket, and of files of other machines.",
       {"FIRN_CACHE_DIR", "FIRN_CACHE_SIZE", "--cache"}}};
  return kFacts;
}

std::string exit_codes_line() {
  std::string line;
  for (const Fact& code : exit_codes()) line += (line.empty() ? "" : "; ") + code.name + " " + code.text;
  return line;
}

}  // namespace firn::cli
