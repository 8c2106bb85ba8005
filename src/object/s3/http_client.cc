#include "object/s3/http_client.h"

#include <curl/curl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <climits>
#include <mutex>
#include <thread>

#include "base/check.h"
#include "base/time.h"
#include "io/unique_fd.h"
#include "object/s3/transfer.h"

namespace firn::object::s3 {

namespace {

constexpr int64_t kNsPerMs = 1'000'000;
constexpr size_t kMaxIdleHandles = 256;
constexpr int kLookMs = 500;  // how often it is seen whether transfers move

void initialise_curl() {
  static const CURLcode result = curl_global_init(CURL_GLOBAL_DEFAULT);
  CHECK(result == CURLE_OK);
}

}  // namespace

// Invariants: a transfer is in submitted_, or running (it has an easy handle), or has been handed back to its waiter.
// Only the thread hands back, so a transfer is alive for as long as the thread knows it.
//
// libcurl says which sockets it waits for, and until when (its "socket" interface): what one answer takes does not grow
// with how many requests are under way.
class HttpClient::Driver {
 public:
  explicit Driver(HttpOptions options) : options_(std::move(options)), multi_((initialise_curl(), curl_multi_init())) {
    CHECK(multi_ != nullptr && epoll_ && wake_);
    watch(wake_.get(), EPOLLIN);
    curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &Driver::on_socket);
    curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
    curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &Driver::on_timer);
    curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
    curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, options_.kept_connections);
    thread_ = std::thread([this] { run(); });
  }

  ~Driver() {
    {
      std::lock_guard lock(submissions_mutex_);
      stopping_ = true;
    }
    wake();
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
    wake();
  }

  void cancel(Transfer* transfer) {
    transfer->cancelled.store(true);
    cancellations_.store(true);
    wake();
  }

 private:
  void run() {
    std::array<epoll_event, 64> events{};
    while (take_submissions()) {
      const int ready = epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), rest_ms());
      for (int i = 0; i < ready; ++i) act(events[static_cast<size_t>(i)]);
      if (wait_ms() == 0) {
        timer_ns_ = kNever;
        act(CURL_SOCKET_TIMEOUT, 0);
        if (timer_ns_ == kNever) ask_for_timer();
      }
      hand_back_finished();
      end_stalled();
    }
    while (!running_.empty()) abort(running_.back());
  }

  void act(const epoll_event& event) {
    if (event.data.fd == wake_.get()) {
      eventfd_t count = 0;
      (void)eventfd_read(wake_.get(), &count);
      return;
    }
    int what = 0;
    if ((event.events & EPOLLIN) != 0) what |= CURL_CSELECT_IN;
    if ((event.events & EPOLLOUT) != 0) what |= CURL_CSELECT_OUT;
    if ((event.events & (EPOLLERR | EPOLLHUP)) != 0) what |= CURL_CSELECT_ERR;
    act(event.data.fd, what);
  }
  void act(curl_socket_t socket, int what) {
    int running = 0;
    CHECK(curl_multi_socket_action(multi_, socket, what, &running) == CURLM_OK);
  }

  // libcurl says nothing where it still waits for the moment that it named last.
  void ask_for_timer() {
    long timeout_ms = -1;
    curl_multi_timeout(multi_, &timeout_ms);
    (void)on_timer(multi_, timeout_ms, this);
  }

  void wake() { (void)eventfd_write(wake_.get(), 1); }
  // Until libcurl has something to do although nothing came; -1: never.
  int wait_ms() const {
    if (timer_ns_ == kNever) return -1;
    const int64_t left_ns = timer_ns_ - system_clock().monotonic_ns();
    return static_cast<int>(std::clamp<int64_t>((left_ns + kNsPerMs - 1) / kNsPerMs, 0, INT_MAX));
  }

  // The same, or until transfers are to be looked at.
  int rest_ms() const {
    if (running_.empty()) return wait_ms();
    return wait_ms() < 0 ? kLookMs : std::min(wait_ms(), kLookMs);
  }

  void watch(int fd, uint32_t events) {
    epoll_event event{.events = events, .data = {.fd = fd}};
    if (epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) == 0) return;
    CHECK(epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0);
  }

  // libcurl's. These must not call it.
  static int on_socket(CURL* easy, curl_socket_t socket, int what, void* self, void* /*of_socket*/) {
    auto& driver = *static_cast<Driver*>(self);
    for (Transfer* transfer : driver.running_) {
      if (transfer->easy != easy) continue;
      // While several addresses are tried it has several: the one that is given up need not be the one in use.
      if (what != CURL_POLL_REMOVE)
        transfer->socket = socket;
      else if (transfer->socket == socket)
        transfer->socket = -1;
    }
    if (what == CURL_POLL_REMOVE) {
      (void)epoll_ctl(driver.epoll_.get(), EPOLL_CTL_DEL, socket, nullptr);  // it may have been closed
      return 0;
    }
    uint32_t events = 0;
    if ((what & CURL_POLL_IN) != 0) events |= EPOLLIN;
    if ((what & CURL_POLL_OUT) != 0) events |= EPOLLOUT;
    driver.watch(socket, events);
    return 0;
  }
  static int on_timer(CURLM* /*multi*/, long timeout_ms, void* self) {
    auto& driver = *static_cast<Driver*>(self);
    driver.timer_ns_ = timeout_ms < 0 ? kNever : system_clock().monotonic_ns() + timeout_ms * kNsPerMs;
    return 0;
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

  void abort(Transfer* transfer) { end(transfer, Status(Code::kInterrupted, "the request was cancelled")); }
  void end(Transfer* transfer, Status status) {
    transfer->finish(std::move(status));
    hand_back(transfer);
  }

  void end_stalled() {
    const int64_t now_ns = system_clock().monotonic_ns();
    if (now_ns - looked_ns_ < kLookMs * kNsPerMs) return;
    looked_ns_ = now_ns;
    for (Transfer* transfer : std::vector<Transfer*>(running_))
      if (transfer->stalled(now_ns)) end(transfer, transfer->stall());
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

  static constexpr int64_t kNever = -1;

  const HttpOptions options_;
  const io::UniqueFd epoll_{epoll_create1(EPOLL_CLOEXEC)};
  const io::UniqueFd wake_{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  CURLM* const multi_;
  std::thread thread_;

  std::atomic<bool> cancellations_ = false;

  std::mutex submissions_mutex_;  // guards the next two
  std::vector<Transfer*> submitted_;
  bool stopping_ = false;

  // The thread's own.
  int64_t timer_ns_ = kNever;
  int64_t looked_ns_ = 0;  // whether transfers move
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
