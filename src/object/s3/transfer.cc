#include "object/s3/transfer.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cstring>

namespace firn::object::s3 {

namespace {

constexpr long kBufferBytes = 512 << 10;
constexpr int64_t kNsPerMs = 1'000'000;
constexpr int64_t kNsPerS = 1'000'000'000;

std::string lower(std::string_view text) {
  std::string lowered(text);
  for (char& c : lowered)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return lowered;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.back() == '\r' || text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  return text;
}

template <class T>
void set(CURL* easy, CURLoption option, T value) {
  curl_easy_setopt(easy, option, value);  // fails only when out of memory, and then the transfer does
}

// For a body of that size. With a limit libcurl sends a buffer, then rests: short ones make an even flow.
long buffer_bytes(uint64_t bytes_per_s, uint64_t body_bytes) {
  constexpr uint64_t kLeast = 16 << 10;
  const uint64_t most = bytes_per_s == 0 ? kBufferBytes : bytes_per_s / 8;
  return static_cast<long>(std::clamp<uint64_t>(std::min(most, body_bytes), kLeast, kBufferBytes));
}

}  // namespace

std::string_view HttpResponse::header(std::string_view name) const {
  for (const auto& [key, value] : headers)
    if (key == name) return value;
  return "";
}

Transfer::Transfer(HttpRequest request, const HttpOptions& options)
    : request_(std::move(request)), options_(options), headers_(nullptr, curl_slist_free_all) {}

void Transfer::prepare(CURL* handle, int64_t now_ns) {
  easy = handle;
  curl_easy_reset(handle);
  for (const std::string& line : request_.headers) headers_.reset(curl_slist_append(headers_.release(), line.c_str()));
  // A body is sent at once: to wait for "100 Continue" costs a round trip each time, to save one rarely.
  headers_.reset(curl_slist_append(headers_.release(), "Expect:"));
  set(handle, CURLOPT_URL, request_.url.c_str());
  set(handle, CURLOPT_CUSTOMREQUEST, request_.method.c_str());
  set(handle, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
  set(handle, CURLOPT_NOSIGNAL, 1L);
  set(handle, CURLOPT_PATH_AS_IS, 1L);
  set(handle, CURLOPT_BUFFERSIZE, buffer_bytes(options_.get_bytes_per_s, request_.max_body_bytes));
  set(handle, CURLOPT_UPLOAD_BUFFERSIZE, buffer_bytes(options_.put_bytes_per_s, request_.body.bytes()));
  set(handle, CURLOPT_MAX_SEND_SPEED_LARGE, static_cast<curl_off_t>(options_.put_bytes_per_s));
  set(handle, CURLOPT_MAX_RECV_SPEED_LARGE, static_cast<curl_off_t>(options_.get_bytes_per_s));
  set(handle, CURLOPT_TCP_KEEPALIVE, 1L);
  set(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  set(handle, CURLOPT_PRIVATE, this);
  if (!options_.ca_file.empty()) set(handle, CURLOPT_CAINFO, options_.ca_file.c_str());
  set(handle, CURLOPT_HEADERFUNCTION, &Transfer::on_header);
  set(handle, CURLOPT_HEADERDATA, this);
  set(handle, CURLOPT_WRITEFUNCTION, &Transfer::on_body);
  set(handle, CURLOPT_WRITEDATA, this);
  if (request_.method == "PUT" || request_.method == "POST") {
    set(handle, CURLOPT_UPLOAD, 1L);
    set(handle, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(request_.body.bytes()));
    set(handle, CURLOPT_READFUNCTION, &Transfer::on_read);
    set(handle, CURLOPT_READDATA, this);
    set(handle, CURLOPT_SEEKFUNCTION, &Transfer::on_seek);
    set(handle, CURLOPT_SEEKDATA, this);
  } else if (request_.method == "HEAD") {
    set(handle, CURLOPT_NOBODY, 1L);
  }
  set(handle, CURLOPT_HTTPHEADER, headers_.get());
  set(handle, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options_.connect_timeout_ns / kNsPerMs));
  if (request_.until.deadline_ns != 0)
    set(handle, CURLOPT_TIMEOUT_MS,
        static_cast<long>(std::max<int64_t>(1, (request_.until.deadline_ns - now_ns) / kNsPerMs)));
}

void Transfer::finish(CURL* handle, CURLcode code) {
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &response_.status);
  if (code == CURLE_OK) return;
  if (too_large_) {
    status_ = Status(Code::kUnavailable, request_.url + ": the answer is longer than expected");
    return;
  }
  status_ = failure(code);
}

// libcurl's own look at this (LOW_SPEED_TIME) knows nothing of what waits in the socket, which on a slow line is
// minutes in which it is neither asked for more nor answered.
bool Transfer::stalled(int64_t now_ns) {
  int unsent = 0;
  if (socket < 0 || ioctl(socket, SIOCOUTQ, &unsent) != 0) unsent = 0;
  if (moved_at_ns_ < 0 || passed_ != moved_ || unsent != unsent_) moved_at_ns_ = now_ns;
  moved_ = passed_;
  unsent_ = unsent;
  return now_ns - moved_at_ns_ >= options_.stall_timeout_ns;
}

Status Transfer::stall() const {
  return Status(Code::kTimedOut, request_.url + ": nothing was sent or received for " +
                                     std::to_string(options_.stall_timeout_ns / kNsPerS) + " s");
}

Status Transfer::failure(CURLcode code) const {
  const std::string what = request_.url + ": " + curl_easy_strerror(code);
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
      return Status(Code::kTimedOut, what);
    case CURLE_PEER_FAILED_VERIFICATION:
      return Status(Code::kAccessDenied,
                    request_.url +
                        ": the server's certificate is not one that is trusted here: it is for another "
                        "name, has expired, or no known authority has signed it (AWS_CA_BUNDLE and "
                        "s3.ca_file name the file of a private one)");
    case CURLE_SSL_CACERT_BADFILE:
      return Status(Code::kAccessDenied, request_.url + ": the certificates of authorities cannot be read" +
                                             (options_.ca_file.empty() ? std::string() : " from " + options_.ca_file));
    default:
      return Status(Code::kUnavailable, what);
  }
}

Result<HttpResponse> Transfer::take() {
  if (!status_.ok()) return fail(std::move(status_));
  return std::move(response_);
}

void Transfer::header_line(std::string_view line) {
  if (line.starts_with("HTTP/")) {  // an interim answer's headers are not the final one's
    response_.headers.clear();
    return;
  }
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return;
  response_.headers.emplace_back(lower(line.substr(0, colon)), trim(line.substr(colon + 1)));
  if (response_.headers.back().first == "content-length") {
    const uint64_t bytes = std::strtoull(response_.headers.back().second.c_str(), nullptr, 10);
    response_.body.reserve(std::min(bytes, request_.max_body_bytes));
  }
}

size_t Transfer::on_header(char* data, size_t size, size_t count, void* self) {
  static_cast<Transfer*>(self)->passed_ += size * count;
  static_cast<Transfer*>(self)->header_line({data, size * count});
  return size * count;
}

size_t Transfer::on_body(char* data, size_t size, size_t count, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  if (transfer.response_.body.size() + size * count > transfer.request_.max_body_bytes) {
    transfer.too_large_ = true;
    return 0;
  }
  transfer.passed_ += size * count;
  transfer.response_.body.append(data, size * count);
  if (transfer.options_.on_arrival) transfer.options_.on_arrival(size * count);
  return size * count;
}

size_t Transfer::on_read(char* buffer, size_t size, size_t count, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  const auto& pieces = transfer.request_.body.pieces();
  size_t filled = 0;
  while (filled < size * count && transfer.piece_ < pieces.size()) {
    const std::string& piece = *pieces[transfer.piece_];
    const size_t part = std::min(size * count - filled, piece.size() - transfer.piece_offset_);
    std::memcpy(buffer + filled, piece.data() + transfer.piece_offset_, part);
    filled += part;
    transfer.piece_offset_ += part;
    if (transfer.piece_offset_ == piece.size()) {
      ++transfer.piece_;
      transfer.piece_offset_ = 0;
    }
  }
  transfer.passed_ += filled;
  return filled;
}

// libcurl sends a body again, from its start, when a kept connection turned out to be closed.
int Transfer::on_seek(void* self, curl_off_t offset, int origin) {
  if (origin != SEEK_SET || offset != 0) return CURL_SEEKFUNC_CANTSEEK;
  auto& transfer = *static_cast<Transfer*>(self);
  transfer.piece_ = transfer.piece_offset_ = 0;
  return CURL_SEEKFUNC_OK;
}

}  // namespace firn::object::s3
