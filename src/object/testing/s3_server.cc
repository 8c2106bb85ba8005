#include "object/testing/s3_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <thread>
#include <vector>

#include "base/check.h"

namespace firn::object::testing {

namespace {

constexpr const char* kAccessKey = "firn-test-key";
constexpr const char* kSecretKey = "firn-test-secret";
constexpr int kStartAttempts = 1000;  // of 10 ms
constexpr int kPortAttempts = 10;

// Where scripts/s3-server puts it.
std::string program() {
  if (const char* given = std::getenv("FIRN_S3_SERVER")) return given;
  const char* cache = std::getenv("XDG_CACHE_HOME");
  const char* home = std::getenv("HOME");
  return (cache ? std::string(cache) : std::string(home ? home : "") + "/.cache") + "/firn-tools/bin/versitygw";
}

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

int free_port() {
  const int probe = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t bytes = sizeof address;
  CHECK(::bind(probe, reinterpret_cast<sockaddr*>(&address), bytes) == 0);
  CHECK(::getsockname(probe, reinterpret_cast<sockaddr*>(&address), &bytes) == 0);
  ::close(probe);
  return ntohs(address.sin_port);
}

bool answers(int port) {
  const int probe = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(port);
  const bool connected = ::connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(probe);
  return connected;
}

std::string make_folder(const char* pattern) {
  std::string path = (std::filesystem::temp_directory_path() / pattern).string();
  CHECK(::mkdtemp(path.data()) != nullptr);
  return path;
}

}  // namespace

S3Server::S3Server(Transport transport) : folder_(make_folder("firn-s3-XXXXXX")) {
  if (transport == Transport::kTls) {
    // Apart from the server's folder, where every folder is a bucket.
    certificates_folder_ = make_folder("firn-tls-XXXXXX");
    certificates_ = make_certificates(certificates_folder_);
  }
  std::filesystem::create_directories(folder_ + "/" + kBucket);
  bool started = false;
  for (int attempt = 0; attempt < kPortAttempts && !started; ++attempt) {
    port_ = free_port();
    started = try_start();
  }
  CHECK(started);
}

S3Server::~S3Server() {
  stop();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
  if (certificates_) std::filesystem::remove_all(certificates_folder_, ignored);
}

void S3Server::start() { CHECK(try_start()); }

bool S3Server::try_start() {
  const std::string path = program();
  if (!std::filesystem::exists(path)) {
    std::fprintf(stderr, "the S3 server %s is missing: run scripts/s3-server\n", path.c_str());
    std::abort();
  }
  const std::string port = "127.0.0.1:" + std::to_string(port_);
  // Connections stay open, as S3's do.
  std::vector<const char*> arguments = {"versitygw", "--quiet",  "--keep-alive", "--access",  kAccessKey,
                                        "--secret",  kSecretKey, "--port",       port.c_str()};
  if (certificates_)
    arguments.insert(arguments.end(),
                     {"--cert", certificates_->certificate.c_str(), "--key", certificates_->key.c_str()});
  arguments.insert(arguments.end(), {"posix", folder_.c_str(), nullptr});
  const pid_t parent = ::getpid();
  process_ = ::fork();
  CHECK(process_ >= 0);
  if (process_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
    const int nowhere = ::open("/dev/null", O_RDWR);
    ::dup2(nowhere, 0);
    ::dup2(nowhere, 1);
    if (std::getenv("FIRN_S3_SERVER_LOG") == nullptr) ::dup2(nowhere, 2);
    ::execv(path.c_str(), const_cast<char* const*>(arguments.data()));
    ::_exit(127);
  }
  for (int attempt = 0; attempt < kStartAttempts; ++attempt) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    const bool answered = answers(port_);
    if (::waitpid(process_, nullptr, WNOHANG) != 0) {
      process_ = -1;
      return false;
    }
    if (answered) return true;
  }
  return false;
}

void S3Server::stop() {
  if (process_ < 0) return;
  ::kill(process_, SIGKILL);
  ::waitpid(process_, nullptr, 0);
  process_ = -1;
}

std::string S3Server::url() const {
  return (certificates_ ? "https://127.0.0.1:" : "http://127.0.0.1:") + std::to_string(port_);
}

s3::Environment S3Server::environment() const {
  return {.variables = {{"AWS_ACCESS_KEY_ID", kAccessKey},
                        {"AWS_SECRET_ACCESS_KEY", kSecretKey},
                        {"AWS_ENDPOINT_URL", url()},
                        {"AWS_CA_BUNDLE", certificates_ ? certificates_->authority : ""},
                        {"AWS_EC2_METADATA_DISABLED", "true"}}};
}

S3Options S3Server::options(const std::string& prefix) const {
  return s3_options("s3://" + std::string(kBucket) + "/" + prefix, environment()).value();
}

}  // namespace firn::object::testing
