// One HTTP exchange as libcurl sees it.
#pragma once

#include <curl/curl.h>

#include <atomic>
#include <coroutine>
#include <memory>
#include <string>

#include "object/s3/http_client.h"

namespace firn::object::s3 {

// Lives in the frame of the coroutine that waits for it. Between submission and its end it belongs to the driver's
// thread, which alone touches it then.
class Transfer {
 public:
  Transfer(HttpRequest request, const HttpOptions& options);
  Transfer(const Transfer&) = delete;

  // The driver's thread: makes `easy` do this exchange. `now_ns`: by the clock of its deadline.
  void prepare(CURL* easy, int64_t now_ns);
  // The driver's thread: it has ended so.
  void finish(CURL* easy, CURLcode code);
  void finish(Status status) { status_ = std::move(status); }

  // The driver's thread, now and then: whether not a byte has moved for too long.
  bool stalled(int64_t now_ns);
  Status stall() const;

  Result<HttpResponse> take();

  // For the driver.
  CURL* easy = nullptr;
  int socket = -1;                      // of its connection, while there is one
  std::atomic<bool> cancelled = false;  // set by anybody
  std::coroutine_handle<> waiter;
  io::Reactor* reactor = nullptr;

 private:
  static size_t on_header(char* data, size_t size, size_t count, void* self);
  static size_t on_body(char* data, size_t size, size_t count, void* self);
  static size_t on_read(char* buffer, size_t size, size_t count, void* self);
  static int on_seek(void* self, curl_off_t offset, int origin);
  void header_line(std::string_view line);
  Status failure(CURLcode code) const;

  const HttpRequest request_;
  const HttpOptions& options_;
  std::unique_ptr<curl_slist, void (*)(curl_slist*)> headers_;
  size_t piece_ = 0, piece_offset_ = 0;  // how far the body has been read
  // Bytes that libcurl has asked for or brought; of those, what the kernel had not sent when it was last asked.
  uint64_t passed_ = 0, moved_ = 0;
  int unsent_ = 0;
  int64_t moved_at_ns_ = -1;
  bool too_large_ = false;
  HttpResponse response_;
  Status status_;
};

}  // namespace firn::object::s3
