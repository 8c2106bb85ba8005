// An HTTP server on loopback that answers with what a test has written down, byte for byte.
#pragma once

#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace firn::object::testing {

struct Answer {
  std::string bytes;
  bool close = false;  // the connection, after the bytes
  bool hang = false;   // after the bytes, until the server ends
};

// "HTTP/1.1 STATUS" with a length, and `headers` ("Name: value\r\n"...).
Answer answer(int status, const std::string& body, const std::string& headers = "");

// One request at a time on each connection, in order of arrival; out of answers, it answers 500.
class ScriptedServer {
 public:
  explicit ScriptedServer(std::vector<Answer> answers);
  ~ScriptedServer();
  ScriptedServer(const ScriptedServer&) = delete;

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  // The requests so far, bodies included.
  std::vector<std::string> requests() const;
  // How many were opened so far.
  size_t connections() const;

 private:
  void accept_all();
  void serve(int connection);
  Answer next(std::string request);

  mutable std::mutex mutex_;  // guards the next four
  std::deque<Answer> answers_;
  std::vector<std::string> requests_;
  std::vector<int> open_;
  size_t connections_ = 0;
  int listener_ = -1, port_ = 0, stop_[2] = {-1, -1};
  std::thread acceptor_;
  std::vector<std::thread> servers_;
};

}  // namespace firn::object::testing
