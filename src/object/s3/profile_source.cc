// Credentials that the shared files lead to: a profile's own, or those of a role that it names.
#include <algorithm>
#include <charconv>

#include "object/s3/credential_process.h"
#include "object/s3/credentials.h"
#include "object/s3/profile.h"
#include "object/s3/small_file.h"
#include "object/s3/sso.h"
#include "object/s3/sts.h"

namespace firn::object::s3 {

namespace {

using Found = Result<std::optional<Credentials>>;

constexpr int64_t kLeastDurationS = 900, kMostDurationS = 43200;  // those of the service
constexpr const char* kSessionName = "firn";

std::optional<Credentials> keys_of(const Profile& profile, const std::string& access_key, const std::string& secret_key,
                                   const std::string& token) {
  if (access_key.empty() || secret_key.empty()) return std::nullopt;
  return Credentials{.access_key_id = access_key,
                     .secret_access_key = secret_key,
                     .session_token = token,
                     .source = "profile " + profile.name()};
}

std::optional<Credentials> keys_of_both_files(const Profile& profile) {
  return keys_of(profile, profile.get("aws_access_key_id"), profile.get("aws_secret_access_key"),
                 profile.get("aws_session_token"));
}

std::optional<Credentials> keys_of_credentials_file(const Profile& profile) {
  Section section = profile.credentials_file();
  return keys_of(profile, section["aws_access_key_id"], section["aws_secret_access_key"], section["aws_session_token"]);
}

Result<int64_t> duration_of(const Profile& profile) {
  const std::string text = profile.get("duration_seconds");
  if (text.empty()) return 0;
  int64_t duration_s = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, duration_s);
  if (error != std::errc() || rest != end || duration_s < kLeastDurationS || duration_s > kMostDurationS)
    return fail(profile.wrong("duration_seconds", "is not a number of 900 to 43200"));
  return duration_s;
}

Result<Role> role_of(const Profile& profile) {
  if (profile.has("mfa_serial"))
    return fail(profile.wrong("mfa_serial",
                              "is set, but firn has nobody to ask for a code; name a role that asks for none, or get "
                              "credentials by another program (credential_process)"));
  return Role{.arn = profile.get("role_arn"),
              .session_name = profile.has("role_session_name") ? profile.get("role_session_name") : kSessionName,
              .external_id = profile.get("external_id"),
              .duration_s = TRY(duration_of(profile)),
              .origin = "the profile " + profile.name()};
}

// Without what stands around it.
Result<std::string> read_token(const std::string& path) {
  std::string token = TRY(read_small_file(path));
  token.erase(0, token.find_first_not_of(" \t\r\n"));
  token.erase(token.find_last_not_of(" \t\r\n") + 1);
  if (token.empty()) return fail(Code::kAccessDenied, path + " is empty");
  return token;
}

// One look into the files.
class Search {
 public:
  // All must outlive the tasks.
  Search(const Environment& environment, HttpClient& http, io::BlockingPool& pool)
      : environment_(environment), http_(http), pool_(pool), files_(environment) {}

  // Of the profile, or of the role that it is about. nullopt: it says nothing of credentials.
  io::Task<Found> of_profile(std::string name, io::Until until) {
    const bool chosen = entered_.empty();
    entered_.push_back(name);
    const Profile profile = files_.profile(name);
    // The keys of a profile that another one names are what it is named for, though it has a role, too.
    const bool by_token = profile.has("web_identity_token_file");
    if (profile.has("role_arn") && !by_token && (chosen || !keys_of_both_files(profile)))
      co_return CO_TRY(co_await of_role(profile, until));
    if (by_token || (chosen && !environment_.get("AWS_WEB_IDENTITY_TOKEN_FILE").empty()))
      co_return CO_TRY(co_await of_web_identity(profile, chosen, until));
    if (profile.has("sso_account_id") || profile.has("sso_role_name"))
      co_return CO_TRY(co_await of_sign_in(profile, until));
    if (auto found = keys_of_credentials_file(profile)) co_return found;
    if (profile.has("credential_process"))
      co_return CO_TRY(
          co_await ask_credential_process(profile.get("credential_process"), name, environment_, pool_, until));
    co_return keys_of_both_files(profile);
  }

 private:
  io::Task<Result<Credentials>> of_role(Profile profile, io::Until until) {
    Role role = CO_TRY(role_of(profile));
    Credentials caller = CO_TRY(co_await caller_of(profile, until));
    StsEndpoint sts = CO_TRY(sts_endpoint(environment_));
    co_return co_await assume_role(http_, std::move(sts), std::move(role), std::move(caller), until);
  }

  // `chosen`: what the environment says comes first, each setting by itself.
  io::Task<Result<Credentials>> of_web_identity(Profile profile, bool chosen, io::Until until) {
    const auto setting = [&](const char* variable, const char* key) {
      const std::string value = chosen ? environment_.get(variable) : "";
      return value.empty() ? profile.get(key) : value;
    };
    const std::string path = setting("AWS_WEB_IDENTITY_TOKEN_FILE", "web_identity_token_file");
    const bool by_profile = path == profile.get("web_identity_token_file");
    const auto wrong = [&](const std::string& why) {
      return by_profile ? profile.wrong("web_identity_token_file", why)
                        : Status(Code::kAccessDenied, "AWS_WEB_IDENTITY_TOKEN_FILE " + why);
    };
    Role role{.arn = setting("AWS_ROLE_ARN", "role_arn"),
              .session_name = setting("AWS_ROLE_SESSION_NAME", "role_session_name"),
              .duration_s = CO_TRY(duration_of(profile)),
              .origin = by_profile ? "the profile " + profile.name() : "AWS_WEB_IDENTITY_TOKEN_FILE"};
    if (role.arn.empty()) co_return fail(wrong(by_profile ? "needs role_arn, too" : "is set, but AWS_ROLE_ARN is not"));
    if (role.session_name.empty()) role.session_name = kSessionName;
    Result<std::string> token = read_token(path);
    if (!token) co_return fail(wrong("cannot be read: " + token.error().message()));
    StsEndpoint sts = CO_TRY(sts_endpoint(environment_));
    co_return co_await assume_role_with_web_identity(http_, std::move(sts), std::move(role), *std::move(token), until);
  }

  io::Task<Result<Credentials>> of_sign_in(Profile profile, io::Until until) {
    SsoRole role = CO_TRY(sso_role(profile, files_, environment_));
    co_return co_await ask_sso(http_, pool_, std::move(role), environment_, until);
  }

  // Who asks for the profile's role.
  io::Task<Result<Credentials>> caller_of(Profile profile, io::Until until) {
    const bool by_profile = profile.has("source_profile"), by_source = profile.has("credential_source");
    if (by_profile && by_source)
      co_return fail(profile.wrong("source_profile", "and credential_source are both set; one of them is to be"));
    if (by_source) co_return co_await of_credential_source(profile, until);
    if (by_profile) co_return co_await of_source_profile(profile, until);
    co_return fail(profile.wrong("role_arn", "needs source_profile or credential_source, which say who asks for it"));
  }

  io::Task<Result<Credentials>> of_source_profile(Profile profile, io::Until until) {
    const std::string name = profile.get("source_profile");
    const Profile source = files_.profile(name);
    if (!source.exists()) co_return fail(profile.wrong("source_profile", "= " + name + ": there is no such profile"));
    // A profile may lead to its own keys.
    const bool own_keys = name == profile.name() && keys_of_both_files(source);
    if (std::ranges::count(entered_, name) > 0 && !own_keys) {
      std::string circle;
      for (const std::string& entered : entered_) circle += entered + " -> ";
      co_return fail(profile.wrong("source_profile", "leads in a circle: " + circle + name));
    }
    std::optional<Credentials> found = CO_TRY(co_await of_profile(name, until));
    if (found) co_return *std::move(found);
    co_return fail(profile.wrong("source_profile", "= " + name + ": that profile has no credentials"));
  }

  io::Task<Result<Credentials>> of_credential_source(Profile profile, io::Until until) {
    const std::string name = profile.get("credential_source");
    std::unique_ptr<CredentialSource> source;
    if (name == "Environment") source = environment_source(environment_.with_overruled());
    if (name == "Ec2InstanceMetadata") source = instance_source(environment_, http_);
    if (name == "EcsContainer") source = container_source(environment_, http_);
    if (!source)
      co_return fail(profile.wrong("credential_source",
                                   "= " + name + " is none of Environment, Ec2InstanceMetadata and EcsContainer"));
    std::optional<Credentials> found = CO_TRY(co_await source->fetch(until));
    if (found) co_return *std::move(found);
    co_return fail(profile.wrong("credential_source", "= " + name + ": there are no credentials"));
  }

  const Environment& environment_;
  HttpClient& http_;
  io::BlockingPool& pool_;
  const SharedFiles files_;
  std::vector<std::string> entered_;  // profiles, each led to by the one before
};

class ProfileSource final : public CredentialSource {
 public:
  ProfileSource(Environment environment, HttpClient& http, io::BlockingPool& pool)
      : environment_(std::move(environment)), http_(http), pool_(pool) {}

  io::Task<Result<std::optional<Credentials>>> fetch(io::Until until) override {
    const std::string name = profile_name(environment_);
    Search search(environment_, http_, pool_);
    if (std::optional<Credentials> found = CO_TRY(co_await search.of_profile(name, until))) co_return found;
    if (environment_.get("AWS_PROFILE").empty()) co_return std::nullopt;
    co_return fail(Code::kAccessDenied,
                   "the profile " + name +
                       " (AWS_PROFILE) has neither aws_access_key_id and aws_secret_access_key "
                       "nor credential_process nor role_arn, web_identity_token_file or sso_account_id");
  }

 private:
  const Environment environment_;
  HttpClient& http_;
  io::BlockingPool& pool_;
};

}  // namespace

std::unique_ptr<CredentialSource> profile_source(Environment environment, HttpClient& http, io::BlockingPool& pool) {
  return std::make_unique<ProfileSource>(std::move(environment), http, pool);
}

}  // namespace firn::object::s3
