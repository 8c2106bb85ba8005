#include "fuse/notifier.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <condition_variable>

#include "io/unique_fd.h"

namespace firn::fuse {
namespace {

constexpr uint32_t kMinor = 45;

// A pipe in the place of the kernel: it takes what is written until it is full, and is read by nobody but the test.
class Pipe {
 public:
  Pipe() {
    std::array<int, 2> ends{};
    EXPECT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
    read_.reset(ends[0]);
    write_.reset(ends[1]);
  }
  int write_end() const { return write_.get(); }
  // Nothing more goes in until room().
  void fill() {
    std::array<char, 4096> bytes{};
    EXPECT_EQ(fcntl(write_.get(), F_SETFL, O_NONBLOCK), 0);
    while (write(write_.get(), bytes.data(), bytes.size()) > 0) {
    }
    EXPECT_EQ(fcntl(write_.get(), F_SETFL, 0), 0);
  }
  void make_room() {
    std::array<char, 65536> bytes{};
    EXPECT_GT(read(read_.get(), bytes.data(), bytes.size()), 0);
  }

 private:
  io::UniqueFd read_, write_;
};

void wait_for(const io::CancelToken& token) {
  for (int i = 0; i < 5000 && !token.cancelled(); ++i) usleep(1000);
  EXPECT_TRUE(token.cancelled());
}

TEST(NotifierTest, NobodyWaitsWhereNothingIsQueued) {
  Pipe kernel;
  Notifier notifier(kernel.write_end(), kMinor);
  EXPECT_TRUE(notifier.has_passed_on(std::make_shared<io::CancelToken>()));
}

TEST(NotifierTest, WhoWaitsIsWokenOnceTheKernelWasTold) {
  Pipe kernel;
  kernel.fill();
  Notifier notifier(kernel.write_end(), kMinor);
  notifier.inode_changed(InodeId(2), true);
  const auto first = std::make_shared<io::CancelToken>(), second = std::make_shared<io::CancelToken>();
  EXPECT_FALSE(notifier.has_passed_on(first));
  notifier.entry_changed(InodeId(1), "name");
  EXPECT_FALSE(notifier.has_passed_on(second));
  usleep(20'000);
  EXPECT_FALSE(first->cancelled());
  EXPECT_FALSE(second->cancelled());
  kernel.make_room();
  wait_for(*first);
  wait_for(*second);
  EXPECT_EQ(notifier.sent(), 2U);
  EXPECT_TRUE(notifier.has_passed_on(std::make_shared<io::CancelToken>()));
}

TEST(NotifierTest, HoweverLongTheKernelTakesWhatIsQueuedIsWaitedFor) {
  Pipe kernel;
  kernel.fill();
  Notifier notifier(kernel.write_end(), kMinor);
  notifier.inode_changed(InodeId(2), true);
  const auto waiter = std::make_shared<io::CancelToken>();
  usleep(700'000);  // more than whoever changes something waits
  EXPECT_TRUE(notifier.has_passed_on(std::make_shared<io::CancelToken>()));
  notifier.inode_changed(InodeId(3), true);
  EXPECT_FALSE(notifier.has_sent(waiter));
  usleep(20'000);
  EXPECT_FALSE(waiter->cancelled());
  kernel.make_room();
  wait_for(*waiter);
  EXPECT_EQ(notifier.sent(), 2U);
  EXPECT_TRUE(notifier.has_sent(std::make_shared<io::CancelToken>()));
}

TEST(NotifierTest, TheEndOfTheConnectionLetsEverybodyGo) {
  Pipe kernel;
  kernel.fill();
  Notifier notifier(kernel.write_end(), kMinor);
  notifier.inode_changed(InodeId(2), false);
  const auto waiter = std::make_shared<io::CancelToken>();
  EXPECT_FALSE(notifier.has_passed_on(waiter));
  notifier.stop();
  wait_for(*waiter);
  EXPECT_TRUE(notifier.has_passed_on(std::make_shared<io::CancelToken>()));
  kernel.make_room();
}

}  // namespace
}  // namespace firn::fuse
