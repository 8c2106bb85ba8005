// The two worlds that the conformance tests run in: the ring with a real folder, and the simulator.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "io/block_on.h"
#include "io/blocking_pool.h"
#include "io/disk.h"
#include "io/reactor.h"

// Like ASSERT_TRUE, in a coroutine.
#define CO_REQUIRE(condition)                   \
  do {                                          \
    if (!(condition)) {                         \
      ADD_FAILURE() << "required: " #condition; \
      co_return;                                \
    }                                           \
  } while (false)

namespace firn::io {

class TestEnvironment {
 public:
  virtual ~TestEnvironment() = default;
  virtual Reactor& reactor() = 0;
  virtual BlockingPool& pool() = 0;
  virtual Disk& disk() = 0;
  // An empty folder on disk().
  virtual std::string folder() = 0;

  std::string path(const std::string& name) { return folder() + "/" + name; }
  template <class T>
  T run(Task<T> task) {
    return run_to_end(reactor(), std::move(task));
  }
};

std::unique_ptr<TestEnvironment> make_uring_environment();
std::unique_ptr<TestEnvironment> make_sim_environment();

using EnvironmentFactory = std::unique_ptr<TestEnvironment> (*)();

// Parameterised by the world.
class Conformance : public ::testing::TestWithParam<EnvironmentFactory> {
 protected:
  std::unique_ptr<TestEnvironment> environment = GetParam()();
};

#define FIRN_IO_BOTH_WORLDS(Suite)                                                                       \
  INSTANTIATE_TEST_SUITE_P(Io, Suite, ::testing::Values(&make_uring_environment, &make_sim_environment), \
                           [](const auto& info) { return info.index == 0 ? "uring" : "sim"; })

}  // namespace firn::io
