// kv/mem: an ordered multi-version map in memory, for tests and the simulator. Deterministic.
#pragma once

#include <functional>
#include <memory>

#include "kv/kv.h"
#include "kv/shipping.h"

namespace firn::kv {

struct MemOptions {
  // Keeps what crash() needs: every version since the last sync. Without it crash() is not allowed.
  bool crashable = false;
  // Every read and commit lets other ready coroutines run first, so that the simulator interleaves transactions.
  bool yields = false;
  // Asked before each commit with writes (from 1 upwards): a code other than kOk fails it, nothing applied.
  std::function<Code(uint64_t commit)> inject;
  // Each sync waits for it first. May be empty.
  std::function<io::Task<void>()> before_sync = {};
};

class MemEngine : public Engine {
 public:
  // A power cut and a restart: forgets every commit after the last sync. Transactions that are alive
  // are abandoned with whoever held them: not used again, not even destroyed. No commit sink may be set.
  virtual void crash() = 0;
};

std::unique_ptr<MemEngine> make_mem_engine(MemOptions options);
std::unique_ptr<Engine> make_mem_engine();

// finish() makes an engine in memory of what a mem engine's checkpoint held.
std::unique_ptr<RestoreTarget> make_mem_restore_target(MemOptions options = {});

}  // namespace firn::kv
