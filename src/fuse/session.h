// Session: one mounted volume, from mount to unmount.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "fuse/dev_lane.h"
#include "fuse/door.h"
#include "fuse/mount.h"
#include "fuse/mount_options.h"
#include "fuse/notifier.h"
#include "fuse/session_info.h"
#include "fuse/transport.h"
#include "fuse/uring_lane.h"
#include "io/blocking_pool.h"
#include "io/sync.h"
#include "io/task.h"
#include "io/uring/reactor_pool.h"
#include "vfs/access_log.h"
#include "vfs/volume.h"

namespace firn::fuse {

// How long stop() waits for users of the mount before it cuts the connection.
inline constexpr int64_t kStopDeadlineNs = 10'000'000'000;
// And then for the kernel to write what they changed in mappings.
inline constexpr int64_t kSaveMappingsNs = 10'000'000'000;
// A mount that does not answer a stat in this time is given up.
inline constexpr int64_t kAnswerDeadlineNs = 10'000'000'000;

// Coroutines need a current reactor of the pool. Thread-safe.
class Session final : public LaneOwner {
 public:
  // What outlives a session. The volume is started.
  struct Parts {
    vfs::Volume& volume;
    vfs::AccessLog& access_log;
    io::ReactorPool& reactors;
  };
  // Mounts, agrees with the kernel, starts serving on every reactor and returns once the mount answers. Failures have
  // a one-line message that says what to do.
  static io::Task<Result<std::unique_ptr<Session>>> mount(MountOptions options, Parts parts);
  // Only after wait_unmounted() or stop() returned.
  ~Session() override;

  // Until the mount is gone, whoever unmounted it, and no request runs any more.
  io::Task<void> wait_unmounted();
  // kBusy when somebody uses it (and it is not lazy). A lazy one returns before the last user has gone.
  io::Task<Result<void>> unmount(UnmountOptions options);
  // Unmounts; after `deadline_ns` whatever still uses the mount gets ENOTCONN, and what it has changed in mappings by
  // then is written. Returns when no request runs any more.
  io::Task<void> stop(int64_t deadline_ns = kStopDeadlineNs);

  SessionInfo info() const;

 private:
  Session(MountOptions options, const Parts& parts);

  io::Task<Result<void>> attach();
  io::Task<Result<void>> start();
  Wanted choose_wanted();
  void open_door();
  io::Task<Result<void>> start_lanes();
  Result<void> make_dev_lanes();
  void make_uring_lanes(const std::vector<int>& processors);
  io::Task<Result<void>> await_answer();
  io::Task<void> settle_readahead();
  void settle_transport();
  io::Task<void> abandon();
  // Blocks. kInvalid as well where another mount is there by now.
  Status unmount_here(UnmountOptions options) const;
  io::Task<bool> unmount_until(int64_t deadline_ns);
  io::Task<void> save_mappings();
  io::Task<void> cut_off();
  io::Task<void> stop_lanes();
  io::Task<bool> ended_within(int64_t timeout_ns);

  void lane_ended() override;
  void uring_refused(int error) override;
  io::Task<void> count_down();
  void close_door();

  const MountOptions options_;
  vfs::Volume& volume_;
  vfs::AccessLog& access_log_;
  io::ReactorPool& reactors_;
  std::unique_ptr<io::BlockingPool> helper_;  // for mount(2) and the like
  Mounted mounted_;
  Agreed agreed_;
  dev_t device_number_ = 0;       // of the mount
  uint64_t readahead_bytes_ = 0;  // the kernel's for it; 0 as well: unknown
  std::unique_ptr<Door> door_;
  std::shared_ptr<Fd> device_;
  std::unique_ptr<Notifier> notifier_;

  struct Placed {
    unsigned reactor;
    std::unique_ptr<Lane> lane;
  };
  std::vector<Placed> lanes_;
  std::vector<DevLane*> dev_lanes_;
  std::vector<UringLane*> uring_lanes_;
  std::atomic<size_t> lanes_left_ = 0;
  std::shared_ptr<io::Event> ended_ = std::make_shared<io::Event>();

  std::atomic<int> uring_error_ = 0;  // errno of a refusal
  std::string transport_reason_;
  std::string passthrough_reason_;
  TransportKind transport_ = TransportKind::kDev;
};

}  // namespace firn::fuse
