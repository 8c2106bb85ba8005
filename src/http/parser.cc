#include "http/parser.h"

#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>

#include <algorithm>
#include <cctype>
#include <variant>

#include "base/check.h"

namespace firn::http {

namespace beast = boost::beast::http;
using boost::system::error_code;

struct Parser::Impl {
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

}  // namespace

Parser::Parser(Kind kind) : impl_(std::make_unique<Impl>(kind)) {}
Parser::~Parser() = default;

Result<size_t> Parser::feed_head(std::span<const std::byte> input) {
  return impl_->visit([&](auto& parser) -> Result<size_t> {
    size_t taken = 0;
    while (!parser.is_header_done() && taken < input.size()) {
      error_code error;
      const size_t bytes = parser.put(boost::asio::const_buffer(input.data() + taken, input.size() - taken), error);
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
  return impl_->visit([](auto& parser) { return parser.keep_alive(); });
}

int Parser::status() const {
  const auto* parser = std::get_if<Impl::ResponseParser>(&impl_->parser);
  return parser ? static_cast<int>(parser->get().result_int()) : 0;
}

Status Parser::request(Request& request) const {
  const auto* parser = std::get_if<Impl::RequestParser>(&impl_->parser);
  CHECK(parser && parser->is_header_done());
  if (parser->get().version() / 10 != 1)
    return Status(Code::kNotSupported, "only HTTP/1.0 and HTTP/1.1 are spoken here");
  request.method = std::string(parser->get().method_string().data(), parser->get().method_string().size());
  request.headers = headers_of(*parser);
  if (const auto length = parser->content_length(); length) request.content_length = *length;
  const auto target = parser->get().target();
  return parse_target({target.data(), target.size()}, request);
}

Headers Parser::headers() const {
  return impl_->visit([](auto& parser) { return headers_of(parser); });
}

}  // namespace firn::http
