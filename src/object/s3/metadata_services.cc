// Credentials over HTTP: the container's agent and the instance's metadata service.
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "object/s3/credentials.h"
#include "object/s3/iso_time.h"

namespace firn::object::s3 {

namespace {

constexpr int64_t kQuestionNs = 2'000'000'000;  // these services are next door; elsewhere nobody answers
constexpr uint64_t kMaxAnswerBytes = 64 << 10;
constexpr const char* kContainerHost = "http://169.254.170.2";
constexpr const char* kInstanceHost = "http://169.254.169.254";

Result<std::optional<Credentials>> parse_answer(const std::string& body, std::string source) {
  const auto json = nlohmann::json::parse(body, nullptr, /*allow_exceptions=*/false);
  const auto text = [&](const char* key) {
    return json.is_object() && json.contains(key) && json[key].is_string() ? json[key].get<std::string>() : "";
  };
  Credentials found{.access_key_id = text("AccessKeyId"),
                    .secret_access_key = text("SecretAccessKey"),
                    .session_token = text("Token"),
                    .expires_s = parse_iso_time(text("Expiration")),
                    .source = std::move(source)};
  if (found.access_key_id.empty() || found.secret_access_key.empty())
    return fail(Code::kUnavailable, "the " + found.source + " answers something else than credentials");
  return found;
}

io::Until soon(io::Until until) { return io::at_most(kQuestionNs, until); }

class ContainerSource final : public CredentialSource {
 public:
  ContainerSource(Environment environment, HttpClient& http) : environment_(std::move(environment)), http_(http) {}

  io::Task<Result<std::optional<Credentials>>> fetch(io::Until until) override {
    const std::string relative = environment_.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    const std::string url =
        relative.empty() ? environment_.get("AWS_CONTAINER_CREDENTIALS_FULL_URI") : kContainerHost + relative;
    if (url.empty()) co_return std::nullopt;
    HttpRequest request{.method = "GET", .url = url, .max_body_bytes = kMaxAnswerBytes, .until = soon(until)};
    if (const std::string token = this->token(); !token.empty()) request.headers.push_back("Authorization: " + token);
    const HttpResponse answer = CO_TRY(co_await http_.send(std::move(request)));
    if (answer.status != 200)
      co_return fail(Code::kUnavailable, "the container's credentials: HTTP status " + std::to_string(answer.status));
    co_return parse_answer(answer.body, "container's credentials");
  }

 private:
  std::string token() const {
    std::string token = environment_.get("AWS_CONTAINER_AUTHORIZATION_TOKEN");
    if (const std::string path = environment_.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"); !path.empty()) {
      std::ifstream file(path);
      std::getline(file, token);
    }
    return token;
  }

  const Environment environment_;
  HttpClient& http_;
};

class InstanceSource final : public CredentialSource {
 public:
  InstanceSource(Environment environment, HttpClient& http) : environment_(std::move(environment)), http_(http) {
    host_ = environment_.get("AWS_EC2_METADATA_SERVICE_ENDPOINT");
    if (host_.empty()) host_ = kInstanceHost;
    while (host_.ends_with('/')) host_.pop_back();
  }

  io::Task<Result<std::optional<Credentials>>> fetch(io::Until until) override {
    if (environment_.get("AWS_EC2_METADATA_DISABLED") == "true") co_return std::nullopt;
    Result<HttpResponse> token =
        co_await ask("PUT", "/latest/api/token", "X-aws-ec2-metadata-token-ttl-seconds: 21600", until);
    // Nobody there: this is no such instance.
    if (!token || token->status != 200) co_return std::nullopt;
    const std::string header = "X-aws-ec2-metadata-token: " + token->body;
    const std::string path = "/latest/meta-data/iam/security-credentials/";
    const HttpResponse role = CO_TRY(co_await ask("GET", path, header, until));
    if (role.status != 200 || role.body.empty()) co_return std::nullopt;
    const HttpResponse answer =
        CO_TRY(co_await ask("GET", path + role.body.substr(0, role.body.find('\n')), header, until));
    if (answer.status != 200)
      co_return fail(Code::kUnavailable, "the instance's credentials: HTTP status " + std::to_string(answer.status));
    co_return parse_answer(answer.body, "instance's credentials");
  }

 private:
  io::Task<Result<HttpResponse>> ask(std::string method, std::string path, std::string header, io::Until until) {
    co_return co_await http_.send({.method = std::move(method),
                                   .url = host_ + path,
                                   .headers = {std::move(header)},
                                   .max_body_bytes = kMaxAnswerBytes,
                                   .until = soon(until)});
  }

  const Environment environment_;
  HttpClient& http_;
  std::string host_;
};

}  // namespace

std::unique_ptr<CredentialSource> container_source(Environment environment, HttpClient& http) {
  return std::make_unique<ContainerSource>(std::move(environment), http);
}

std::unique_ptr<CredentialSource> instance_source(Environment environment, HttpClient& http) {
  return std::make_unique<InstanceSource>(std::move(environment), http);
}

}  // namespace firn::object::s3
