// Door: what all operations of a session share: the volume, what was negotiated, and the counters.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "base/metrics.h"
#include "fuse/exchange.h"
#include "fuse/negotiate.h"
#include "vfs/access_log.h"
#include "vfs/volume.h"

namespace firn::fuse {

// A request that takes longer than its reactor should is visible in the histogram; one in kSampleEvery is measured,
// so that the clock is not read for every request. A prime: what programs do in cycles must not fall into step with it.
inline constexpr uint32_t kSampleEvery = 17;
inline constexpr size_t kOpcodeSlots = 64;

struct OpcodeCounts {
  std::atomic<uint64_t> requests = 0, errors = 0;
};

class Door {
 public:
  struct Options {
    vfs::DoorId id = 1;
    bool kernel_checked = true;  // mounted with default_permissions
    bool read_only = false;
    bool passthrough = false;
    uint64_t entry_valid_s = 86400;  // every change comes through this door or is notified
    uint64_t negative_valid_s = 86400;
    uint64_t attr_valid_s = 86400;
    bool cache_directories = false;  // FOPEN_CACHE_DIR
  };

  // Both outlive the door.
  Door(vfs::Volume& volume, vfs::AccessLog& access_log, Options options);

  vfs::Volume& volume() { return volume_; }
  const Options& options() const { return options_; }
  Options& mutable_options() { return options_; }  // before the transports start
  const Agreed& agreed() const { return agreed_; }
  void set_agreed(const Agreed& agreed) { agreed_ = agreed; }
  Dialect dialect() const { return Dialect{.setxattr_ext = agreed_.setxattr_ext}; }

  meta::Credentials credentials(const Request& request) const;

  // Decodes `message` and starts its operation on the current reactor; the exchange's sink, home and reply are set.
  void serve(const Message& message, Exchange& exchange);
  // Ends an exchange. Any thread; the reply goes out on exchange.home.
  void finish(Exchange& exchange, Outcome outcome);

  const OpcodeCounts& counts(uint32_t opcode) const { return counts_[opcode]; }
  const metrics::Histogram& latency() const { return latency_; }
  vfs::AccessLog& access_log() { return access_log_; }
  // Of file content, by requests: what the kernel reads and writes by itself (passthrough) nobody sees.
  void count_read(size_t bytes) { read_bytes_.add(bytes); }
  void count_written(size_t bytes) { written_bytes_.add(bytes); }

 private:
  void log_access(Exchange& exchange, const Outcome& outcome);
  void start_timing(Exchange& exchange);
  void record_latency(uint32_t opcode, uint64_t ns);

  vfs::Volume& volume_;
  vfs::AccessLog& access_log_;
  Options options_;
  Agreed agreed_;
  std::array<OpcodeCounts, kOpcodeSlots> counts_;
  metrics::Histogram latency_;
  std::array<metrics::Histogram*, kOpcodeSlots> opcode_latency_{};  // null: no such opcode
  metrics::Counter& read_bytes_;
  metrics::Counter& written_bytes_;
};

}  // namespace firn::fuse
