// The worlds that data/hot's suite runs in: a reactor, and a disk with an empty folder.
#pragma once

#include <memory>
#include <string>

#include "data/hot/test_helpers.h"
#include "io/disk.h"
#include "io/reactor.h"

namespace firn::data {

enum class WorldKind { kReal, kSimulated };

class World {
 public:
  virtual ~World() = default;
  virtual io::Reactor& reactor() = 0;
  virtual io::Disk& disk() = 0;
  // Does not exist yet; its parent does.
  virtual std::string root() const = 0;
};

std::unique_ptr<World> make_world(WorldKind kind);

}  // namespace firn::data
