#include "http/message.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace firn::http {
namespace {

struct Row {
  int status;
  std::string_view reason;
};
constexpr Row kReasons[] = {{100, "Continue"},
                            {200, "OK"},
                            {201, "Created"},
                            {204, "No Content"},
                            {206, "Partial Content"},
                            {304, "Not Modified"},
                            {400, "Bad Request"},
                            {401, "Unauthorized"},
                            {403, "Forbidden"},
                            {404, "Not Found"},
                            {405, "Method Not Allowed"},
                            {408, "Request Timeout"},
                            {409, "Conflict"},
                            {410, "Gone"},
                            {411, "Length Required"},
                            {412, "Precondition Failed"},
                            {413, "Content Too Large"},
                            {416, "Range Not Satisfiable"},
                            {417, "Expectation Failed"},
                            {431, "Request Header Fields Too Large"},
                            {500, "Internal Server Error"},
                            {501, "Not Implemented"},
                            {503, "Service Unavailable"},
                            {504, "Gateway Timeout"},
                            {507, "Insufficient Storage"}};

std::optional<std::string_view> find(const Headers& headers, std::string_view name) {
  for (const auto& [key, value] : headers)
    if (key == name) return value;
  return std::nullopt;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

Result<std::string> decode(std::string_view text, bool plus_is_blank) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
      if (high < 0 || low < 0) return fail(Code::kInvalid, "a percent sign without two hexadecimal digits");
      c = static_cast<char>(high * 16 + low);
      i += 2;
    } else if (c == '+' && plus_is_blank) {
      c = ' ';
    }
    if (c == '\0') return fail(Code::kInvalid, "a NUL byte in the request target");
    out += c;
  }
  return out;
}

std::string encode(std::string_view text, bool keep_slash) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const bool unreserved = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                            c == '.' || c == '_' || c == '~' || (keep_slash && c == '/');
    if (unreserved) {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += '%';
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  return out;
}

Response make_problem(int http_status, std::string_view title, std::string_view detail, int error) {
  nlohmann::json body = {{"type", "about:blank"}, {"title", title}, {"status", http_status}, {"detail", detail}};
  if (error != 0) body["errno"] = error;
  // Details may quote file names, which are any bytes.
  return {
      http_status, "application/problem+json", body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace), {}};
}

}  // namespace

std::optional<std::string_view> Request::header(std::string_view lower_name) const { return find(headers, lower_name); }
std::optional<std::string_view> Request::parameter(std::string_view name) const { return find(query, name); }

std::string_view reason_of(int status) {
  for (const Row& row : kReasons)
    if (row.status == status) return row.reason;
  return "Unknown";
}

Status parse_target(std::string_view target, Request& request) {
  if (!target.starts_with('/')) return Status(Code::kInvalid, "the request target is not an absolute path");
  const size_t mark = std::min(target.find('?'), target.size());
  request.path = TRY(decode(target.substr(0, mark), false));
  std::string_view query = target.substr(std::min(mark + 1, target.size()));
  while (!query.empty()) {
    const size_t end = std::min(query.find('&'), query.size());
    const std::string_view part = query.substr(0, end);
    const size_t equals = std::min(part.find('='), part.size());
    std::string name = TRY(decode(part.substr(0, equals), true));
    std::string value = TRY(decode(part.substr(std::min(equals + 1, part.size())), true));
    request.query.emplace_back(std::move(name), std::move(value));
    query.remove_prefix(std::min(end + 1, query.size()));
  }
  return {};
}

std::string encode_path(std::string_view path) { return encode(path, true); }
std::string encode_parameter(std::string_view value) { return encode(value, false); }

int http_status_of(Code code) {
  switch (code) {
    case Code::kOk:
      return 200;
    case Code::kNotFound:
    case Code::kNoAttribute:
    case Code::kStale:
      return 404;
    case Code::kNotPermitted:
    case Code::kAccessDenied:
    case Code::kReadOnly:
      return 403;
    case Code::kExists:
    case Code::kNotDirectory:
    case Code::kIsDirectory:
    case Code::kNotEmpty:
    case Code::kBusy:
    case Code::kTextBusy:
    case Code::kConflict:
    case Code::kLoop:
    case Code::kTooManyLinks:
      return 409;
    case Code::kInvalid:
    case Code::kNameTooLong:
    case Code::kRange:
    case Code::kOverflow:
    case Code::kArgumentTooBig:
    case Code::kCrossDevice:
    case Code::kNotTerminal:
    case Code::kNoDevice:
      return 400;
    case Code::kFileTooBig:
      return 413;
    case Code::kNoSpace:
    case Code::kQuotaExceeded:
      return 507;
    case Code::kNotSupported:
    case Code::kNotImplemented:
      return 501;
    case Code::kTimedOut:
      return 504;
    case Code::kUnavailable:
    case Code::kInterrupted:
    case Code::kWouldBlock:
    case Code::kTooManyOpen:
    case Code::kNoMemory:
      return 503;
    default:
      return 500;
  }
}

Response problem(const Status& status) {
  Response response = make_problem(http_status_of(status.code()), code_name(status.code()), status.to_string(),
                                   errno_of(status.code()));
  if (status == Code::kTooManyOpen) response.headers.emplace_back("Retry-After", "1");
  return response;
}

Response problem(int http_status, std::string_view detail) {
  return make_problem(http_status, reason_of(http_status), detail, 0);
}

}  // namespace firn::http
