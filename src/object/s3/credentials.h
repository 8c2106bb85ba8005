// Credentials for S3, and the chain of places where they are looked for, in the order of the AWS tools: environment;
// role of the profile; role by a web identity's token; single sign-on; the credentials file's keys; credential_process;
// the config file's keys; container; instance. Source: "Configuration and credentials precedence", AWS Command Line
// Interface User Guide.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "io/blocking_pool.h"
#include "io/cancel.h"
#include "object/s3/http_client.h"

namespace firn::object::s3 {

struct Credentials {
  std::string access_key_id;
  std::string secret_access_key;
  std::string session_token;         // empty: long-lived keys
  std::optional<int64_t> expires_s;  // seconds since 1970
  std::string source;                // for messages: "environment", "profile default", …
};

// Where settings come from; tests give their own.
struct Environment {
  std::map<std::string, std::string> variables;
  // Keys that are set, but passed over since a profile was asked for by name: for who asks for them by name, too
  // (credential_source = Environment).
  std::map<std::string, std::string> overruled = {};

  static Environment of_process();
  // "" when it is not set.
  std::string get(const std::string& name) const;
  Environment with_overruled() const;
};

// One place. nullopt: it has none, the next one is asked. A failure: it has some, but they cannot be had.
class CredentialSource {
 public:
  virtual ~CredentialSource() = default;
  virtual io::Task<Result<std::optional<Credentials>>> fetch(io::Until until) = 0;
};

// AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN.
std::unique_ptr<CredentialSource> environment_source(Environment environment);
// The shared files' profile AWS_PROFILE or default. A role (role_arn) is asked for with the credentials of
// source_profile, which may be about a role in its turn, or of credential_source; else the credentials file's keys,
// what credential_process prints, or the config file's keys. Reads small local files on the reactor, and runs the
// program on `pool`.
std::unique_ptr<CredentialSource> profile_source(Environment environment, HttpClient& http, io::BlockingPool& pool);
// AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI, with AWS_CONTAINER_AUTHORIZATION_TOKEN or _TOKEN_FILE.
std::unique_ptr<CredentialSource> container_source(Environment environment, HttpClient& http);
// The instance's metadata service, version 2; AWS_EC2_METADATA_SERVICE_ENDPOINT, AWS_EC2_METADATA_DISABLED.
std::unique_ptr<CredentialSource> instance_source(Environment environment, HttpClient& http);

// Remembers what it found, and asks again 5 minutes before that expires, or once it was refused. While it has not
// expired, one caller at a time, and at most one in 30 s, asks for more, with half of the time that it has; all others
// are given what is known, and so is that one when asking fails.
//
// Callers that need what is not known share one search: it is that of the first of them, and ends with its `until`; who
// waits for it does so until their own, and then fails or, when only the first one's time was over, searches.
class CredentialChain {
 public:
  explicit CredentialChain(std::vector<std::unique_ptr<CredentialSource>> sources) : sources_(std::move(sources)) {}

  // kAccessDenied: there are none anywhere. kTimedOut, kInterrupted: `until`.
  io::Task<Result<Credentials>> get(io::Until until);
  // The store has refused these: the next get() looks for others.
  void refuse(const Credentials& refused);

 private:
  // Under way from when a caller begins it until `ended`.
  struct Search {
    io::CancelToken ended;
    std::optional<Result<Credentials>> outcome;  // under known_mutex_; none when the searcher's own time was over
  };

  // Those to use without asking; under known_mutex_. Needs a current reactor, as the others do.
  std::optional<Credentials> usable() const;
  io::Task<Result<Credentials>> search(std::shared_ptr<Search> search, io::Until until);
  io::Task<Result<Credentials>> ask_sources(io::Until until);
  io::Until time_to_ask(io::Until until) const;

  const std::vector<std::unique_ptr<CredentialSource>> sources_;
  mutable std::mutex known_mutex_;  // guards the next three
  std::optional<Credentials> known_;
  int64_t ask_again_ns_ = 0;        // of the reactor's clock: not before, while known_ has not expired
  std::shared_ptr<Search> search_;  // null: none is under way
};

// The whole chain. `http` and `pool` must outlive it.
std::unique_ptr<CredentialChain> standard_chain(const Environment& environment, HttpClient& http,
                                                io::BlockingPool& pool);

}  // namespace firn::object::s3
