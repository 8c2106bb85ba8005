// A colder tier of a test: what is really there, what misbehaves in front of it, and what retries in front of that.
#pragma once

#include <memory>

#include "object/mem/mem_store.h"
#include "object/testing/faulty_store.h"
#include "object/testing/forwarding_store.h"
#include "object/wrappers.h"

namespace firn::object::testing {

struct Place {
  Place(Random& random, Faults faults, std::shared_ptr<MemStore> there = std::make_shared<MemStore>(),
        std::shared_ptr<LateRequests> under_way = std::make_shared<LateRequests>())
      : mem(std::move(there)),
        late(std::move(under_way)),
        faulty(mem, faults, random, late),
        store(retrying(std::make_unique<ForwardingStore>(faulty), {.max_attempts = 40}, random)) {}
  std::shared_ptr<MemStore> mem;
  std::shared_ptr<LateRequests> late;
  FaultyStore faulty;
  std::unique_ptr<ObjectStore> store;
};

// What two places have wrong at once, nobody has right.
inline Faults without_corruption(Faults faults) {
  faults.corrupted = 0;
  return faults;
}

}  // namespace firn::object::testing
