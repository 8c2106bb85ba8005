// The volumes on the network as GET /v1/devices and `firn devices` tell them.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "discovery/announcer.h"
#include "discovery/browser.h"
#include "io/blocking_pool.h"
#include "io/sync.h"

namespace firn::cli {

// {"devices": [{"name", "id", "version", "tls", "host", "address", "url"}]}, with "notice" where nothing can be found.
nlohmann::json describe_devices(const discovery::Found& found);

// Looks who is there, for a daemon: one search at a time, whatever is asked.
class Neighbours {
 public:
  Neighbours() : pool_(io::make_thread_pool(1)) {}

  // The JSON text of describe_devices(), a few seconds old at most. Waits for a search of up to 3 s. For one reactor.
  io::Task<std::string> report();

 private:
  std::unique_ptr<io::BlockingPool> pool_;  // a search blocks for longer than the volume's pool may be held up
  io::Mutex searching_;
  std::string last_;
  int64_t valid_until_ns_ = 0;
};

}  // namespace firn::cli
