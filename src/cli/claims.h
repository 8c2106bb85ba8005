// The tiers of a volume that is being made: their places are looked at, tried out, and marked as this volume's.
#pragma once

#include <memory>
#include <vector>

#include "cli/place.h"
#include "cli/tier_settings.h"
#include "io/blocking_pool.h"
#include "io/uring/uring_reactor.h"
#include "meta/volume.h"
#include "object/s3/credentials.h"
#include "object/store.h"

namespace firn::cli {

// For the main thread. Every request has a deadline; a whole take() ends within some minutes at worst.
class Claims {
 public:
  // `record`: of the volume, with its id. All claims of one id are the same volume's: those of an interrupted init are
  // replaced.
  static Result<std::unique_ptr<Claims>> create(std::vector<Place> places, S3Settings s3, meta::VolumeSettings record);

  // Stops at the first failure, whose message says which tier it is and what to do. kExists: another volume's place.
  Result<void> take();
  // Takes away what take() has put, in the places that it reached. A failure: something may be left there.
  Result<void> release();
  // ObjectStore::describe() of the last tier's.
  std::string last_store() const { return claims_.back().store->describe(); }

 private:
  struct Claim {
    Place place;
    std::unique_ptr<object::ObjectStore> store;
    bool made_folder = false;
    bool begun = false;  // something of ours may be there
  };
  Claims() = default;
  io::Task<Result<void>> take_all();
  io::Task<Result<void>> take_place(Claim* claim);
  io::Task<Result<void>> mark(Claim* claim);
  io::Task<Result<void>> check_owner(Claim* claim);
  io::Task<Result<void>> release_all();
  io::Task<Result<void>> release_place(Claim* claim);

  meta::VolumeSettings record_;
  std::string object_;  // the bytes of `volume`
  std::unique_ptr<io::BlockingPool> pool_;
  std::unique_ptr<io::Reactor> reactor_;
  std::vector<Claim> claims_;
};

}  // namespace firn::cli
