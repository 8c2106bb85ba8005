#include "object/s3/credentials.h"

#include <unistd.h>

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

Environment Environment::with_overruled() const {
  Environment all = *this;
  for (const auto& [name, value] : overruled) all.variables.insert_or_assign(name, value);
  return all;
}

std::unique_ptr<CredentialSource> environment_source(Environment environment) {
  return std::make_unique<EnvironmentSource>(std::move(environment));
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
  sources.push_back(profile_source(environment, http, pool));
  sources.push_back(container_source(environment, http));
  sources.push_back(instance_source(environment, http));
  return std::make_unique<CredentialChain>(std::move(sources));
}

}  // namespace firn::object::s3
