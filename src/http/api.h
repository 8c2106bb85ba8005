// http::Api: the routes under /v1, thin over vfs::Volume. docs/operations.md lists them.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/metrics.h"
#include "http/exchange.h"
#include "http/long_work.h"
#include "http/path_walk.h"
#include "vfs/volume.h"

namespace firn::http {

struct ApiOptions {
  vfs::Volume& volume;
  metrics::Registry& metrics;
  uint32_t owner_uid = 0;  // who may use /v1/admin, besides root
  vfs::DoorId door = 2;
  // The daemon's own part of the answer to GET /v1/status: a JSON object.
  std::function<io::Task<std::string>()> status;
  // What the daemon adds to `metrics`, read when somebody looks.
  std::function<io::Task<metrics::Samples>()> samples;
  // POST /v1/admin/stop: begin to end the daemon; returns at once.
  std::function<void()> stop;
  // POST /v1/work/NAME: what the daemon can do besides flush, evict and warm. May be empty.
  std::function<std::optional<Work>(std::string_view name, const Request& request)> work;
};

class Api {
 public:
  explicit Api(ApiOptions options) : options_(std::move(options)) {}

  // A Handler. The Api must outlive every exchange.
  io::Task<Result<void>> handle(Exchange& exchange);

 private:
  io::Task<Result<void>> route(Exchange& exchange);

  // ---- api_names.cc ----
  io::Task<Result<void>> list(Exchange& exchange);
  io::Task<Result<void>> stat(Exchange& exchange);
  io::Task<Result<void>> make_directory(Exchange& exchange);
  io::Task<Result<void>> move(Exchange& exchange);
  io::Task<Result<void>> remove(Exchange& exchange, std::string path);

  // ---- api_files.cc ----
  io::Task<Result<void>> get_file(Exchange& exchange, std::string path);
  io::Task<Result<void>> send_file(Exchange& exchange, vfs::Handle* handle, uint64_t size);
  io::Task<Result<void>> put_file(Exchange& exchange, std::string path);
  io::Task<Result<void>> receive_body(Exchange& exchange, vfs::Handle* handle);
  io::Task<Result<bool>> publish(meta::Credentials who, InodeId inode, InodeId parent, std::string name);

  // ---- api_tiers.cc ----
  io::Task<Result<void>> list_tiers(Exchange& exchange);
  io::Task<Result<void>> list_pending(Exchange& exchange);
  io::Task<Result<void>> long_work(Exchange& exchange, std::string_view what);
  std::optional<Work> work_of(std::string_view what, std::string path);

  // ---- api_policy.cc ----
  io::Task<Result<void>> show_policy(Exchange& exchange);
  // For a whole tree. kInvalid: the request does not say what.
  Result<Work> policy_work(const Request& request, std::string path);

  // ---- api_admin.cc ----
  io::Task<Result<void>> status(Exchange& exchange);
  io::Task<Result<void>> show_metrics(Exchange& exchange);
  io::Task<Result<void>> admin(Exchange& exchange, std::string_view what);

  Asker credentials(const Exchange& exchange) const;

  ApiOptions options_;
};

// A required query parameter. kInvalid where it is missing.
Result<std::string> parameter(const Request& request, std::string_view name);
// An unsigned number in a query parameter, `fallback` where it is missing. kInvalid otherwise.
Result<uint64_t> number_parameter(const Request& request, std::string_view name, uint64_t fallback, int base = 10);

}  // namespace firn::http
