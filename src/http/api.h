// http::Api: the routes under /v1, thin over vfs::Volume. docs/http-api.md and openapi.json tell what each does.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>

#include "base/metrics.h"
#include "http/exchange.h"
#include "http/file_state.h"
#include "http/inode_locks.h"
#include "http/long_work.h"
#include "http/path_walk.h"
#include "http/server.h"
#include "vfs/volume.h"

namespace firn::http {

class Api;
class BodyWriter;
class EventStreams;
struct MetaChange;

// A method of a resource, who may use it, and what answers.
struct Route {
  std::string_view method;   // GET stands for HEAD, too
  std::string_view pattern;  // at its end "{path}" stands for the rest, slashes included, and "{id}" for one name
  Right right;               // what a token needs; kAdmin, kHost without one: root and the daemon's owner
  // `argument`: the path, from its first slash on, or the name that the placeholder stands for.
  io::Task<Result<void>> (Api::*answer)(Exchange& exchange, std::string argument);
};

struct ApiOptions {
  vfs::Volume& volume;
  metrics::Registry& metrics;
  uint32_t owner_uid = 0;  // who may use /v1/admin, besides root
  vfs::DoorId door = 2;
  // GET /v1/events. Null: no log of changes is kept.
  EventStreams* events = nullptr;
  // The daemon's own part of the answer to GET /v1/status: a JSON object.
  std::function<io::Task<std::string>()> status;
  // What the daemon adds to `metrics`, read when somebody looks.
  std::function<io::Task<metrics::Samples>()> samples;
  // POST /v1/admin/stop: begin to end the daemon; returns at once.
  std::function<void()> stop;
  // GET /v1/devices: the volumes on the network, a JSON object. May be empty.
  std::function<io::Task<std::string>()> devices;
  // POST /v1/admin/gc, scrub and migrate: what the daemon does besides the volume itself. May be empty.
  // Nothing: it does not do that. kInvalid: the request makes no sense.
  std::function<Result<std::optional<Work>>(std::string_view name, const Request& request)> work;
  // /v1/admin/tokens. May be empty.
  Handler tokens;
  // GET /v1/admin/accesslog. Null: there is none.
  vfs::AccessLog* access_log = nullptr;
};

class Api {
 public:
  explicit Api(ApiOptions options) : options_(std::move(options)) {}

  // Every route, in the order of docs/http-api.md.
  static std::span<const Route> routes();

  // A Handler. The Api must outlive every exchange.
  io::Task<Result<void>> handle(Exchange& exchange);

 private:
  io::Task<Result<void>> route(Exchange& exchange);

  // ---- api_files.cc ----
  io::Task<Result<void>> get_file(Exchange& exchange, std::string path);
  io::Task<Result<void>> send_file(Exchange& exchange, vfs::Handle* handle, FileState file);

  // ---- api_patch.cc ----
  struct Changed {
    bool refused = false;  // a condition does not hold
    uint64_t written = 0;
    FileState file = {};
  };
  io::Task<Result<void>> patch_file(Exchange& exchange, std::string path);
  io::Task<Result<Changed>> change_file(Exchange& exchange, vfs::Handle* handle);
  io::Task<Result<Changed>> change_file(Exchange& exchange, vfs::Handle* handle, BodyWriter& body);

  // ---- api_put.cc ----
  io::Task<Result<void>> put_file(Exchange& exchange, std::string path);
  io::Task<Result<void>> copy(Exchange& exchange, std::string);
  struct NewFile;
  enum class Published : uint8_t { kCreated, kReplaced, kRefused };  // refused: a condition does not hold
  io::Task<Result<void>> receive_body(Exchange& exchange, vfs::Handle* handle);
  io::Task<Result<void>> copy_content(Exchange& exchange, vfs::Handle* source, vfs::Handle* target);
  // Makes the file whole and durable under its name, or leaves no trace of it.
  io::Task<Result<void>> finish(Exchange& exchange, const NewFile& file, Result<void> filled);
  io::Task<Result<Published>> publish(Exchange& exchange, const NewFile& file);
  // `temporary`: the name that the file has meanwhile, where it has one and lacks its own.
  io::Task<Result<Published>> publish_by(Exchange& exchange, const NewFile& file, std::string* temporary);
  io::Task<Result<void>> replace(const NewFile& file, const vfs::Attr* expected, std::string* temporary);
  io::Task<Result<void>> remove(Exchange& exchange, std::string path);
  // False: a condition does not hold. kStale, kBusy: it did, but it may not any more.
  io::Task<Result<bool>> remove_once(Exchange& exchange, std::string path);

  // ---- api_list.cc ----
  io::Task<Result<void>> list(Exchange& exchange, std::string path);

  // ---- api_meta.cc ----
  io::Task<Result<void>> get_meta(Exchange& exchange, std::string path);
  io::Task<Result<void>> patch_meta(Exchange& exchange, std::string path);
  // The attributes that it has then; nullopt: a condition does not hold. kStale: the path has led elsewhere meanwhile.
  io::Task<Result<std::optional<std::string>>> change_meta(Exchange& exchange, const std::string& path, LastLink last,
                                                           const MetaChange& change);

  // ---- api_names.cc ----
  io::Task<Result<void>> make_directory(Exchange& exchange, std::string);
  io::Task<Result<void>> move(Exchange& exchange, std::string);
  struct Move;
  io::Task<Result<bool>> move_once(Exchange& exchange, const Move& move);  // as remove_once()
  io::Task<Result<void>> link(Exchange& exchange, std::string);
  io::Task<Result<void>> make_symlink(Exchange& exchange, std::string);

  // ---- api_tiers.cc ----
  io::Task<Result<void>> list_tiers(Exchange& exchange, std::string);
  io::Task<Result<void>> list_pending(Exchange& exchange, std::string);
  // What the last name of the request's path says.
  io::Task<Result<void>> long_work(Exchange& exchange, std::string);
  std::optional<Work> work_of(std::string_view what, std::string path);

  // ---- api_policy.cc ----
  io::Task<Result<void>> show_policy(Exchange& exchange, std::string);
  // For a whole tree. kInvalid: the request does not say what.
  Result<Work> policy_work(const Request& request, std::string path);

  // ---- api_events.cc ----
  io::Task<Result<void>> events(Exchange& exchange, std::string);

  // ---- api_admin.cc ----
  io::Task<Result<void>> status(Exchange& exchange, std::string);
  io::Task<Result<void>> list_devices(Exchange& exchange, std::string);
  io::Task<Result<void>> show_metrics(Exchange& exchange, std::string);
  io::Task<Result<void>> show_openapi(Exchange& exchange, std::string);
  io::Task<Result<void>> stop(Exchange& exchange, std::string);
  io::Task<Result<void>> sync(Exchange& exchange, std::string);
  io::Task<Result<void>> set_log_level(Exchange& exchange, std::string);
  io::Task<Result<void>> tokens(Exchange& exchange, std::string);
  io::Task<Result<void>> follow_access_log(Exchange& exchange, std::string);

  Asker credentials(const Exchange& exchange) const;

  ApiOptions options_;
  InodeLocks changing_;  // files that a request replaces, removes or writes
};

// The route of `method` for `path`. None: `allowed` are the methods that `path` has, and none at all where there
// is no such resource.
struct RouteMatch {
  const Route* route = nullptr;
  std::string argument;
  std::string allowed;  // of no route only; for a header, such as "GET, HEAD, PUT"
};
RouteMatch match_route(std::string_view method, std::string_view path);

// A required query parameter. kInvalid where it is missing.
Result<std::string> parameter(const Request& request, std::string_view name);
// The same, of a path: absolute. kInvalid otherwise.
Result<std::string> path_parameter(const Request& request, std::string_view name);
// An unsigned number in a query parameter, `fallback` where it is missing. kInvalid otherwise.
Result<uint64_t> number_parameter(const Request& request, std::string_view name, uint64_t fallback, int base = 10);
// "1" or "true", "0" or "false", or nothing at all, which is false. kInvalid otherwise.
Result<bool> flag_parameter(const Request& request, std::string_view name);
// Permission bits in octal, at most 7777. kInvalid otherwise.
Result<uint32_t> mode_parameter(const Request& request, uint32_t fallback);

}  // namespace firn::http
