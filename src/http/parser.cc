#include "http/parser.h"

#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>

#include <algorithm>
#include <cctype>
#include <utility>
#include <variant>

#include "base/check.h"

namespace firn::http {

namespace beast = boost::beast::http;
using boost::system::error_code;

namespace {

// Line ends are CRLF and no line but the first begins with a blank: what else there is, proxies and servers read
// differently.
class LineCheck {
 public:
  bool accepts(std::span<const std::byte> bytes) {
    return std::ranges::all_of(bytes, [this](std::byte byte) { return accepts(static_cast<char>(byte)); });
  }

 private:
  bool accepts(char c) {
    const char before = std::exchange(before_, c);
    if ((c == '\n') != (before == '\r')) return false;
    return before != '\n' || (c != ' ' && c != '\t');
  }
  char before_ = 0;
};

}  // namespace

struct Parser::Impl {
  LineCheck lines;
  using RequestParser = beast::request_parser<beast::buffer_body>;
  using ResponseParser = beast::response_parser<beast::buffer_body>;
  std::variant<RequestParser, ResponseParser> parser;

  template <class F>
  decltype(auto) visit(F&& f) {
    return std::visit(std::forward<F>(f), parser);
  }

  explicit Impl(Kind kind) {
    if (kind == Kind::kResponse) parser.emplace<ResponseParser>();
    visit([](auto& p) {
      p.header_limit(kMaxHeadBytes);
      // Bodies are streamed; whoever reads one limits it. (boost::none means 0 to Beast 1.74 where a length is given.)
      p.body_limit(UINT64_MAX);
    });
  }
};

namespace {

Status status_of(const error_code& error) {
  if (error == beast::error::header_limit) return Status(Code::kArgumentTooBig, "the header is too large");
  return Status(Code::kInvalid, "not a valid HTTP message: " + error.message());
}

std::string lower(boost::string_view text) {
  std::string out(text.data(), text.size());
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

template <class P>
Headers headers_of(const P& parser) {
  Headers out;
  for (const auto& field : parser.get())
    out.emplace_back(lower(field.name_string()), std::string(field.value().data(), field.value().size()));
  return out;
}

std::string lower(std::string_view text) { return lower(boost::string_view(text.data(), text.size())); }

// One way to tell where the body ends, and one host: anything else smuggles a request past somebody (RFC 9112 6.3).
Status check_framing(const Headers& headers, bool knows_chunks) {
  const auto count = [&](std::string_view name) {
    return std::ranges::count(headers, name, [](const auto& field) { return std::string_view(field.first); });
  };
  const auto codings = count("transfer-encoding");
  if (count("content-length") + codings > 1)
    return Status(Code::kInvalid, "the length of the body is told more than once");
  const auto length = std::ranges::find(headers, "content-length", [](const auto& field) { return field.first; });
  if (length != headers.end() && length->second.find_first_not_of("0123456789") != std::string::npos)
    return Status(Code::kInvalid, "Content-Length is not one number");
  if (count("host") > 1) return Status(Code::kInvalid, "more than one Host");
  if (codings == 0) return {};
  if (!knows_chunks) return Status(Code::kInvalid, "Transfer-Encoding in HTTP/1.0");
  const auto coding = std::ranges::find(headers, "transfer-encoding", [](const auto& field) { return field.first; });
  if (lower(std::string_view(coding->second)) == "chunked") return {};
  return Status(Code::kNotSupported, "the only transfer coding here is chunked");
}

// What a proxy is asked, "http://host/path", is served too; the host in it counts then, not Host's (RFC 9112 3.2.2).
std::string_view origin_form(std::string_view target, Headers& headers) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (lower(target.substr(0, scheme.size())) != scheme) continue;
    const size_t begin = scheme.size();
    const size_t end = std::min(target.find_first_of("/?", begin), target.size());
    std::erase_if(headers, [](const auto& field) { return field.first == "host"; });
    headers.emplace_back("host", std::string(target.substr(begin, end - begin)));
    return end == target.size() ? "/" : target.substr(end);
  }
  return target;
}

}  // namespace

Parser::Parser(Kind kind) : impl_(std::make_unique<Impl>(kind)) {}
Parser::~Parser() = default;

Result<size_t> Parser::feed_head(std::span<const std::byte> input) {
  return impl_->visit([&](auto& parser) -> Result<size_t> {
    size_t taken = 0;
    while (!parser.is_header_done() && taken < input.size()) {
      error_code error;
      const size_t bytes = parser.put(boost::asio::const_buffer(input.data() + taken, input.size() - taken), error);
      if (!impl_->lines.accepts(input.subspan(taken, bytes)))
        return fail(Code::kInvalid, "a line of the head that does not end in CRLF, or is folded");
      taken += bytes;
      if (error == beast::error::need_more) break;
      if (error && error != beast::error::need_buffer) return fail(status_of(error));
    }
    return taken;
  });
}

bool Parser::head_done() const {
  return impl_->visit([](auto& parser) { return parser.is_header_done(); });
}

Result<BodyStep> Parser::feed_body(std::span<const std::byte> input, std::span<std::byte> output) {
  return impl_->visit([&](auto& parser) -> Result<BodyStep> {
    BodyStep step;
    auto& body = parser.get().body();
    while (!parser.is_done() && step.produced < output.size() && step.consumed < input.size()) {
      body.data = output.data() + step.produced;
      body.size = output.size() - step.produced;
      body.more = true;
      const size_t room = body.size;
      error_code error;
      const size_t taken =
          parser.put(boost::asio::const_buffer(input.data() + step.consumed, input.size() - step.consumed), error);
      step.consumed += taken;
      step.produced += room - body.size;
      if (error == beast::error::need_more) break;
      if (error && error != beast::error::need_buffer) return fail(status_of(error));
      if (taken == 0 && body.size == room) break;
    }
    body.data = nullptr;
    body.size = 0;
    return step;
  });
}

bool Parser::done() const {
  return impl_->visit([](auto& parser) { return parser.is_done(); });
}

bool Parser::finish_at_end_of_stream() {
  return impl_->visit([](auto& parser) {
    if (parser.is_done()) return true;
    if (!parser.is_header_done()) return false;
    error_code error;
    parser.put_eof(error);
    return !error;
  });
}

bool Parser::keep_alive() const {
  return knows_chunks() && impl_->visit([](auto& parser) { return parser.keep_alive(); });
}

bool Parser::knows_chunks() const {
  return impl_->visit([](auto& parser) { return parser.get().version() >= 11; });
}

int Parser::status() const {
  const auto* parser = std::get_if<Impl::ResponseParser>(&impl_->parser);
  return parser ? static_cast<int>(parser->get().result_int()) : 0;
}

Status Parser::request(Request& request) const {
  const auto* parser = std::get_if<Impl::RequestParser>(&impl_->parser);
  CHECK(parser && parser->is_header_done());
  if (parser->get().version() / 10 != 1) return Status(Code::kInvalid, "only HTTP/1.0 and HTTP/1.1 are spoken here");
  request.method = std::string(parser->get().method_string().data(), parser->get().method_string().size());
  request.headers = headers_of(*parser);
  if (Status framed = check_framing(request.headers, knows_chunks()); !framed.ok()) return framed;
  if (const auto length = parser->content_length(); length) request.content_length = *length;
  const auto target = parser->get().target();
  return parse_target(origin_form({target.data(), target.size()}, request.headers), request);
}

Headers Parser::headers() const {
  return impl_->visit([](auto& parser) { return headers_of(parser); });
}

}  // namespace firn::http
