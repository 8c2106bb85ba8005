#include "object/s3/s3_store.h"

#include <atomic>
#include <chrono>

#include "object/s3/answer.h"
#include "object/s3/endpoint.h"
#include "object/s3/signature.h"

namespace firn::object {

namespace {

using s3::HttpResponse;
using s3::Remedy;

constexpr uint64_t kDigestHereBytes = 128 << 10;  // a larger body is digested off the reactor
constexpr uint64_t kMaxErrorBytes = 64 << 10;
constexpr int kAttempts = 2;  // the second one after a remedy

// A request before it is signed.
struct Call {
  std::string method;
  std::string key;
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case; signed
  Content body;
  uint64_t max_body_bytes = kMaxErrorBytes;
};

// "bytes 0-9/443": the number after the slash.
std::optional<uint64_t> total_of(std::string_view content_range) {
  const size_t slash = content_range.find('/');
  if (slash == std::string_view::npos || content_range.substr(slash + 1).starts_with('*')) return std::nullopt;
  return std::strtoull(std::string(content_range.substr(slash + 1)).c_str(), nullptr, 10);
}

// "Wed, 21 Oct 2026 07:28:00 GMT" in seconds since 1970.
std::optional<int64_t> parse_http_date(const std::string& text) {
  struct tm time{};
  if (::strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &time) == nullptr) return std::nullopt;
  return ::timegm(&time);
}

class S3Store final : public ObjectStore {
 public:
  S3Store(S3Options options, const s3::Environment& environment, io::BlockingPool& pool)
      : options_(std::move(options)),
        pool_(pool),
        http_(options_.http),
        credentials_(s3::standard_chain(environment, http_, pool_)) {
    const std::string endpoint =
        options_.endpoint.empty() ? s3::amazon_endpoint("s3", options_.region) : options_.endpoint;
    const size_t host = endpoint.find("//") + 2;
    host_ = endpoint.substr(host);
    path_ = "/";
    if (options_.path_style)
      path_ += options_.bucket + "/";
    else
      host_ = options_.bucket + "." + host_;
    base_ = endpoint.substr(0, host) + host_;
    if (!options_.prefix.empty()) path_ += options_.prefix + "/";
  }

  io::Task<Result<void>> put(std::string key, Content content, PutOptions options, io::Until until) override {
    CO_TRY(check_key(key));
    if (content.bytes() > kMaxObjectBytes) co_return fail(Code::kInvalid, "the object is too large");
    Call call{.method = "PUT", .key = std::move(key), .body = std::move(content)};
    if (options.if_absent) call.headers.emplace_back("if-none-match", "*");
    CO_TRY(co_await perform(std::move(call), until));
    co_return Result<void>();
  }

  io::Task<Result<Fetched>> get(std::string key, uint64_t offset, uint64_t bytes, io::Until until) override {
    CO_TRY(check_key(key));
    const uint64_t wanted = std::max<uint64_t>(bytes, 1);  // there is no range of nothing
    Call call{.method = "GET", .key = std::move(key), .max_body_bytes = std::max(wanted, kMaxErrorBytes)};
    call.headers.emplace_back("range", "bytes=" + std::to_string(offset) + "-" + std::to_string(offset + wanted - 1));
    const std::string name = call.key;
    HttpResponse answer = CO_TRY(co_await perform(std::move(call), until));
    if (answer.status == 416) co_return Fetched{.object_bytes = CO_TRY(co_await size_of(name, answer, until))};
    // What a server that knows no ranges would send: the whole object.
    if (answer.status == 200 && offset == 0 && answer.body.size() <= wanted)
      co_return Fetched{.bytes = answer.body.substr(0, bytes), .object_bytes = answer.body.size()};
    const std::optional<uint64_t> total = total_of(answer.header("content-range"));
    if (!total || offset >= *total || answer.body.size() != std::min(wanted, *total - offset))
      co_return fail(Code::kUnavailable, "get " + name + ": the answer is not the range that was asked for");
    answer.body.resize(std::min<uint64_t>(answer.body.size(), bytes));
    co_return Fetched{.bytes = std::move(answer.body), .object_bytes = *total};
  }

  // A GET of one byte: it costs the same as a HEAD, whose refusals have no body to say whether it is the object or the
  // bucket that is missing.
  io::Task<Result<ObjectInfo>> head(std::string key, io::Until until) override {
    const Fetched fetched = CO_TRY(co_await get(std::move(key), 0, 1, until));
    co_return ObjectInfo{.bytes = fetched.object_bytes};
  }

  io::Task<Result<void>> remove(std::string key, io::Until until) override {
    CO_TRY(check_key(key));
    const Result<HttpResponse> answer = co_await perform({.method = "DELETE", .key = std::move(key)}, until);
    if (!answer && answer.error().code() != Code::kNotFound) co_return fail(answer.error());
    co_return Result<void>();
  }

  std::string describe() const override {
    std::string name = "s3://" + options_.bucket + (options_.prefix.empty() ? "" : "/" + options_.prefix);
    return options_.endpoint.empty() ? name : name + " at " + options_.endpoint;
  }

  io::Task<void> close() override { co_return; }

 private:
  // Any success, and 416 (a range past the end).
  io::Task<Result<HttpResponse>> perform(Call call, io::Until until) {
    const std::string what = call.method + " " + call.key + " (" + describe() + ")";
    std::string digest(s3::kUnsignedPayload);
    if (call.body.bytes() == 0 || options_.sign_payload) digest = co_await digest_of(call.body);
    for (int attempt = 1;; ++attempt) {
      const s3::Credentials credentials = CO_TRY(co_await credentials_->get(until));
      if (attempt > 1) note_further(call.method);
      HttpResponse answer = CO_TRY(co_await http_.send(signed_request(call, credentials, digest, until)));
      if ((answer.status >= 200 && answer.status < 300) || answer.status == 416) co_return answer;
      s3::Refusal refusal = s3::refusal(answer, what);
      if (refusal.remedy == Remedy::kNone || attempt == kAttempts) co_return fail(std::move(refusal.status));
      if (refusal.remedy == Remedy::kRenewCredentials) credentials_->refuse(credentials);
      if (refusal.remedy == Remedy::kCorrectClock) correct_clock(answer);
    }
  }

  // Of an object that has no such range: servers tell in the header, in the body, or only when asked again.
  io::Task<Result<uint64_t>> size_of(std::string key, HttpResponse answer, io::Until until) {
    if (const auto total = total_of(answer.header("content-range"))) co_return *total;
    std::string bytes = s3::xml_text(answer.body, "ActualObjectSize");
    if (bytes.empty()) {
      note_further("HEAD");
      const HttpResponse head = CO_TRY(co_await perform({.method = "HEAD", .key = key}, until));
      bytes = head.header("content-length");
    }
    if (bytes.empty())
      co_return fail(Code::kUnavailable, "get " + key + ": the answer does not tell the object's size");
    co_return std::strtoull(bytes.c_str(), nullptr, 10);
  }

  void note_further(std::string_view method) const {
    if (!options_.on_further_request) return;
    options_.on_further_request(method == "PUT"      ? Kind::kPut
                                : method == "DELETE" ? Kind::kRemove
                                : method == "HEAD"   ? Kind::kHead
                                                     : Kind::kGet);
  }

  io::Task<std::string> digest_of(Content body) {
    if (body.bytes() <= kDigestHereBytes) co_return s3::sha256_hex(body);
    co_return co_await pool_.run([body] { return s3::sha256_hex(body); });
  }

  s3::HttpRequest signed_request(const Call& call, const s3::Credentials& credentials, const std::string& digest,
                                 io::Until until) {
    const int64_t now_s = system_clock().now().seconds + clock_correction_s_.load(std::memory_order_relaxed);
    s3::SignedParts parts{
        .method = call.method, .path = path_ + call.key, .headers = call.headers, .payload_sha256 = digest};
    parts.headers.emplace_back("host", host_);
    parts.headers.emplace_back("x-amz-content-sha256", digest);
    parts.headers.emplace_back("x-amz-date", s3::amz_date(now_s));
    if (!credentials.session_token.empty())
      parts.headers.emplace_back("x-amz-security-token", credentials.session_token);
    s3::HttpRequest request{.method = call.method,
                            .url = base_ + parts.path,
                            .body = call.body,
                            .max_body_bytes = call.max_body_bytes,
                            .until = until};
    for (const auto& [name, value] : parts.headers) request.headers.push_back(name + ": " + value);
    request.headers.push_back("authorization: " + s3::authorization(parts, credentials, options_.region, now_s, key_));
    return request;
  }

  // The server's clock is the one that counts.
  void correct_clock(const HttpResponse& answer) {
    if (const auto theirs = parse_http_date(std::string(answer.header("date"))))
      clock_correction_s_.store(*theirs - system_clock().now().seconds, std::memory_order_relaxed);
  }

  const S3Options options_;
  io::BlockingPool& pool_;
  s3::HttpClient http_;
  std::unique_ptr<s3::CredentialChain> credentials_;
  s3::SigningKey key_;
  std::string base_, host_, path_;  // https://host, host[:port], /[bucket/][prefix/]
  std::atomic<int64_t> clock_correction_s_ = 0;
};

}  // namespace

std::unique_ptr<ObjectStore> open_s3_store(S3Options options, const s3::Environment& environment,
                                           io::BlockingPool& pool) {
  return std::make_unique<S3Store>(std::move(options), environment, pool);
}

}  // namespace firn::object
