// discovery::Announcer: tells the network of a service through avahi-daemon.
#pragma once

#include <memory>
#include <vector>

#include "discovery/service.h"
#include "io/tcp_address.h"

namespace firn::discovery {

// Thread-safe: all is done on a thread of its own. Avahi may come later, go, and come again: the service is published
// whenever it is there. Where another service on the network has the name already, it becomes "NAME (ID)", with
// eight digits of the volume's id.
// What happens is told in the log; that there is no Avahi, once.
class Announcer {
 public:
  // `addresses`: where it is served. For "0.0.0.0" and "::" on all interfaces, else on the one that has the address.
  // Returns at once. Null: no thread can be had, which the log tells.
  static std::unique_ptr<Announcer> start(Service service, std::vector<io::TcpAddress> addresses);
  // Withdraws it. Where the message bus does not answer, it waits for 2 s and leaves the thread, which ends when
  // the bus answers or has gone, or with the process.
  ~Announcer();

 private:
  class Thread;
  explicit Announcer(std::shared_ptr<Thread> thread);
  std::shared_ptr<Thread> thread_;
};

}  // namespace firn::discovery
