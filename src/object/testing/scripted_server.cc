#include "object/testing/scripted_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>

#include "base/check.h"

namespace firn::object::testing {

namespace {

// The request's length once its head is whole; 0: more is needed.
size_t request_bytes(const std::string& received) {
  const size_t end = received.find("\r\n\r\n");
  if (end == std::string::npos) return 0;
  size_t body = 0;
  if (const size_t at = received.find("Content-Length: "); at < end)
    body = std::strtoull(&received[at + 16], nullptr, 10);
  return end + 4 + body;
}

}  // namespace

Answer answer(int status, const std::string& body, const std::string& headers) {
  return {.bytes = "HTTP/1.1 " + std::to_string(status) +
                   " Something\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + headers + "\r\n" + body};
}

ScriptedServer::ScriptedServer(std::vector<Answer> answers) : answers_(answers.begin(), answers.end()) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t bytes = sizeof address;
  CHECK(::bind(listener_, reinterpret_cast<sockaddr*>(&address), bytes) == 0);
  CHECK(::listen(listener_, 64) == 0);
  CHECK(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &bytes) == 0);
  CHECK(::pipe(stop_) == 0);
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { accept_all(); });
}

ScriptedServer::~ScriptedServer() {
  CHECK(::write(stop_[1], "x", 1) == 1);
  acceptor_.join();
  {
    std::lock_guard lock(mutex_);
    for (const int connection : open_) ::shutdown(connection, SHUT_RDWR);
  }
  for (std::thread& server : servers_) server.join();
  for (const int fd : {listener_, stop_[0], stop_[1]}) ::close(fd);
}

std::vector<std::string> ScriptedServer::requests() const {
  std::lock_guard lock(mutex_);
  return requests_;
}

size_t ScriptedServer::connections() const {
  std::lock_guard lock(mutex_);
  return connections_;
}

void ScriptedServer::accept_all() {
  for (;;) {
    pollfd waits[2] = {{listener_, POLLIN, 0}, {stop_[0], POLLIN, 0}};
    ::poll(waits, 2, -1);
    if (waits[1].revents != 0) return;
    const int connection = ::accept(listener_, nullptr, nullptr);
    if (connection < 0) continue;
    {
      std::lock_guard lock(mutex_);
      open_.push_back(connection);
      ++connections_;
    }
    servers_.emplace_back([this, connection] { serve(connection); });
  }
}

Answer ScriptedServer::next(std::string request) {
  std::lock_guard lock(mutex_);
  requests_.push_back(std::move(request));
  if (answers_.empty()) return answer(500, "");
  Answer first = std::move(answers_.front());
  answers_.pop_front();
  return first;
}

void ScriptedServer::serve(int connection) {
  std::string received;
  char buffer[65536];
  bool hung = false;
  for (;;) {
    const ssize_t got = ::recv(connection, buffer, sizeof buffer, 0);
    if (got <= 0) break;
    if (hung) continue;
    received.append(buffer, static_cast<size_t>(got));
    const size_t bytes = request_bytes(received);
    if (bytes == 0 || received.size() < bytes) continue;
    const Answer due = next(received.substr(0, bytes));
    received.erase(0, bytes);
    if (::send(connection, due.bytes.data(), due.bytes.size(), MSG_NOSIGNAL) < 0) break;
    if (due.close) break;
    hung = due.hang;
  }
  std::lock_guard lock(mutex_);
  std::erase(open_, connection);
  ::close(connection);
}

}  // namespace firn::object::testing
