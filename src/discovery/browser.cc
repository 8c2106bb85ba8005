#include "discovery/browser.h"

#include <fmt/format.h>
#include <net/if.h>

#include <algorithm>
#include <chrono>
#include <list>

#include "discovery/avahi_pieces.h"

namespace firn::discovery {
namespace {

constexpr size_t kMaxServices = 256;

int64_t now_ms() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

// It stands in messages and in the head of requests.
bool is_host(std::string_view host) {
  const auto allowed = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '-' || c == '_';
  };
  return !host.empty() && std::ranges::all_of(host, allowed);
}

std::string text_of(const AvahiAddress& address, AvahiIfIndex interface) {
  char text[AVAHI_ADDRESS_STR_MAX], name[IF_NAMESIZE];
  avahi_address_snprint(text, sizeof text, &address);
  if (!std::string_view(text).starts_with("fe80:")) return text;
  const char* scope = if_indextoname(static_cast<unsigned>(interface), name);
  return scope ? fmt::format("{}%{}", text, scope) : text;
}

bool is_loopback(std::string_view address) { return address.starts_with("127.") || address == "::1"; }

class Search {
 public:
  explicit Search(const BrowseOptions& options) : options_(options) {}

  Found run();

 private:
  bool ended() const;
  void end_with(int error) { failure_ = error; }
  void add(AvahiIfIndex interface, AvahiProtocol protocol, const char* name, const char* type, const char* domain);

  static void on_client(AvahiClient* client, AvahiClientState state, void* self);
  static void on_browser(AvahiServiceBrowser* browser, AvahiIfIndex interface, AvahiProtocol protocol,
                         AvahiBrowserEvent event, const char* name, const char* type, const char* domain,
                         AvahiLookupResultFlags flags, void* self);
  static void on_resolver(AvahiServiceResolver* resolver, AvahiIfIndex interface, AvahiProtocol protocol,
                          AvahiResolverEvent event, const char* name, const char* type, const char* domain,
                          const char* host, const AvahiAddress* address, uint16_t port, AvahiStringList* txt,
                          AvahiLookupResultFlags flags, void* self);

  const BrowseOptions& options_;
  SimplePoll poll_;
  Client client_;
  ServiceBrowser browser_;
  std::list<ServiceResolver> resolvers_;
  std::vector<Peer> found_;
  size_t resolving_ = 0;
  bool all_for_now_ = false;
  int failure_ = AVAHI_OK;
};

void Search::on_client(AvahiClient* client, AvahiClientState state, void* self) {
  if (state == AVAHI_CLIENT_FAILURE) static_cast<Search*>(self)->end_with(avahi_client_errno(client));
}

void Search::add(AvahiIfIndex interface, AvahiProtocol protocol, const char* name, const char* type,
                 const char* domain) {
  if (resolvers_.size() >= kMaxServices) return;
  ServiceResolver resolver(avahi_service_resolver_new(client_.get(), interface, protocol, name, type, domain, protocol,
                                                      AvahiLookupFlags{}, &on_resolver, this));
  if (!resolver) return;
  resolvers_.push_back(std::move(resolver));
  ++resolving_;
}

void Search::on_browser(AvahiServiceBrowser*, AvahiIfIndex interface, AvahiProtocol protocol, AvahiBrowserEvent event,
                        const char* name, const char* type, const char* domain, AvahiLookupResultFlags, void* self) {
  Search& search = *static_cast<Search*>(self);
  if (event == AVAHI_BROWSER_NEW) search.add(interface, protocol, name, type, domain);
  if (event == AVAHI_BROWSER_ALL_FOR_NOW) search.all_for_now_ = true;
  if (event == AVAHI_BROWSER_FAILURE) search.end_with(avahi_client_errno(search.client_.get()));
}

void Search::on_resolver(AvahiServiceResolver*, AvahiIfIndex interface, AvahiProtocol, AvahiResolverEvent event,
                         const char*, const char*, const char*, const char* host, const AvahiAddress* address,
                         uint16_t port, AvahiStringList* txt, AvahiLookupResultFlags flags, void* self) {
  Search& search = *static_cast<Search*>(self);
  if (search.resolving_ > 0) --search.resolving_;
  if (event != AVAHI_RESOLVER_FOUND || !is_host(host) || port == 0) return;
  // Nobody else may claim to be this machine, and Avahi remembers what was announced to lo and was withdrawn since.
  const std::string text = text_of(*address, interface);
  if (is_loopback(text) && (flags & AVAHI_LOOKUP_RESULT_LOCAL) == 0) return;
  auto service = from_txt(texts_of(txt));
  // A resolver may tell the same again when the service changes.
  if (!service || search.found_.size() >= kMaxServices) return;
  search.found_.push_back({.service = *std::move(service), .host = host, .address = text, .port = port});
}

bool Search::ended() const {
  if (failure_ != AVAHI_OK) return true;
  if (!options_.id.empty())
    return std::ranges::any_of(found_, [this](const Peer& peer) { return peer.service.id == options_.id; });
  return all_for_now_ && resolving_ == 0 && !found_.empty();
}

Found Search::run() {
  const int64_t end_ms = now_ms() + options_.timeout_ms;
  int error = AVAHI_OK;
  poll_.reset(avahi_simple_poll_new());
  if (poll_)
    client_.reset(avahi_client_new(avahi_simple_poll_get(poll_.get()), AvahiClientFlags{}, &on_client, this, &error));
  if (!client_)
    return {.peers = {}, .notice = fmt::format("Avahi does not answer on this machine ({})", avahi_strerror(error))};
  browser_.reset(avahi_service_browser_new(client_.get(), AVAHI_IF_UNSPEC, AVAHI_PROTO_UNSPEC, kServiceType, nullptr,
                                           AvahiLookupFlags{}, &on_browser, this));
  if (!browser_) failure_ = avahi_client_errno(client_.get());
  while (!ended()) {
    const int64_t left_ms = end_ms - now_ms();
    if (left_ms <= 0 || avahi_simple_poll_iterate(poll_.get(), static_cast<int>(left_ms)) != 0) break;
  }
  Found found{.peers = merged(std::move(found_)), .notice = ""};
  if (failure_ != AVAHI_OK) found.notice = fmt::format("Avahi failed ({})", avahi_strerror(failure_));
  return found;
}

}  // namespace

Found browse(const BrowseOptions& options) { return Search(options).run(); }

}  // namespace firn::discovery
