#include "fuse/session.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/log.h"
#include "fuse/abort_connection.h"
#include "fuse/handshake.h"
#include "fuse/mount_point.h"
#include "fuse/probe.h"
#include "fuse/readahead.h"

namespace firn::fuse {
namespace {

constexpr vfs::DoorId kDoor = 1;  // a volume is mounted once
constexpr int64_t kPollNs = 2'000'000;
constexpr int64_t kForceNs = 1'000'000'000;  // for the connection to end once it was forced
constexpr int64_t kRetryNs = 100'000'000;    // between attempts to unmount what is in use
constexpr unsigned kHelperThreads = 2;       // an unmount must not wait behind a stat that hangs

int32_t register_backing(int device, int fd) {
  BackingMap map{.fd = fd, .flags = 0, .padding = 0};
  return ioctl(device, kIoctlBackingOpen, &map);
}

void unregister_backing(int device, int32_t id) {
  uint32_t value = static_cast<uint32_t>(id);
  (void)ioctl(device, kIoctlBackingClose, &value);
}

}  // namespace

Session::Session(MountOptions options, const Parts& parts)
    : options_(std::move(options)),
      volume_(parts.volume),
      access_log_(parts.access_log),
      reactors_(parts.reactors),
      helper_(io::make_thread_pool(kHelperThreads)) {}

Session::~Session() { CHECK(lanes_left_.load() == 0); }

io::Task<Result<std::unique_ptr<Session>>> Session::mount(MountOptions options, Parts parts) {
  std::unique_ptr<Session> session(new Session(std::move(options), parts));
  CO_TRY(co_await session->attach());
  Result<void> started = co_await session->start();
  if (!started) {
    co_await session->abandon();
    co_return fail(
        std::move(started.error()).with_context(fmt::format("mounting on {}", session->mounted_.mount_point)));
  }
  co_return session;
}

// Mounts and answers INIT.
io::Task<Result<void>> Session::attach() {
  mounted_ = CO_TRY(co_await helper_->run([this] { return mount_device(options_); }));
  const Wanted wanted = choose_wanted();
  Result<Agreed> agreed = co_await helper_->run([this, &wanted] { return shake_hands(mounted_.device, wanted); });
  if (!agreed) {
    (void)co_await helper_->run([this] { return unmount_path(mounted_.mount_point, {.lazy = true}); });
    co_return fail(std::move(agreed.error()).with_context(fmt::format("mounting on {}", mounted_.mount_point)));
  }
  agreed_ = *agreed;
  device_ = std::make_shared<Fd>(std::move(mounted_.device));
  co_return {};
}

Wanted Session::choose_wanted() {
  Wanted wanted{.max_write = options_.max_write, .readahead = options_.readahead};
  const UringProbe probe = probe_uring(reactors_.reactor(0).has_sqe128(), options_.transport);
  wanted.io_uring = probe.available;
  transport_reason_ = probe.reason;
  wanted.passthrough = options_.passthrough && mounted_.as_root;
  passthrough_reason_ = !options_.passthrough ? "mount option passthrough=off" : "needs root";
  return wanted;
}

io::Task<Result<void>> Session::start() {
  open_door();
  CO_TRY(co_await start_lanes());
  CO_TRY(co_await await_answer());
  co_await settle_readahead();
  settle_transport();
  co_return {};
}

void Session::open_door() {
  Door::Options options;
  options.id = kDoor;
  options.kernel_checked = options_.default_permissions || agreed_.posix_acl;  // POSIX_ACL implies it
  options.read_only = options_.read_only;
  options.passthrough = agreed_.passthrough;
  options.cache_directories = options_.cache_directories;
  if (options_.valid_s) options.entry_valid_s = options.negative_valid_s = options.attr_valid_s = *options_.valid_s;
  door_ = std::make_unique<Door>(volume_, access_log_, options);
  door_->set_agreed(agreed_);
  if (agreed_.passthrough) {
    passthrough_reason_ = "the kernel reads and writes backing files itself";
    volume_.set_passthrough_registrar([device = device_](int fd) { return register_backing(device->get(), fd); },
                                      [device = device_](int32_t id) { unregister_backing(device->get(), id); });
  } else if (options_.passthrough && mounted_.as_root) {
    passthrough_reason_ = "this kernel has no FUSE passthrough (Linux 6.9)";
  }
  notifier_ = std::make_unique<Notifier>(device_->get(), agreed_.minor);
  volume_.add_observer(kDoor, notifier_.get());
}

Result<void> Session::make_dev_lanes() {
  const DevLane::Options options{.max_write = agreed_.max_write, .delay_reads = agreed_.io_uring};
  for (unsigned i = 0; i < reactors_.size(); ++i) {
    auto clone = clone_device(*device_);
    if (!clone && i > 0) break;
    if (!clone) {
      // /dev/fuse is not ours to open (a user's mount): one lane on the descriptor that fusermount3 gave us.
      clone = Fd(fcntl(device_->get(), F_DUPFD_CLOEXEC, 3));
      if (!*clone || fcntl(clone->get(), F_SETFL, O_NONBLOCK) != 0) return fail(Status::from_errno(errno, "/dev/fuse"));
    }
    auto lane = std::make_unique<DevLane>(*door_, reactors_.reactor(i), *this, *std::move(clone), options);
    dev_lanes_.push_back(lane.get());
    lanes_.push_back({i, std::move(lane)});
  }
  return {};
}

// `processors`: which one each reactor is pinned to, or -1.
void Session::make_uring_lanes(const std::vector<int>& processors) {
  std::vector<std::vector<uint16_t>> queues(reactors_.size());
  for (unsigned processor = 0; processor < possible_processors(); ++processor) {
    unsigned owner = processor % reactors_.size();
    for (unsigned i = 0; i < processors.size(); ++i) {
      if (processors[i] == static_cast<int>(processor)) owner = i;
    }
    queues[owner].push_back(static_cast<uint16_t>(processor));
  }
  // As the kernel computes it: the larger of max_write and max_pages pages, which are the same here.
  const uint32_t payload_bytes = std::max<uint32_t>(agreed_.max_write, FUSE_MIN_READ_BUFFER);
  for (unsigned i = 0; i < reactors_.size(); ++i) {
    if (queues[i].empty()) continue;
    auto lane =
        std::make_unique<UringLane>(*door_, reactors_.reactor(i), *this, device_->get(), payload_bytes, queues[i]);
    uring_lanes_.push_back(lane.get());
    lanes_.push_back({i, std::move(lane)});
  }
}

io::Task<Result<void>> Session::start_lanes() {
  io::Reactor& home = *io::Reactor::current();
  std::vector<int> processors;
  for (unsigned i = 0; i < reactors_.size(); ++i) {
    co_await io::switch_to(reactors_.reactor(i));
    processors.push_back(pinned_processor());
  }
  co_await io::switch_to(home);
  CO_TRY(make_dev_lanes());
  if (agreed_.io_uring) make_uring_lanes(processors);
  lanes_left_ = lanes_.size();
  for (Placed& placed : lanes_) {
    co_await io::switch_to(reactors_.reactor(placed.reactor));
    placed.lane->start();
  }
  co_await io::switch_to(home);
  co_return {};
}

io::Task<Result<void>> Session::await_answer() {
  struct Answer {
    std::atomic<bool> done = false;
    int error = 0;
    struct stat root{};
  };
  auto answer = std::make_shared<Answer>();
  helper_->submit([answer, path = mounted_.mount_point] {
    answer->error = stat(path.c_str(), &answer->root) == 0 ? 0 : errno;
    answer->done.store(true, std::memory_order_release);
  });
  io::Reactor& reactor = *io::Reactor::current();
  const int64_t deadline_ns = reactor.clock().monotonic_ns() + kAnswerDeadlineNs;
  while (!answer->done.load(std::memory_order_acquire)) {
    if (reactor.clock().monotonic_ns() > deadline_ns) co_return fail(Code::kTimedOut, "the mount does not answer");
    co_await io::sleep_for(kPollNs / 4);
  }
  if (answer->error) co_return fail(Status::from_errno(answer->error, "asking the new mount"));
  device_number_ = answer->root.st_dev;
  co_return {};
}

// Whoever may not raise it goes on with what there is: no reason to fail.
io::Task<void> Session::settle_readahead() {
  readahead_bytes_ = co_await helper_->run([this] {
    const Result<uint64_t> now = readahead_of(device_number_);
    if (now && *now < options_.readahead && mounted_.as_root) {
      const Status raised = set_readahead(device_number_, options_.readahead);
      if (!raised.ok())
        log::info("fuse: {}: reading ahead {} KiB: {}", mounted_.mount_point, *now / 1024, raised.to_string());
    }
    return readahead_of(device_number_).value_or(0);
  });
}

void Session::settle_transport() {
  const int error = uring_error_.load();
  if (error) {
    transport_reason_ = fmt::format("the kernel refused the io_uring queues: {}", strerror(error));
  } else if (agreed_.io_uring) {
    transport_ = TransportKind::kUring;
  } else if (transport_reason_ == "the kernel offers it") {
    transport_reason_ = "the kernel did not offer io_uring in INIT";
  }
  if (options_.transport == TransportKind::kUring && transport_ != TransportKind::kUring) {
    log::warning("fuse: {}: transport=uring is not possible: {}", mounted_.mount_point, transport_reason_);
  }
  log::info("fuse: mounted {} on {}: protocol 7.{}, transport {} ({}), passthrough {} ({})", options_.source,
            mounted_.mount_point, agreed_.minor, transport_name(transport_), transport_reason_,
            agreed_.passthrough ? "on" : "off", passthrough_reason_);
}

void Session::uring_refused(int error) {
  uring_error_ = error;
  log::warning("fuse: the kernel refused the io_uring queues ({}): using /dev/fuse", strerror(error));
  for (DevLane* lane : dev_lanes_) lane->read_eagerly();
}

void Session::lane_ended() { io::detach(count_down()); }

// The lane is still on the stack when it reports its end, so the count goes down in the reactor's next round; and the
// event is shared, because whoever waits for it may destroy the session at once.
io::Task<void> Session::count_down() {
  co_await io::yield();
  const auto ended = ended_;
  if (lanes_left_.fetch_sub(1) != 1) co_return;
  close_door();
  ended->set();
}

void Session::close_door() {
  if (agreed_.passthrough) volume_.set_passthrough_registrar(nullptr, nullptr);
  volume_.remove_observer(kDoor);
  notifier_->stop();
}

io::Task<void> Session::wait_unmounted() { co_await ended_->wait(); }

Status Session::unmount_here(UnmountOptions options) const {
  const auto there = find_mount(mounted_.mount_point);
  if (there && device_number_ != 0 && there->device != device_number_)
    return {Code::kInvalid, fmt::format("on {} is another mount", mounted_.mount_point)};
  return unmount_path(mounted_.mount_point, options);
}

io::Task<Result<void>> Session::unmount(UnmountOptions options) {
  if (ended_->is_set()) co_return {};
  const Status status = co_await helper_->run([this, options] { return unmount_here(options); });
  if (!status.ok()) co_return fail(status);
  if (!options.lazy) co_await ended_->wait();
  co_return {};
}

io::Task<bool> Session::ended_within(int64_t timeout_ns) {
  io::Reactor& reactor = *io::Reactor::current();
  const int64_t deadline_ns = reactor.clock().monotonic_ns() + timeout_ns;
  while (!ended_->is_set() && reactor.clock().monotonic_ns() < deadline_ns) co_await io::sleep_for(kPollNs);
  co_return ended_->is_set();
}

io::Task<void> Session::stop_lanes() {
  io::Reactor& home = *io::Reactor::current();
  for (Placed& placed : lanes_) {
    co_await io::switch_to(reactors_.reactor(placed.reactor));
    placed.lane->stop();
  }
  co_await io::switch_to(home);
}

io::Task<bool> Session::unmount_until(int64_t deadline_ns) {
  io::Reactor& reactor = *io::Reactor::current();
  for (;;) {
    const Status status = co_await helper_->run([this] { return unmount_here({}); });
    // kInvalid: it was unmounted before.
    if (status != Code::kBusy) co_return status.ok() || status == Code::kInvalid;
    if (ended_->is_set() || reactor.clock().monotonic_ns() >= deadline_ns) co_return false;
    co_await io::sleep_for(kRetryNs);
  }
}

// What programs have changed in mappings is with the kernel alone, which writes it when it is told to forget a file's
// pages.
io::Task<void> Session::save_mappings() {
  for (const InodeId inode : volume_.files_being_written()) notifier_->inode_changed(inode, true);
  const auto waiter = std::make_shared<io::CancelToken>();
  if (notifier_->has_sent(waiter)) co_return;
  if (co_await io::sleep_for(kSaveMappingsNs, waiter.get()))
    log::warning("fuse: {}: the kernel does not write what programs changed in mappings", mounted_.mount_point);
}

// Everybody who waits for a reply gets ENOTCONN. Where a user may not have that, the lanes stop: the connection ends
// with the last descriptor of it.
io::Task<void> Session::cut_off() {
  log::warning("fuse: {} is still in use: cutting it off", mounted_.mount_point);
  co_await save_mappings();
  const Status aborted = co_await helper_->run([this] { return abort_connection(device_number_); });
  if (!aborted.ok()) {
    log::info("fuse: {}: {}", mounted_.mount_point, aborted.to_string());
    (void)co_await helper_->run([this] { return unmount_here({.force = true}); });
  }
  (void)co_await helper_->run([this] { return unmount_here({.lazy = true}); });
  if (!co_await ended_within(kForceNs)) co_await stop_lanes();
}

io::Task<void> Session::stop(int64_t deadline_ns) {
  if (ended_->is_set()) co_return;
  const int64_t start_ns = io::Reactor::current()->clock().monotonic_ns();
  const bool unmounted = co_await unmount_until(start_ns + deadline_ns);
  // Unmounted, yet alive: somebody unmounted it lazily, or another mount namespace still has it.
  if (!unmounted || !co_await ended_within(std::max(deadline_ns, kForceNs))) co_await cut_off();
  co_await ended_->wait();
}

// A mount that could not be started.
io::Task<void> Session::abandon() {
  if (lanes_left_.load() > 0) {
    co_await stop(0);
    co_return;
  }
  lanes_.clear();
  (void)co_await helper_->run([this] { return unmount_path(mounted_.mount_point, {.lazy = true}); });
  close_door();
}

SessionInfo Session::info() const {
  SessionInfo info;
  info.mount_point = mounted_.mount_point;
  info.source = options_.source;
  info.connected = !ended_->is_set();
  info.transport = transport_;
  info.transport_reason = transport_reason_;
  info.passthrough = agreed_.passthrough;
  info.passthrough_reason = passthrough_reason_;
  info.protocol_minor = agreed_.minor;
  info.max_write = agreed_.max_write;
  info.readahead_bytes = readahead_bytes_;
  for (const DevLane* lane : dev_lanes_) info.dev_requests += lane->requests();
  for (const UringLane* lane : uring_lanes_) info.uring_requests += lane->requests();
  info.notifications = notifier_->sent();
  for (uint32_t opcode = 0; opcode < kOpcodeSlots; ++opcode) {
    const OpcodeCounts& counts = door_->counts(opcode);
    if (counts.requests) info.opcodes.push_back({opcode_name(opcode), counts.requests, counts.errors});
  }
  info.latency_ns = door_->latency().summary();
  return info;
}

}  // namespace firn::fuse
