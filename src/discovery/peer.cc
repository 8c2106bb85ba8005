#include "discovery/peer.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

namespace firn::discovery {
namespace {

constexpr size_t kLeastIdDigits = 8;

// IPv4 first: every firn that listens on "0.0.0.0" has it. What only this link or machine knows comes last.
int rank(const std::string& address) {
  if (address.starts_with("127.") || address == "::1") return 3;
  if (address.starts_with("fe80:")) return 2;
  return address.contains(':') ? 1 : 0;
}

auto identity(const Peer& peer) { return std::tie(peer.service.name, peer.service.id, peer.host, peer.port); }

}  // namespace

std::string Peer::url() const { return fmt::format("{}://{}:{}", service.tls ? "https" : "http", host, port); }

std::string Peer::endpoint() const {
  return fmt::format("{}:{}", address.contains(':') ? "[" + address + "]" : address, port);
}

std::vector<Peer> merged(std::vector<Peer> found) {
  std::ranges::sort(found, [](const Peer& a, const Peer& b) {
    if (identity(a) != identity(b)) return identity(a) < identity(b);
    return std::make_tuple(rank(a.address), std::string_view(a.address)) <
           std::make_tuple(rank(b.address), std::string_view(b.address));
  });
  const auto rest = std::ranges::unique(found, [](const Peer& a, const Peer& b) { return identity(a) == identity(b); });
  found.erase(rest.begin(), rest.end());
  return found;
}

bool is_meant(const Peer& peer, std::string_view wanted) {
  if (peer.service.name == wanted) return true;
  return wanted.size() >= kLeastIdDigits && peer.service.id.starts_with(wanted);
}

Result<Peer> choose(const std::vector<Peer>& peers, std::string_view wanted) {
  std::vector<const Peer*> meant;
  for (const Peer& peer : peers)
    if (wanted.empty() || is_meant(peer, wanted)) meant.push_back(&peer);
  if (meant.size() == 1) return *meant.front();
  if (meant.empty())
    return fail(Code::kNotFound, wanted.empty() ? "no volume announces itself on this network"
                                                : fmt::format("no volume {} announces itself on this network", wanted));
  std::string names;
  for (const Peer* peer : meant)
    names += fmt::format("{}{} (id {}, {})", names.empty() ? "" : ", ", peer->service.name,
                         peer->service.id.substr(0, kLeastIdDigits), peer->url());
  return fail(Code::kInvalid, fmt::format("several volumes announce themselves on this network: {}; choose one with "
                                          "--volume NAME|ID or --url",
                                          names));
}

}  // namespace firn::discovery
