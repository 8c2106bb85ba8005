#include "data/hot/test_worlds.h"

#include <cstdlib>
#include <filesystem>

#include "io/blocking_pool.h"
#include "io/sim/sim_disk.h"
#include "io/sim/sim_reactor.h"
#include "io/uring/uring_disk.h"
#include "io/uring/uring_reactor.h"

namespace firn::data {
namespace {

class RealWorld final : public World {
 public:
  RealWorld() : pool_(io::make_thread_pool(1)), disk_(io::make_uring_disk(*pool_)) {
    auto reactor = io::UringReactor::create({});
    CHECK(reactor.has_value());
    reactor_ = *std::move(reactor);
    std::string folder = (std::filesystem::temp_directory_path() / "firn-data-XXXXXX").string();
    CHECK(mkdtemp(folder.data()));
    folder_ = folder;
  }
  ~RealWorld() override { std::filesystem::remove_all(folder_); }

  io::Reactor& reactor() override { return *reactor_; }
  io::Disk& disk() override { return *disk_; }
  std::string root() const override { return folder_ + "/hot"; }

 private:
  std::unique_ptr<io::BlockingPool> pool_;
  std::unique_ptr<io::Disk> disk_;
  std::unique_ptr<io::UringReactor> reactor_;
  std::string folder_;
};

class SimWorld final : public World {
 public:
  io::Reactor& reactor() override { return reactor_; }
  io::Disk& disk() override { return disk_; }
  std::string root() const override { return "/hot"; }

 private:
  io::SimReactor reactor_;
  io::SimDisk disk_;
};

}  // namespace

std::unique_ptr<World> make_world(WorldKind kind) {
  if (kind == WorldKind::kReal) return std::make_unique<RealWorld>();
  return std::make_unique<SimWorld>();
}

}  // namespace firn::data
