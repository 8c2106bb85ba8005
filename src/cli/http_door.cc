#include "cli/http_door.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/log.h"
#include "cli/token_file.h"
#include "io/uring/uring_socket.h"

namespace firn::cli {
namespace {

std::vector<uint32_t> own_groups() {
  std::vector<gid_t> groups(static_cast<size_t>(std::max(getgroups(0, nullptr), 0)));
  const int count = getgroups(static_cast<int>(groups.size()), groups.data());
  return {groups.begin(), groups.begin() + std::max(count, 0)};
}

http::Peer owner() {
  return {.uid = geteuid(), .gid = getegid(), .groups = own_groups(), .right = http::Right::kAdmin};
}

// A key that others can read is theirs as well.
Status check_key_file(const std::string& file) {
  struct stat info{};
  if (stat(file.c_str(), &info) != 0) return Status::from_errno(errno, file);
  if ((info.st_mode & (S_IROTH | S_IWOTH)) == 0) return {};
  return Status(Code::kInvalid, fmt::format("{}: others may read the key; chmod 600 it", file));
}

Status check_exposed(const HttpPlan& plan, const VolumePaths& paths, const io::TcpAddress& address) {
  if (address.loopback()) return {};
  if (!plan.tls && !plan.settings.allow_plaintext)
    return Status(Code::kNotPermitted,
                  fmt::format("{}: other machines reach this, and there is no TLS; set http.tls_certificate and "
                              "http.tls_key in {}, or http.allow_plaintext = true",
                              address.text(), paths.config()));
  if (plan.tokens.empty() && !plan.settings.allow_anonymous)
    return Status(Code::kNotPermitted,
                  fmt::format("{}: other machines reach this, and nobody has a token; make one with firn token create "
                              "{}, or set http.allow_anonymous = true in {}",
                              address.text(), paths.root, paths.config()));
  return {};
}

}  // namespace

Result<HttpPlan> plan_http(const VolumePaths& paths, const HttpSettings& settings) {
  HttpPlan plan{.settings = settings, .addresses = {}, .tls = nullptr, .tokens = TRY(load_tokens(paths))};
  for (const std::string& text : settings.listen) plan.addresses.push_back(TRY(io::parse_tcp_address(text, kHttpPort)));
  if (!plan.addresses.empty() && !settings.tls_key.empty()) {
    TRY(check_key_file(settings.tls_key));
    plan.tls = TRY(http::Tls::load({.certificate = settings.tls_certificate, .key = settings.tls_key}));
  }
  for (const io::TcpAddress& address : plan.addresses) TRY(check_exposed(plan, paths, address));
  return plan;
}

HttpDoor::HttpDoor(Options options, HttpPlan plan)
    : paths_(options.paths),
      reactors_(options.reactors),
      pool_(options.pool),
      plan_(std::move(plan)),
      access_log_(options.api.access_log),
      tokens_(std::move(plan_.tokens), [this](std::string text) { return keep_tokens(std::move(text)); }),
      api_(with_tokens(std::move(options.api))),
      access_(tokens_, [this](http::Exchange& exchange) { return api_.handle(exchange); }),
      tcp_counts_(std::make_shared<io::ConnectionCounts>(io::ConnectionCounts::Limits{
          .connections = static_cast<unsigned>(plan_.settings.connections),
          .per_address = static_cast<unsigned>(plan_.settings.connections_per_address)})) {}

http::ApiOptions HttpDoor::with_tokens(http::ApiOptions options) {
  options.tokens = [this](http::Exchange& exchange) { return tokens_.handle(exchange); };
  return options;
}

io::Task<Status> HttpDoor::keep_tokens(std::string text) {
  co_return co_await pool_.run([this, text = std::move(text)] { return save_tokens(paths_, text); });
}

http::Limits HttpDoor::limits() const {
  const HttpSettings& s = plan_.settings;
  return {.idle_timeout_ns = s.idle_timeout_ns,
          .head_timeout_ns = s.head_timeout_ns,
          .stall_timeout_ns = s.stall_timeout_ns,
          .min_bytes_per_s = s.min_bytes_per_s,
          .drain_timeout_ns = s.drain_timeout_ns,
          .max_body_bytes = s.max_body_bytes > 0 ? s.max_body_bytes : UINT64_MAX};
}

// Who is known without a token.
http::Peer HttpDoor::identify(int fd) const {
  const HttpSettings& settings = plan_.settings;
  const auto ours = io::local_address_of(fd), theirs = io::peer_address_of(fd);
  if (ours && theirs && ours->loopback() && theirs->loopback()) {
    uint32_t uid = 0;
    if (settings.loopback == "anyone") return owner();
    if (settings.loopback == "owner" && http::local_user_of(fd, uid)) {
      if (uid == geteuid()) return owner();
      if (uid == 0) return {.uid = 0, .gid = 0, .right = http::Right::kAdmin};
    }
  }
  http::Peer stranger{.uid = http::kNobody, .gid = http::kNobody, .right = http::Right::kNothing};
  if (settings.allow_anonymous) stranger.right = http::Right::kWrite;
  return stranger;
}

io::Task<Result<void>> HttpDoor::open_tcp(const io::TcpAddress& address) {
  std::unique_ptr<io::Listener> listener = CO_TRY(io::listen_tcp(address));
  bound_.push_back(io::local_address_of(listener->fd()).value_or(address));
  addresses_.push_back(fmt::format("{}://{}", plan_.tls ? "https" : "http", bound_.back().text()));
  log::info("http: serving {}", addresses_.back());
  http::Server::Options options{.handler = [this](http::Exchange& exchange) { return access_.from_tcp(exchange); },
                                .limits = limits(),
                                .identify = [this](int fd) { return identify(fd); },
                                .counts = tcp_counts_,
                                .reactors = reactors_.all(),
                                .access_log = access_log_};
  if (plan_.tls)
    options.secure = [this](std::unique_ptr<io::Socket> socket, io::Until until) {
      return plan_.tls->accept(std::move(socket), until);
    };
  servers_.push_back(std::make_unique<http::Server>(std::move(options)));
  servers_.back()->start(std::move(listener));
  co_return {};
}

io::Task<Result<void>> HttpDoor::open() {
  std::unique_ptr<io::Listener> local = CO_TRY(io::listen_unix(paths_.root + "/" + kSocketName, 0600));
  servers_.push_back(std::make_unique<http::Server>(http::Server::Options{
      .handler = [this](http::Exchange& exchange) { return access_.from_unix(exchange); },
      .limits = {},
      .counts = std::make_shared<io::ConnectionCounts>(
          io::ConnectionCounts::Limits{.connections = static_cast<unsigned>(plan_.settings.local_connections)}),
      .reactors = reactors_.all(),
      .access_log = access_log_}));
  servers_.back()->start(std::move(local));
  for (const io::TcpAddress& address : plan_.addresses) CO_TRY(co_await open_tcp(address));
  co_return {};
}

io::Task<void> HttpDoor::close() {
  for (const auto& server : servers_) co_await server->stop();
  servers_.clear();
}

}  // namespace firn::cli
