// The HTTP doors of a running volume: its Unix socket always, TCP where firn.toml or --http says so.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cli/http_settings.h"
#include "cli/volume_folder.h"
#include "http/access.h"
#include "http/api.h"
#include "http/tls.h"
#include "io/tcp_address.h"
#include "io/uring/reactor_pool.h"

namespace firn::cli {

// What is to be served over TCP, checked, before the volume is opened.
struct HttpPlan {
  HttpSettings settings;
  std::vector<io::TcpAddress> addresses;
  std::unique_ptr<http::Tls> tls;  // null: none
  std::vector<http::Token> tokens;
};

// Refuses to serve other machines without TLS or without any token, unless the settings allow that in words.
Result<HttpPlan> plan_http(const VolumePaths& paths, const HttpSettings& settings);

class HttpDoor {
 public:
  struct Options {
    const VolumePaths& paths;
    io::ReactorPool& reactors;
    io::BlockingPool& pool;
    http::ApiOptions api;  // its access log tells of the requests, too
  };
  HttpDoor(Options options, HttpPlan plan);

  // Both on the first reactor; connections are on all.
  io::Task<Result<void>> open();
  io::Task<void> close();
  // "http://127.0.0.1:7734", as they were bound.
  const std::vector<std::string>& addresses() const { return addresses_; }
  const std::vector<io::TcpAddress>& bound() const { return bound_; }
  bool secure() const { return plan_.tls != nullptr; }

 private:
  io::Task<Result<void>> open_tcp(const io::TcpAddress& address);
  http::Peer identify(int fd) const;
  http::Limits limits() const;
  io::Task<Status> keep_tokens(std::string text);
  http::ApiOptions with_tokens(http::ApiOptions options);

  const VolumePaths paths_;
  io::ReactorPool& reactors_;
  io::BlockingPool& pool_;
  HttpPlan plan_;
  vfs::AccessLog* const access_log_;
  http::TokenSet tokens_;
  http::Api api_;
  http::Access access_;
  std::shared_ptr<io::ConnectionCounts> tcp_counts_;
  std::vector<std::unique_ptr<http::Server>> servers_;
  std::vector<io::TcpAddress> bound_;
  std::vector<std::string> addresses_;
};

}  // namespace firn::cli
