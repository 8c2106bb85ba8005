// An announcer on a machine whose message bus hangs.
#include "discovery/announcer.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <chrono>
#include <filesystem>

#include "io/unique_fd.h"

namespace firn::discovery {
namespace {

// Accepts, and never says a word.
class HangingBus {
 public:
  HangingBus() {
    char folder[] = "/tmp/firn-bus-XXXXXX";
    EXPECT_NE(mkdtemp(folder), nullptr);
    folder_ = folder;
    const std::string path = folder_ + "/socket";
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    listener_.reset(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(listen(listener_.get(), 8), 0);
    setenv("DBUS_SYSTEM_BUS_ADDRESS", ("unix:path=" + path).c_str(), 1);
  }
  ~HangingBus() { std::filesystem::remove_all(folder_); }

  // False: nobody came within ten seconds.
  bool is_waited_for() {
    pollfd one{.fd = listener_.get(), .events = POLLIN, .revents = 0};
    if (poll(&one, 1, 10'000) != 1) return false;
    connection_.reset(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    // What begins the conversation has been sent.
    one.fd = connection_.get();
    return poll(&one, 1, 10'000) == 1;
  }

 private:
  std::string folder_;
  io::UniqueFd listener_, connection_;
};

TEST(Announcer, EndsAlsoWhileTheMessageBusHangs) {
  HangingBus bus;
  auto announcer =
      Announcer::start({.name = "volume", .id = "0123456789abcdef"}, {{.host = "127.0.0.1", .port = 7734}});
  ASSERT_NE(announcer, nullptr);
  ASSERT_TRUE(bus.is_waited_for());
  const auto begun = std::chrono::steady_clock::now();
  announcer.reset();
  // A call of the message bus fails after 25 s.
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(12));
}

}  // namespace
}  // namespace firn::discovery
