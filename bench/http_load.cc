// http_load: asks an HTTP server for one kind of thing from one thread, as fast as it answers, and throws away what
// comes; or does the same work as its PUTs on a folder. bench/run calls it for firn and for nginx alike.
//
//   http_load get PORT TARGET --connections N --requests N [--files N]
//   http_load put PORT TARGET --connections N --requests N --bytes N [--files N]
//   http_load files FOLDER --connections N --requests N --bytes N [--sync]
//
// TARGET is a path; with --files a number from 0 to N - 1 is put behind it, in turn. "files" makes, writes and renames
// a file for each request, from a thread for each connection; --sync makes it durable before it gets its name. Prints
// one line of JSON: requests, bytes of bodies, seconds.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace {

constexpr size_t kPieceBytes = 1 << 20;

struct Arguments {
  std::string work, where, target;
  size_t connections = 1, requests = 1, bytes = 0, files = 0;
  bool sync = false;
};

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "http_load: %s\n", what.c_str());
  std::exit(1);
}

[[noreturn]] void die_of_errno(const std::string& what) { die(what + ": " + std::strerror(errno)); }

// The same for all; random enough that nothing on the way gets away with less of it.
const std::string& content() {
  static const std::string text = [] {
    std::string made(kPieceBytes, '\0');
    uint64_t state = 88172645463325252;
    for (char& c : made) {
      state ^= state << 13, state ^= state >> 7, state ^= state << 17;
      c = static_cast<char>(state);
    }
    return made;
  }();
  return text;
}

// One request at a time; the next when the answer is there.
class Connection {
 public:
  Connection(const Arguments& arguments, size_t& left, size_t& number, uint64_t& moved)
      : arguments_(arguments), left_(left), number_(number), moved_(moved) {
    fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(std::atoi(arguments.where.c_str())));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) die_of_errno("connect");
    fcntl(fd_, F_SETFL, O_NONBLOCK);
  }

  int fd() const { return fd_; }
  bool wants_to_send() const { return !head_.empty() || body_left_ > 0; }

  // False: there is nothing left to ask for.
  bool begin() {
    if (left_ == 0) return false;
    --left_;
    const std::string path = arguments_.target + (arguments_.files ? std::to_string(number_++ % arguments_.files) : "");
    head_ = (arguments_.work == "put" ? "PUT " : "GET ") + path + " HTTP/1.1\r\nHost: localhost\r\n";
    if (arguments_.work == "put") {
      body_left_ = arguments_.bytes;
      head_ += "Content-Length: " + std::to_string(body_left_) + "\r\n";
    }
    head_ += "\r\n";
    if (body_left_ > 0 && body_left_ <= kPieceBytes) {  // in one piece
      head_ += content().substr(0, body_left_);
      moved_ += std::exchange(body_left_, 0);
    }
    send_more();
    return true;
  }

  void send_more() {
    while (wants_to_send()) {
      const std::string_view part = head_.empty() ? std::string_view(content()).substr(0, body_left_) : head_;
      const ssize_t sent = send(fd_, part.data(), part.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno == EAGAIN) return;
      if (sent < 0) die_of_errno("send");
      if (!head_.empty()) {
        head_.erase(0, static_cast<size_t>(sent));
      } else {
        body_left_ -= static_cast<size_t>(sent);
        moved_ += static_cast<size_t>(sent);
      }
    }
  }

  // False: the last answer has come and nothing is left to ask for.
  bool receive_more() {
    for (;;) {
      const bool discards = in_body_ && answer_left_ > sizeof buffer_;
      const ssize_t got =
          recv(fd_, discards ? nullptr : buffer_, discards ? answer_left_ : sizeof buffer_, discards ? MSG_TRUNC : 0);
      if (got < 0 && errno == EAGAIN) return true;
      if (got <= 0) die("the server ended a connection");
      take(static_cast<size_t>(got), discards);
      if (in_body_ && answer_left_ == 0) {
        in_body_ = false;
        if (!begin()) return false;
      }
    }
  }

 private:
  void take(size_t got, bool discards) {
    size_t of_body = got;
    if (!in_body_) {
      answer_.append(buffer_, got);
      const size_t end = answer_.find("\r\n\r\n");
      if (end == std::string::npos) return;
      of_body = answer_.size() - end - 4;
      read_head(std::string_view(answer_).substr(0, end + 2));
      answer_.clear();
    }
    if (of_body > answer_left_) die(discards ? "more came than was asked for" : "an answer is longer than it says");
    answer_left_ -= of_body;
    moved_ += of_body;
  }

  void read_head(std::string_view head) {
    if (!head.starts_with("HTTP/1.1 2")) die("unexpected answer: " + std::string(head.substr(0, head.find('\r'))));
    in_body_ = true;
    answer_left_ = 0;
    const size_t at = head.find("Content-Length: ");
    if (at == std::string_view::npos) return;
    const std::string_view number = head.substr(at + 16, head.find('\r', at) - at - 16);
    std::from_chars(number.data(), number.data() + number.size(), answer_left_);
  }

  const Arguments& arguments_;
  size_t& left_;
  size_t& number_;
  uint64_t& moved_;
  int fd_ = -1;
  std::string head_;      // to be sent, and what of the body goes with it
  size_t body_left_ = 0;  // to be sent after it
  std::string answer_;    // the head that is coming
  bool in_body_ = false;  // what comes is a body
  size_t answer_left_ = 0;
  char buffer_[64 << 10];
};

uint64_t ask(const Arguments& arguments) {
  size_t left = arguments.requests, number = 0;
  uint64_t moved = 0;
  const int poll = epoll_create1(EPOLL_CLOEXEC);
  std::vector<Connection*> connections;
  size_t open = 0;
  for (size_t i = 0; i < std::min(arguments.connections, arguments.requests); ++i) {
    auto* connection = new Connection(arguments, left, number, moved);  // until the process ends
    epoll_event event{.events = EPOLLIN | EPOLLOUT | EPOLLET, .data = {.ptr = connection}};
    if (epoll_ctl(poll, EPOLL_CTL_ADD, connection->fd(), &event) != 0) die_of_errno("epoll");
    if (connection->begin()) ++open;
  }
  epoll_event events[256];
  while (open > 0) {
    const int count = epoll_wait(poll, events, 256, 60'000);
    if (count == 0) die("no answer in a minute");
    for (int i = 0; i < count; ++i) {
      auto* connection = static_cast<Connection*>(events[i].data.ptr);
      if (events[i].events & EPOLLOUT) connection->send_more();
      if ((events[i].events & EPOLLIN) && !connection->receive_more()) --open;
    }
  }
  return moved;
}

void make_file(const Arguments& arguments, size_t number) {
  const std::string name = arguments.where + "/" + std::to_string(number), temporary = name + ".new";
  const int fd = open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (fd < 0) die_of_errno(temporary);
  for (size_t left = arguments.bytes; left > 0;) {
    const ssize_t written = write(fd, content().data(), std::min(left, kPieceBytes));
    if (written <= 0) die_of_errno("write " + temporary);
    left -= static_cast<size_t>(written);
  }
  if (arguments.sync && fsync(fd) != 0) die_of_errno("fsync " + temporary);
  if (close(fd) != 0) die_of_errno("close " + temporary);
  if (rename(temporary.c_str(), name.c_str()) != 0) die_of_errno("rename " + temporary);
}

uint64_t make_files(const Arguments& arguments) {
  std::atomic<size_t> next = 0;
  std::vector<std::thread> threads;
  for (size_t i = 0; i < arguments.connections; ++i)
    threads.emplace_back([&] {
      for (size_t number; (number = next++) < arguments.requests;) make_file(arguments, number);
    });
  for (std::thread& thread : threads) thread.join();
  return uint64_t{arguments.requests} * arguments.bytes;
}

Arguments parse(int argc, char** argv) {
  Arguments arguments;
  if (argc < 3) die("too few arguments; see the head of http_load.cc");
  arguments.work = argv[1];
  arguments.where = argv[2];
  int at = 3;
  if (arguments.work != "files" && argc > 3) arguments.target = argv[at++];
  for (; at < argc; ++at) {
    const std::string_view name = argv[at];
    if (name == "--sync") {
      arguments.sync = true;
      continue;
    }
    if (at + 1 == argc) die("no value for " + std::string(name));
    const size_t value = std::strtoull(argv[++at], nullptr, 10);
    if (name == "--connections")
      arguments.connections = value;
    else if (name == "--requests")
      arguments.requests = value;
    else if (name == "--bytes")
      arguments.bytes = value;
    else if (name == "--files")
      arguments.files = value;
    else
      die("unknown option " + std::string(name));
  }
  return arguments;
}

}  // namespace

int main(int argc, char** argv) {
  const Arguments arguments = parse(argc, argv);
  (void)content();
  const auto began = std::chrono::steady_clock::now();
  const uint64_t moved = arguments.work == "files" ? make_files(arguments) : ask(arguments);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  std::printf(R"({"requests": %zu, "bytes": %llu, "seconds": %.6f})"
              "\n",
              arguments.requests, static_cast<unsigned long long>(moved), took.count());
}
