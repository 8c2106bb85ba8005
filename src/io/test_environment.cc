#include "io/test_environment.h"

#include <cstdlib>
#include <filesystem>

#include "io/sim/sim_blocking_pool.h"
#include "io/sim/sim_disk.h"
#include "io/uring/uring_disk.h"
#include "io/uring/uring_reactor.h"

namespace firn::io {
namespace {

class UringEnvironment final : public TestEnvironment {
 public:
  UringEnvironment() {
    std::string name = (std::filesystem::temp_directory_path() / "firn-io-XXXXXX").string();
    CHECK(mkdtemp(name.data()));
    folder_ = name;
  }
  ~UringEnvironment() override { std::filesystem::remove_all(folder_); }
  Reactor& reactor() override { return *reactor_; }
  BlockingPool& pool() override { return *pool_; }
  Disk& disk() override { return *disk_; }
  std::string folder() override { return folder_; }

 private:
  std::string folder_;
  std::unique_ptr<UringReactor> reactor_ = UringReactor::create({.entries = 64}).value();
  std::unique_ptr<BlockingPool> pool_ = make_thread_pool(2);
  std::unique_ptr<Disk> disk_ = make_uring_disk(*pool_);
};

class SimEnvironment final : public TestEnvironment {
 public:
  SimEnvironment() { CHECK(run(disk_.make_directory("/test")).has_value()); }
  Reactor& reactor() override { return reactor_; }
  BlockingPool& pool() override { return pool_; }
  Disk& disk() override { return disk_; }
  std::string folder() override { return "/test"; }

 private:
  SimReactor reactor_;
  SimBlockingPool pool_{reactor_};
  SimDisk disk_;
};

}  // namespace

std::unique_ptr<TestEnvironment> make_uring_environment() { return std::make_unique<UringEnvironment>(); }
std::unique_ptr<TestEnvironment> make_sim_environment() { return std::make_unique<SimEnvironment>(); }

}  // namespace firn::io
