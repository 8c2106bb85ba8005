#include "discovery/announcer.h"

#include <avahi-common/alternative.h>
#include <avahi-common/domain.h>
#include <avahi-common/malloc.h>
#include <avahi-common/timeval.h>
#include <fmt/format.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <sys/eventfd.h>

#include <chrono>
#include <future>
#include <system_error>
#include <thread>

#include "base/log.h"
#include "discovery/avahi_pieces.h"
#include "io/unique_fd.h"

namespace firn::discovery {
namespace {

constexpr unsigned kRetryMs = 2000;  // a look at whether the message bus is there costs a connection that is refused
constexpr std::chrono::seconds kPatience{2};  // with the message bus, at the end
constexpr size_t kMaxNameBytes = AVAHI_LABEL_MAX - 1;
constexpr size_t kIdDigitsShown = 8;

// Where a listening address is reached.
struct Reach {
  AvahiIfIndex interface = AVAHI_IF_UNSPEC;
  AvahiProtocol protocol = AVAHI_PROTO_UNSPEC;
};

std::string host_of(const sockaddr& address) {
  char text[NI_MAXHOST];
  const socklen_t bytes = address.sa_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  if (getnameinfo(&address, bytes, text, sizeof text, nullptr, 0, NI_NUMERICHOST) != 0) return "";
  const std::string host = text;
  return host.substr(0, host.find('%'));
}

AvahiIfIndex interface_with(const std::string& host) {
  ifaddrs* all = nullptr;
  if (getifaddrs(&all) != 0) return AVAHI_IF_UNSPEC;
  AvahiIfIndex found = AVAHI_IF_UNSPEC;
  for (const ifaddrs* at = all; at; at = at->ifa_next)
    if (at->ifa_addr && (at->ifa_addr->sa_family == AF_INET || at->ifa_addr->sa_family == AF_INET6) &&
        host_of(*at->ifa_addr) == host)
      found = static_cast<AvahiIfIndex>(if_nametoindex(at->ifa_name));
  freeifaddrs(all);
  return found;
}

Reach reach_of(const io::TcpAddress& address) {
  if (address.host == "::") return {};  // IPv4 as well
  if (address.host == "0.0.0.0") return {.protocol = AVAHI_PROTO_INET};
  return {.interface = interface_with(address.host),
          .protocol = address.host.contains(':') ? AVAHI_PROTO_INET6 : AVAHI_PROTO_INET};
}

}  // namespace

// Owned by the Announcer and by the thread itself, which may have to wait for the message bus for longer. All but
// start() and stop() is done on that thread.
class Announcer::Thread : public std::enable_shared_from_this<Thread> {
 public:
  Thread(Service service, std::vector<io::TcpAddress> addresses)
      : service_(std::move(service)),
        addresses_(std::move(addresses)),
        name_(printable(service_.name, kMaxNameBytes)) {}

  bool start();
  // Once, after start() has succeeded. Waits for kPatience at most.
  void stop();

 private:
  void run();
  void connect();
  void disconnect();
  void connect_later(unsigned ms);
  void publish(AvahiClient* client);
  bool add_services();
  void rename();
  void tell_absence(int error);

  static void on_stop(AvahiWatch* watch, int fd, AvahiWatchEvent event, void* self);
  static void on_timeout(AvahiTimeout* timeout, void* self);
  static void on_client(AvahiClient* client, AvahiClientState state, void* self);
  static void on_group(AvahiEntryGroup* group, AvahiEntryGroupState state, void* self);

  const Service service_;
  const std::vector<io::TcpAddress> addresses_;
  std::string name_;     // of the service, as long as no other has it
  bool has_id_ = false;  // the name tells it
  bool absence_told_ = false;
  std::thread thread_;
  std::promise<void> ended_;
  io::UniqueFd stop_;  // an eventfd
  SimplePoll poll_;
  AvahiTimeout* timer_ = nullptr;     // the poll's
  AvahiClient* client_ = nullptr;     // ours, once avahi_client_new() has returned
  AvahiEntryGroup* group_ = nullptr;  // the client's
};

bool Announcer::Thread::start() {
  poll_.reset(avahi_simple_poll_new());
  stop_.reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!poll_ || !stop_) return false;
  const AvahiPoll* poll = avahi_simple_poll_get(poll_.get());
  timeval now{};
  timer_ = poll->timeout_new(poll, avahi_elapse_time(&now, 0, 0), &on_timeout, this);
  if (!timer_ || !poll->watch_new(poll, stop_.get(), AVAHI_WATCH_IN, &on_stop, this)) return false;
  try {
    thread_ = std::thread([self = shared_from_this()] { self->run(); });
  } catch (const std::system_error&) {
    return false;
  }
  return true;
}

void Announcer::Thread::run() {
  avahi_simple_poll_loop(poll_.get());
  disconnect();
  ended_.set_value();
}

void Announcer::Thread::stop() {
  eventfd_write(stop_.get(), 1);
  if (ended_.get_future().wait_for(kPatience) == std::future_status::ready) return thread_.join();
  log::info("discovery: the message bus does not answer, and is not waited for");
  thread_.detach();
}

void Announcer::Thread::on_stop(AvahiWatch*, int, AvahiWatchEvent, void* self) {
  avahi_simple_poll_quit(static_cast<Thread*>(self)->poll_.get());
}

// A client takes its groups with it.
void Announcer::Thread::disconnect() {
  if (client_) avahi_client_free(client_);
  client_ = nullptr;
  group_ = nullptr;
}

void Announcer::Thread::on_timeout(AvahiTimeout*, void* self) { static_cast<Thread*>(self)->connect(); }

void Announcer::Thread::connect_later(unsigned ms) {
  const AvahiPoll* poll = avahi_simple_poll_get(poll_.get());
  timeval when{};
  poll->timeout_update(timer_, avahi_elapse_time(&when, ms, 0));
}

void Announcer::Thread::connect() {
  avahi_simple_poll_get(poll_.get())->timeout_update(timer_, nullptr);
  disconnect();
  int error = AVAHI_OK;
  client_ = avahi_client_new(avahi_simple_poll_get(poll_.get()), AVAHI_CLIENT_NO_FAIL, &on_client, this, &error);
  if (client_) return;
  group_ = nullptr;  // on_client() may have made it
  tell_absence(error);
  connect_later(kRetryMs);
}

void Announcer::Thread::tell_absence(int error) {
  if (absence_told_) return;
  absence_told_ = true;
  log::info("discovery: Avahi does not answer ({}); {} is announced once it does", avahi_strerror(error), name_);
}

void Announcer::Thread::on_client(AvahiClient* client, AvahiClientState state, void* self) {
  Thread& thread = *static_cast<Thread*>(self);
  switch (state) {
    case AVAHI_CLIENT_S_RUNNING:
      thread.absence_told_ = false;
      thread.publish(client);
      break;
    case AVAHI_CLIENT_S_COLLISION:
    case AVAHI_CLIENT_S_REGISTERING:
      // The machine's name changes; published again once it is known.
      if (thread.group_) avahi_entry_group_reset(thread.group_);
      break;
    case AVAHI_CLIENT_CONNECTING:
      thread.tell_absence(AVAHI_ERR_NO_DAEMON);
      break;
    case AVAHI_CLIENT_FAILURE:
      // The connection to the bus, or avahi-daemon, has gone. A new client waits until it is there again.
      thread.tell_absence(avahi_client_errno(client));
      thread.connect_later(kRetryMs);
      break;
  }
}

void Announcer::Thread::on_group(AvahiEntryGroup* group, AvahiEntryGroupState state, void* self) {
  Thread& thread = *static_cast<Thread*>(self);
  if (state == AVAHI_ENTRY_GROUP_ESTABLISHED) log::info("discovery: announced as \"{}\"", thread.name_);
  if (state == AVAHI_ENTRY_GROUP_COLLISION) {
    thread.rename();
    thread.publish(avahi_entry_group_get_client(group));
  }
  if (state == AVAHI_ENTRY_GROUP_FAILURE)
    log::warning("discovery: {} is not announced: {}", thread.name_,
                 avahi_strerror(avahi_client_errno(avahi_entry_group_get_client(group))));
}

// Two that meet at once would take the same alternatives again and again: the id is each one's own.
void Announcer::Thread::rename() {
  if (!std::exchange(has_id_, true)) {
    const std::string id = " (" + service_.id.substr(0, kIdDigitsShown) + ")";
    name_ = printable(service_.name, kMaxNameBytes - id.size()) + id;
    return;
  }
  char* other = avahi_alternative_service_name(name_.c_str());
  name_ = other;
  avahi_free(other);
}

void Announcer::Thread::publish(AvahiClient* client) {
  if (!group_) group_ = avahi_entry_group_new(client, &on_group, this);
  if (group_ && avahi_entry_group_reset(group_) == 0 && add_services() && avahi_entry_group_commit(group_) == 0) return;
  log::warning("discovery: {} is not announced: {}", name_, avahi_strerror(avahi_client_errno(client)));
  connect_later(kRetryMs);
}

// True: at least one was added.
bool Announcer::Thread::add_services() {
  const StringList txt = string_list(to_txt(service_));
  bool added = false;
  for (const io::TcpAddress& address : addresses_) {
    const Reach reach = reach_of(address);
    int error = AVAHI_ERR_COLLISION;
    // A service of this machine may have the name.
    for (int attempt = 0; error == AVAHI_ERR_COLLISION && attempt < 100; ++attempt) {
      error =
          avahi_entry_group_add_service_strlst(group_, reach.interface, reach.protocol, AvahiPublishFlags{},
                                               name_.c_str(), kServiceType, nullptr, nullptr, address.port, txt.get());
      if (error == AVAHI_ERR_COLLISION && added) break;  // our own, at an address that includes this one
      if (error == AVAHI_ERR_COLLISION) rename();
    }
    added |= error == AVAHI_OK;
  }
  return added;
}

Announcer::Announcer(std::shared_ptr<Thread> thread) : thread_(std::move(thread)) {}
Announcer::~Announcer() { thread_->stop(); }

std::unique_ptr<Announcer> Announcer::start(Service service, std::vector<io::TcpAddress> addresses) {
  auto thread = std::make_shared<Thread>(std::move(service), std::move(addresses));
  if (thread->start()) return std::unique_ptr<Announcer>(new Announcer(std::move(thread)));
  log::warning("discovery: no thread can be had; the volume is not announced");
  return nullptr;
}

}  // namespace firn::discovery
