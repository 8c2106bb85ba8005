#include "object/s3/http_client.h"

#include <curl/curl.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

#include "base/check.h"
#include "object/s3/transfer.h"

namespace firn::object::s3 {

namespace {

constexpr int kLongestPollMs = 1000;
constexpr size_t kMaxIdleHandles = 256;

void initialise_curl() {
  static const CURLcode result = curl_global_init(CURL_GLOBAL_DEFAULT);
  CHECK(result == CURLE_OK);
}

}  // namespace

// Invariants: a transfer is in submitted_, or running (it has an easy handle), or has been handed back to its waiter.
// Only the thread hands back, so a transfer is alive for as long as the thread knows it.
class HttpClient::Driver {
 public:
  explicit Driver(HttpOptions options) : options_(std::move(options)), multi_((initialise_curl(), curl_multi_init())) {
    CHECK(multi_ != nullptr);
    curl_multi_setopt(multi_, CURLMOPT_MAX_HOST_CONNECTIONS, options_.max_connections);
    curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, options_.max_connections);
    thread_ = std::thread([this] { run(); });
  }

  ~Driver() {
    {
      std::lock_guard lock(submissions_mutex_);
      stopping_ = true;
    }
    curl_multi_wakeup(multi_);
    thread_.join();
    for (CURL* easy : idle_) curl_easy_cleanup(easy);
    curl_multi_cleanup(multi_);
  }

  const HttpOptions& options() const { return options_; }

  void submit(Transfer* transfer) {
    {
      std::lock_guard lock(submissions_mutex_);
      submitted_.push_back(transfer);
    }
    curl_multi_wakeup(multi_);
  }

  void cancel(Transfer* transfer) {
    transfer->cancelled.store(true);
    cancellations_.store(true);
    curl_multi_wakeup(multi_);
  }

 private:
  void run() {
    while (take_submissions()) {
      int running = 0;
      curl_multi_perform(multi_, &running);
      hand_back_finished();
      curl_multi_poll(multi_, nullptr, 0, kLongestPollMs, nullptr);
    }
    while (!running_.empty()) abort(running_.back());
  }

  // False when it is time to end.
  bool take_submissions() {
    std::vector<Transfer*> submitted;
    bool stopping = false;
    {
      std::lock_guard lock(submissions_mutex_);
      submitted.swap(submitted_);
      stopping = stopping_;
    }
    for (Transfer* transfer : submitted) start(transfer);
    if (cancellations_.exchange(false))
      for (Transfer* transfer : std::vector<Transfer*>(running_))
        if (transfer->cancelled.load()) abort(transfer);
    return !stopping;
  }

  void start(Transfer* transfer) {
    CURL* easy = nullptr;
    if (idle_.empty()) {
      easy = curl_easy_init();
      CHECK(easy != nullptr);
    } else {
      easy = idle_.back();
      idle_.pop_back();
    }
    transfer->prepare(easy, transfer->reactor->clock().monotonic_ns());
    running_.push_back(transfer);
    curl_multi_add_handle(multi_, easy);
    if (transfer->cancelled.load()) cancellations_.store(true);  // it may have been cancelled before it came here
  }

  void hand_back_finished() {
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      char* pointer = nullptr;
      curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &pointer);
      auto* transfer = reinterpret_cast<Transfer*>(pointer);
      transfer->finish(message->easy_handle, message->data.result);
      hand_back(transfer);
    }
  }

  void abort(Transfer* transfer) {
    transfer->finish(Status(Code::kInterrupted, "the request was cancelled"));
    hand_back(transfer);
  }

  void hand_back(Transfer* transfer) {
    CURL* easy = transfer->easy;
    curl_multi_remove_handle(multi_, easy);
    std::erase(running_, transfer);
    if (idle_.size() < kMaxIdleHandles)
      idle_.push_back(easy);
    else
      curl_easy_cleanup(easy);
    transfer->reactor->post(transfer->waiter);  // the transfer may be gone now
  }

  const HttpOptions options_;
  CURLM* const multi_;
  std::thread thread_;

  std::atomic<bool> cancellations_ = false;

  std::mutex submissions_mutex_;  // guards the next two
  std::vector<Transfer*> submitted_;
  bool stopping_ = false;

  // The thread's own.
  std::vector<Transfer*> running_;
  std::vector<CURL*> idle_;
};

HttpClient::HttpClient(HttpOptions options) : driver_(std::make_unique<Driver>(std::move(options))) {}
HttpClient::~HttpClient() = default;

io::Task<Result<HttpResponse>> HttpClient::send(HttpRequest request) {
  struct Awaiter {
    Driver& driver;
    Transfer& transfer;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> handle) {
      transfer.waiter = handle;
      transfer.reactor = io::Reactor::current();
      driver.submit(&transfer);
    }
    void await_resume() const noexcept {}
  };
  io::CancelToken* const token = request.until.token;
  Transfer transfer(std::move(request), driver_->options());
  const io::CancelToken::Scope scope(token, [driver = driver_.get(), &transfer] { driver->cancel(&transfer); });
  co_await Awaiter{*driver_, transfer};
  co_return transfer.take();
}

}  // namespace firn::object::s3
