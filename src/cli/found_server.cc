#include "cli/found_server.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "cli/connection.h"
#include "cli/http_settings.h"
#include "discovery/browser.h"

namespace firn::cli {
namespace {

Result<Remote> remote_of(const discovery::Peer& peer) {
  Remote remote{.tls = peer.service.tls,
                .host = peer.host,
                .port = std::to_string(peer.port),
                .token = "",
                .ca_file = chosen_ca_file(),
                .address = peer.address,
                .trust = Trust::kFound};
  if (remote.tls && !remote.ca_file.empty()) {
    remote.trust = Trust::kNamed;
    TRY(add_token(remote));
  }
  return remote;
}

bool is_whole_id(const std::string& text) {
  return text.size() == discovery::kIdDigits && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

Result<Remote> search(const std::string& volume) {
  const discovery::Found found = discovery::browse({.id = is_whole_id(volume) ? volume : ""});
  const Result<discovery::Peer> peer = discovery::choose(found.peers, volume);
  if (!peer && peer.error() == Code::kNotFound && !found.notice.empty()) return fail(Code::kNotFound, found.notice);
  return remote_of(TRY(peer));
}

Result<Remote> local_port() {
  Remote remote{.host = "localhost", .port = std::to_string(kHttpPort), .trust = Trust::kLocalPort};
  TRY(add_token(remote));
  TRY(Connection::to_remote(remote));
  return remote;
}

Result<Remote> search_and_fall_back() {
  Result<Remote> found = search("");
  if (found || found.error() != Code::kNotFound) return found;
  Result<Remote> local = local_port();
  if (local || local.error() != Code::kUnavailable) return local;
  return fail(Code::kNotFound,
              fmt::format("{}, and nobody listens at localhost:{}", found.error().message(), kHttpPort));
}

}  // namespace

Result<Remote> server_on_network(const std::string& volume) {
  static std::map<std::string, Result<Remote>> known;
  if (const auto it = known.find(volume); it != known.end()) return it->second;
  return known.emplace(volume, search(volume)).first->second;
}

Result<Remote> any_server() {
  static const Result<Remote> known = search_and_fall_back();
  return known;
}

}  // namespace firn::cli
