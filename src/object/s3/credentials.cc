#include "object/s3/credentials.h"

#include <unistd.h>

#include <algorithm>

extern char** environ;

namespace firn::object::s3 {

namespace {

constexpr int64_t kRenewBeforeS = 5 * 60;
constexpr int64_t kAskAgainNs = 30'000'000'000;
constexpr int64_t kTimerNs = 100'000'000;  // by which timers are early

bool is_over(const Credentials& credentials) {
  return credentials.expires_s && *credentials.expires_s <= system_clock().now().seconds;
}

// `ended` must outlive the task.
io::Task<Result<void>> wait_for(io::CancelToken& ended, io::Until until) {
  io::CancelToken wake;
  const io::CancelToken::Scope by_end(&ended, [&wake] { wake.cancel(); });
  const io::CancelToken::Scope by_caller(until.token, [&wake] { wake.cancel(); });
  co_await io::sleep_for(io::left_ns(until), &wake);
  if (ended.cancelled()) co_return Result<void>();
  if (until.token != nullptr && until.token->cancelled()) co_return fail(Code::kInterrupted);
  co_return fail(Code::kTimedOut, "the S3 credentials are still being looked for");
}

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

std::optional<Credentials> CredentialChain::usable() const {
  const int64_t now_s = system_clock().now().seconds;
  if (!known_ || !known_->expires_s || *known_->expires_s - kRenewBeforeS > now_s) return known_;
  if (*known_->expires_s <= now_s) return std::nullopt;
  const bool asked_lately = io::Reactor::current()->clock().monotonic_ns() < ask_again_ns_;
  return search_ || asked_lately ? known_ : std::nullopt;
}

io::Task<Result<Credentials>> CredentialChain::ask_sources(io::Until until) {
  for (const auto& source : sources_)
    if (std::optional<Credentials> found = CO_TRY(co_await source->fetch(until))) co_return *std::move(found);
  co_return fail(Code::kAccessDenied,
                 "no S3 credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or write ~/.aws/credentials");
}

// Who asks ahead of time has something to do yet with what is known.
io::Until CredentialChain::time_to_ask(io::Until until) const {
  std::lock_guard lock(known_mutex_);
  if (!known_ || is_over(*known_) || until.deadline_ns == 0) return until;
  const int64_t now_ns = io::Reactor::current()->clock().monotonic_ns();
  return {now_ns + std::max<int64_t>(until.deadline_ns - now_ns, 0) / 2, until.token};
}

io::Task<Result<Credentials>> CredentialChain::search(std::shared_ptr<Search> search, io::Until until) {
  const io::Until ours = time_to_ask(until);
  Result<Credentials> found = co_await ask_sources(ours);
  const int64_t now_ns = io::Reactor::current()->clock().monotonic_ns();
  // Whatever a source says then (some say that they have none), it is no answer for others.
  const bool cut_short = (ours.token != nullptr && ours.token->cancelled()) ||
                         (ours.deadline_ns != 0 && now_ns + kTimerNs >= ours.deadline_ns);
  {
    std::lock_guard lock(known_mutex_);
    const bool for_all = found || !cut_short;
    if (found)
      known_ = *found;
    else if (known_ && known_->expires_s && !is_over(*known_))
      found = *known_;
    if (for_all) search->outcome = found;
    ask_again_ns_ = now_ns + kAskAgainNs;
    search_.reset();
  }
  search->ended.cancel();
  co_return found;
}

io::Task<Result<Credentials>> CredentialChain::get(io::Until until) {
  while (true) {
    std::shared_ptr<Search> search;
    bool ours = false;
    {
      std::lock_guard lock(known_mutex_);
      if (std::optional<Credentials> known = usable()) co_return *std::move(known);
      ours = !search_;
      if (ours) search_ = std::make_shared<Search>();
      search = search_;
    }
    if (ours) co_return co_await this->search(std::move(search), until);
    CO_TRY(co_await wait_for(search->ended, until));
    std::lock_guard lock(known_mutex_);
    if (search->outcome) co_return *search->outcome;
  }
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
