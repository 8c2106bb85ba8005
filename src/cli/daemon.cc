#include "cli/daemon.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <cstdlib>
#include <optional>

#include "base/bytes.h"
#include "base/hex.h"
#include "base/log.h"
#include "cli/descriptors.h"
#include "cli/devices_report.h"
#include "cli/http_door.h"
#include "cli/maintenance.h"
#include "cli/metrics_report.h"
#include "cli/migrations.h"
#include "cli/nfs_door.h"
#include "cli/part_sweeper.h"
#include "cli/running_volume.h"
#include "cli/settings.h"
#include "cli/status_report.h"
#include "cli/stop_signal.h"
#include "cli/version.h"
#include "cli/volume_watch.h"
#include "cli/write_verifier.h"
#include "fuse/session.h"
#include "http/event_streams.h"

namespace firn::cli {
namespace {

// The doors of one running volume: HTTP always, FUSE where there is a mount point.
class Doors {
 public:
  Doors(RunningVolume& running, const Settings& settings, const StopSignal& stop, StatusSource& status)
      : running_(running), settings_(settings), stop_(stop), status_(status) {}

  io::Task<Result<void>> open(const DaemonOptions& options, HttpPlan http,
                              const std::optional<fuse::MountOptions>& mount) {
    if (running_.tiers()) maintenance_.emplace(running_, settings_).start();
    if (mount) {
      session_ = CO_TRY(co_await fuse::Session::mount(*mount, {running_.volume(), access_log_, running_.reactors()}));
      status_.session = session_.get();
      io::detach(watch_mount(gate_.enter()));
    }
    migrations_.emplace(running_, options.paths, settings_);
    if (running_.events()) events_.emplace(*running_.events(), static_cast<unsigned>(settings_.events.streams));
    http_.emplace(
        HttpDoor::Options{
            .paths = options.paths, .reactors = running_.reactors(), .pool = running_.pool(), .api = api_options()},
        std::move(http));
    CO_TRY(co_await http_->open());
    status_.http = http_->addresses();
    announce();
    const bool writes = !(mount && mount->read_only) && running_.following() == nullptr;
    if (writes && settings_.part_lifetime_ns > 0)
      sweeper_.emplace(PartSweeper::Options{.volume = running_.volume(), .lifetime_ns = settings_.part_lifetime_ns})
          .start();
    nfs_ = CO_TRY(co_await NfsDoor::open({running_, access_log_, options.paths}, settings_.nfs));
    if (nfs_) status_.nfs = nfs_->address();
    co_return {};
  }

  io::Task<void> close() {
    announcer_.reset();
    if (session_) co_await session_->stop();
    if (nfs_) {
      co_await nfs_->close();
      write_verifier_ = nfs_->write_verifier();
      writes_lost_ = running_.volume().writes_lost();
    }
    if (http_) co_await http_->close();
    if (sweeper_) co_await sweeper_->stop();
    if (events_) co_await events_->stop();
    if (maintenance_) co_await maintenance_->stop();
    co_await gate_.close();
    status_.session = nullptr;
    session_.reset();
  }

  // Of NFS, where it was served. After close().
  std::optional<uint64_t> write_verifier() const { return write_verifier_; }
  // How many writes were lost when it was such.
  uint64_t writes_lost() const { return writes_lost_; }

 private:
  http::ApiOptions api_options() {
    return {.volume = running_.volume(),
            .metrics = metrics::process_registry(),
            .owner_uid = geteuid(),
            .events = events_ ? &*events_ : nullptr,
            .status = [this] { return on_first(status_.report()); },
            .samples = [this] { return on_first(sample_metrics(running_, session_.get())); },
            .stop = [this] { stop_.request(); },
            .devices = [this] { return neighbours_.report(); },
            .work = [this](std::string_view name, const http::Request& request) { return work(name, request); },
            .access_log = &access_log_};
  }

  // The doors change what is told of them on the first reactor.
  template <class T>
  io::Task<T> on_first(io::Task<T> task) {
    io::Reactor& asked_on = *io::Reactor::current();
    co_await io::switch_to(running_.reactors().reactor(0));
    T told = co_await std::move(task);
    co_await io::switch_to(asked_on);
    co_return told;
  }

  Result<std::optional<http::Work>> work(std::string_view name, const http::Request& request) {
    if (name == "migrate") return TRY(migrations_->work(request));
    return maintenance_ ? maintenance_->work(name, request) : std::nullopt;
  }

  // By http.announce: where HTTP is served at addresses that it means.
  void announce() {
    const std::string& wanted = settings_.http.announce;
    std::vector<io::TcpAddress> addresses = http_->bound();
    if (wanted == "auto") std::erase_if(addresses, [](const io::TcpAddress& address) { return address.loopback(); });
    if (wanted == "no" || addresses.empty()) return;
    const meta::VolumeSettings& record = running_.record();
    announcer_ = discovery::Announcer::start(
        {.name = record.name, .id = to_hex(record.id), .version = version_number(), .tls = http_->secure()},
        std::move(addresses));
  }

  io::Task<void> watch_mount(io::Gate::Entry entry) {
    co_await session_->wait_unmounted();
    stop_.request();
  }

  RunningVolume& running_;
  const Settings& settings_;
  const StopSignal& stop_;
  StatusSource& status_;
  vfs::AccessLog access_log_;
  io::Gate gate_;
  std::unique_ptr<fuse::Session> session_;
  std::optional<Maintenance> maintenance_;
  std::optional<PartSweeper> sweeper_;
  std::optional<Migrations> migrations_;
  std::optional<http::EventStreams> events_;
  Neighbours neighbours_;
  std::optional<HttpDoor> http_;
  std::unique_ptr<discovery::Announcer> announcer_;
  std::unique_ptr<NfsDoor> nfs_;
  std::optional<uint64_t> write_verifier_;
  uint64_t writes_lost_ = 0;
};

Result<std::optional<fuse::MountOptions>> mount_options_of(const DaemonOptions& options, const Settings& settings) {
  if (options.mount_point.empty()) return std::nullopt;
  fuse::MountOptions mount;
  mount.mount_point = options.mount_point;
  mount.source = options.paths.root;
  if (settings.fuse_transport != "auto")
    mount.transport = settings.fuse_transport == "uring" ? fuse::TransportKind::kUring : fuse::TransportKind::kDev;
  // What the kernel writes by itself, nobody sees who could send it.
  mount.passthrough = settings.fuse_passthrough && settings.tiers.durability != "object";
  TRY(fuse::parse_mount_options(options.mount_options, mount));
  if (settings.tiers.durability == "object" && (mount.read_only || settings.tiers.lease_ns > 0))
    mount.valid_s = kKernelRemembersS;
  // The volume's folder is how status and umount find the daemon of a mount.
  mount.source = options.paths.root;
  return mount;
}

Status open_log(const DaemonOptions& options, const Settings& settings) {
  return log::open({.path = options.log_to_stderr ? "" : options.paths.log(),
                    .level = TRY(log::parse_level(settings.log_level)),
                    .json = settings.log_format == "json",
                    .rotate_bytes = settings.log_rotate_bytes,
                    .rotated_files = static_cast<uint32_t>(settings.log_rotated_files)});
}

// What whoever starts the daemon should know.
std::vector<std::string> notes_on(RunningVolume& running, const Settings& settings) {
  std::vector<std::string> notes;
  if (running.shipping() && !running.shipping()->given_up().empty()) notes.push_back(running.shipping()->given_up());
  const uint64_t chunk_bytes = running.record().chunk_bytes;
  if (settings.chunk_bytes != chunk_bytes && settings.chunk_bytes != Settings().chunk_bytes)
    notes.push_back(fmt::format("data.chunk_size is {} in firn.toml, and stays {}: it is fixed when a volume is made",
                                format_size(settings.chunk_bytes), format_size(chunk_bytes)));
  return notes;
}

// Saves nothing: that would go to paths which are somebody else's by now. What was acknowledged is in files that are
// open, and with them wherever the folder is. The mount stays, dead, so that no program writes to what is below it.
[[noreturn]] void end_at_once(const std::string& why) {
  log::error("{}; ending at once. What fsync has acknowledged is in that folder, if it is anywhere", why);
  log::flush();
  _exit(EXIT_FAILURE);
}

Result<void> serve(const DaemonOptions& options, Settings settings, const StopSignal& stop, VolumeLock& lock,
                   const std::function<void(const std::string& note)>& ready) {
  const std::optional<fuse::MountOptions> mount = TRY(mount_options_of(options, settings));
  if (!options.http.empty()) settings.http.listen = options.http;
  if (!options.announce.empty()) settings.http.announce = options.announce;
  const uint64_t descriptors = fit_descriptors(settings);
  HttpPlan http = TRY(plan_http(options.paths, settings.http));
  log::info("{}: opening {} as process {}, {} descriptors, of which HTTP has {} connections, NFS {} and {} files",
            version_text(), options.paths.root, getpid(), descriptors, settings.http.connections,
            settings.nfs.connections, settings.nfs.open_files);
  const OpenFlags flags{.read_only = mount && mount->read_only,
                        .no_atime = mount && mount->no_atime,
                        .rewinds = options.rewinds,
                        .secret = options.secret,
                        .on_lost = [&stop] { stop.request(); }};
  std::unique_ptr<RunningVolume> running = TRY(RunningVolume::open(options.paths, settings, flags));
  auto watch = TRY(VolumeWatch::start(options.paths, end_at_once));
  if (!running->was_clean()) log::warning("the last run did not end cleanly; what it left open was recovered");

  StatusSource status(*running, options.paths, settings);
  Doors doors(*running, settings, stop, status);
  Result<void> result = io::block_on(running->reactors(), doors.open(options, std::move(http), mount));
  if (result) {
    log::info("serving{}{}", options.mount_point.empty() ? "" : " at ", options.mount_point);
    log::flush();
    lock.note_serving();
    ready(fmt::format("{}", fmt::join(notes_on(*running, settings), "; ")));
    log::info("stopping: {}", stop.wait());
  }
  if (running->shipping()) io::block_on(running->reactors(), running->shipping()->abandon_readers());
  io::block_on(running->reactors(), doors.close());
  if (!result && running->shipping() && !running->shipping()->given_up().empty())
    result = fail(result.error().code(),
                  fmt::format("{}; the volume {}", result.error().message(), running->shipping()->given_up()));
  const Result<void> closed = running->close();
  if (result && !closed) result = closed;
  const bool lost_since = running->writes_lost() != doors.writes_lost();
  if (const auto verifier = doors.write_verifier(); result && verifier && !lost_since)
    if (const Status kept = keep_write_verifier(options.paths.root, *verifier); !kept.ok())
      log::warning("nfs: {}; clients will send again what they have not committed", kept.to_string());
  unlink((options.paths.root + "/" + kSocketName).c_str());
  return result;
}

}  // namespace

Result<void> run_daemon(const DaemonOptions& options, const std::function<void(const std::string& note)>& ready) {
  Settings settings = TRY(load_settings(options.paths.config()));
  if (!options.nfs_address.empty()) settings.nfs.address = options.nfs_address;
  TRY(check_nfs(settings.nfs));
  VolumeLock lock = TRY(VolumeLock::take(options.paths, options.mount_point));
  const StopSignal stop = TRY(StopSignal::create());
  TRY(open_log(options, settings));
  Result<void> result = serve(options, std::move(settings), stop, lock, ready);
  if (!result) log::error("{}", result.error().to_string());
  if (result) log::info("stopped; everything is on disk");
  log::flush();
  lock.leave(result ? "" : result.error().to_string());
  return result;
}

}  // namespace firn::cli
