#include "object/s3/credentials.h"

#include <unistd.h>

#include "object/s3/credential_process.h"
#include "object/s3/profile.h"

extern char** environ;

namespace firn::object::s3 {

namespace {

constexpr int64_t kRenewBeforeS = 5 * 60;
constexpr int64_t kAskAgainNs = 30'000'000'000;

class EnvironmentSource final : public CredentialSource {
 public:
  explicit EnvironmentSource(Environment environment) : environment_(std::move(environment)) {}
  io::Task<Result<std::optional<Credentials>>> fetch(io::Until) override {
    Credentials found{.access_key_id = environment_.get("AWS_ACCESS_KEY_ID"),
                      .secret_access_key = environment_.get("AWS_SECRET_ACCESS_KEY"),
                      .session_token = environment_.get("AWS_SESSION_TOKEN"),
                      .source = "environment"};
    if (found.access_key_id.empty() || found.secret_access_key.empty()) co_return std::nullopt;
    co_return found;
  }

 private:
  const Environment environment_;
};

class ProfileSource final : public CredentialSource {
 public:
  ProfileSource(Environment environment, io::BlockingPool& pool) : environment_(std::move(environment)), pool_(pool) {}
  io::Task<Result<std::optional<Credentials>>> fetch(io::Until until) override {
    if (auto found = keys_of(load_credentials_file(environment_))) co_return found;
    const Section profile = load_profile(environment_);
    const std::string name = profile_name(environment_);
    if (const auto command = profile.find("credential_process"); command != profile.end() && !command->second.empty())
      co_return CO_TRY(co_await ask_credential_process(command->second, name, environment_, pool_, until));
    if (auto found = keys_of(profile)) co_return found;
    if (environment_.get("AWS_PROFILE").empty()) co_return std::nullopt;
    co_return fail(Code::kAccessDenied,
                   "the profile " + name +
                       " (AWS_PROFILE) has neither aws_access_key_id and aws_secret_access_key nor credential_process");
  }

 private:
  std::optional<Credentials> keys_of(Section section) const {
    Credentials found{.access_key_id = section["aws_access_key_id"],
                      .secret_access_key = section["aws_secret_access_key"],
                      .session_token = section["aws_session_token"],
                      .source = "profile " + profile_name(environment_)};
    if (found.access_key_id.empty() || found.secret_access_key.empty()) return std::nullopt;
    return found;
  }

  const Environment environment_;
  io::BlockingPool& pool_;
};

}  // namespace

Environment Environment::of_process() {
  Environment environment;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const size_t equals = text.find('=');
    if (equals != std::string_view::npos)
      environment.variables.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return environment;
}

std::string Environment::get(const std::string& name) const {
  const auto found = variables.find(name);
  return found == variables.end() ? "" : found->second;
}

std::unique_ptr<CredentialSource> environment_source(Environment environment) {
  return std::make_unique<EnvironmentSource>(std::move(environment));
}

std::unique_ptr<CredentialSource> profile_source(Environment environment, io::BlockingPool& pool) {
  return std::make_unique<ProfileSource>(std::move(environment), pool);
}

std::optional<Credentials> CredentialChain::remembered() const {
  const int64_t now_s = system_clock().now().seconds;
  std::lock_guard lock(known_mutex_);
  if (!known_ || !known_->expires_s || *known_->expires_s - kRenewBeforeS > now_s) return known_;
  const bool asked_lately = io::Reactor::current()->clock().monotonic_ns() < ask_again_ns_;
  return asked_lately && *known_->expires_s > now_s ? known_ : std::nullopt;
}

void CredentialChain::put_off_asking() {
  std::lock_guard lock(known_mutex_);
  ask_again_ns_ = io::Reactor::current()->clock().monotonic_ns() + kAskAgainNs;
}

io::Task<Result<Credentials>> CredentialChain::search(io::Until until) {
  for (const auto& source : sources_)
    if (std::optional<Credentials> found = CO_TRY(co_await source->fetch(until))) co_return *std::move(found);
  co_return fail(Code::kAccessDenied,
                 "no S3 credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or write ~/.aws/credentials");
}

io::Task<Result<Credentials>> CredentialChain::get(io::Until until) {
  if (std::optional<Credentials> known = remembered()) co_return *std::move(known);
  const auto alone = co_await search_.lock();
  if (std::optional<Credentials> known = remembered()) co_return *std::move(known);
  put_off_asking();  // Others go on meanwhile with those that are still valid.
  Result<Credentials> found = co_await search(until);
  put_off_asking();
  std::lock_guard lock(known_mutex_);
  if (found)
    known_ = *found;
  else if (known_ && known_->expires_s && *known_->expires_s > system_clock().now().seconds)
    co_return *known_;
  co_return found;
}

void CredentialChain::refuse(const Credentials& refused) {
  std::lock_guard lock(known_mutex_);
  if (known_ && known_->access_key_id == refused.access_key_id && known_->session_token == refused.session_token)
    known_.reset();
}

std::unique_ptr<CredentialChain> standard_chain(const Environment& environment, HttpClient& http,
                                                io::BlockingPool& pool) {
  std::vector<std::unique_ptr<CredentialSource>> sources;
  sources.push_back(environment_source(environment));
  sources.push_back(profile_source(environment, pool));
  sources.push_back(container_source(environment, http));
  sources.push_back(instance_source(environment, http));
  return std::make_unique<CredentialChain>(std::move(sources));
}

}  // namespace firn::object::s3
