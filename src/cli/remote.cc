#include "cli/remote.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>

#include "cli/found_server.h"
#include "cli/http_settings.h"
#include "io/unique_fd.h"

namespace firn::cli {
namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

std::string token_file() {
  const std::string folder = environment("XDG_CONFIG_HOME");
  if (!folder.empty()) return folder + "/firn/token";
  const std::string home = environment("HOME");
  return home.empty() ? "" : home + "/.config/firn/token";
}

Status check_token(const std::string& token, const std::string& where) {
  // It stands in a line of the head.
  const bool plain = std::ranges::all_of(token, [](char c) { return c > ' ' && c <= '~'; });
  return plain ? Status() : Status(Code::kInvalid, where + ": is no token; firn token create prints one");
}

Result<std::string> read_token_file(const std::string& file) {
  if (file.empty()) return "";
  io::UniqueFd fd(open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd && errno == ENOENT) return "";
  struct stat info{};
  if (!fd || fstat(fd.get(), &info) != 0) return fail(Status::from_errno(errno, file));
  if ((info.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    return fail(Code::kNotPermitted, file + ": others may read the token; chmod 600 it");
  char buffer[1024];
  const ssize_t bytes = read(fd.get(), buffer, sizeof buffer);
  if (bytes < 0) return fail(Status::from_errno(errno, file));
  std::string token(buffer, static_cast<size_t>(bytes));
  while (!token.empty() && std::isspace(static_cast<unsigned char>(token.back()))) token.pop_back();
  TRY(check_token(token, file));
  return token;
}

bool is_port(const std::string& text) {
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size() && port != 0;
}

}  // namespace

RemoteOptions& remote_options() {
  static RemoteOptions options;
  return options;
}

std::string Remote::authority() const {
  return (host.find(':') == std::string::npos ? host : "[" + host + "]") + ":" + port;
}

Result<Remote> parse_url(const std::string& url) {
  const auto wrong = [&](const char* what) {
    return fail(Code::kInvalid, fmt::format("{}: {}; a URL is such as https://host:{}", url, what, kHttpPort));
  };
  Remote remote{.port = std::to_string(kHttpPort)};
  std::string rest;
  if (url.starts_with("http://")) {
    rest = url.substr(7);
  } else if (url.starts_with("https://")) {
    rest = url.substr(8);
    remote.tls = true;
  } else {
    return wrong("neither http:// nor https://");
  }
  while (rest.ends_with('/')) rest.pop_back();
  if (rest.find_first_of("/?#@ \t\r\n") != std::string::npos) return wrong("only a host and a port may follow");
  std::string port;
  if (rest.starts_with('[')) {
    const size_t end = rest.find(']');
    if (end == std::string::npos) return wrong("a \"[\" without its \"]\"");
    remote.host = rest.substr(1, end - 1);
    port = rest.substr(end + 1);
  } else {
    const size_t colon = std::min(rest.find(':'), rest.size());
    remote.host = rest.substr(0, colon);
    port = rest.substr(colon);
  }
  if (remote.host.empty()) return wrong("no host");
  if (port.empty()) return remote;
  remote.port = port.substr(1);
  if (port[0] != ':' || !is_port(remote.port)) return wrong("the port is no number from 1 to 65535");
  return remote;
}

std::string chosen_ca_file() {
  const std::string& named = remote_options().ca_file;
  return named.empty() ? environment("FIRN_CA_FILE") : named;
}

Status add_token(Remote& remote) {
  remote.token = environment("FIRN_TOKEN");
  TRY(check_token(remote.token, "FIRN_TOKEN"));
  if (remote.token.empty()) remote.token = TRY(read_token_file(token_file()));
  return {};
}

bool remote_is_explicit() { return !remote_options().url.empty() || !remote_options().volume.empty(); }

Result<std::optional<Remote>> chosen_remote() {
  const RemoteOptions& options = remote_options();
  if (!options.volume.empty()) {
    if (options.url.empty()) return TRY(server_on_network(options.volume));
    return fail(Code::kInvalid, "--url and --volume both name a server; give one of them");
  }
  const std::string url = options.url.empty() ? environment("FIRN_URL") : options.url;
  if (url.empty()) return std::nullopt;
  Remote remote = TRY(parse_url(url));
  remote.ca_file = chosen_ca_file();
  TRY(add_token(remote));
  return remote;
}

}  // namespace firn::cli
