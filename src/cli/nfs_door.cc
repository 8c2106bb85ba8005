#include "cli/nfs_door.h"

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/random.h"
#include "cli/write_verifier.h"
#include "io/tcp_address.h"
#include "io/uring/uring_socket.h"
#include "nfs/rpcbind.h"
#include "nfs/server.h"

namespace firn::cli {
namespace {

constexpr uint16_t kNfsPort = 2049;
constexpr const char* kSecretName = "/nfs.key";

uint64_t short_id(const meta::VolumeSettings& record) {
  return record.id.size() < 8 ? 0 : load_be<uint64_t>(record.id.data());
}

nfs::ServerLimits limits_of(const NfsSettings& settings) {
  nfs::ServerLimits limits;
  limits.connections = static_cast<unsigned>(settings.connections);
  limits.connections_per_address = static_cast<unsigned>(settings.connections_per_address);
  return limits;
}

class OpenNfsDoor final : public NfsDoor {
 public:
  OpenNfsDoor(const Parts& parts, const NfsSettings& settings, nfs::Exports exports, const nfs::HandleSecret& secret,
              uint64_t write_verifier)
      : running_(parts.running),
        rpcbind_(settings.rpcbind),
        service_({.volume = running_.volume(),
                  .exports = std::move(exports),
                  .secret = secret,
                  .volume_id = short_id(running_.record()),
                  .sync = settings.sync,
                  .write_verifier = write_verifier,
                  .access_log = &parts.access_log,
                  .open_files = static_cast<size_t>(settings.open_files)}),
        server_({.service = service_, .reactors = running_.reactors().all(), .limits = limits_of(settings)}) {}

  io::Task<Result<void>> start(io::TcpAddress address) {
    std::unique_ptr<io::Listener> listener = CO_TRY(io::listen_tcp(address));
    const io::TcpAddress bound = CO_TRY(io::local_address_of(listener->fd()));
    if (running_.events() && !running_.was_clean()) CO_TRY(co_await service_.recall(*running_.events()));
    service_.start();
    server_.start(std::move(listener));
    address_ = bound.text();
    log::info("nfs: serving at {}", address_);
    if (rpcbind_) co_await tell_rpcbind(bound.port);
    co_return {};
  }

  const std::string& address() const override { return address_; }

  io::Task<void> close() override {
    if (rpcbind_) (void)co_await running_.pool().run([] { return nfs::unregister_from_rpcbind(); });
    co_await server_.stop();
    co_await service_.stop();
  }

  uint64_t write_verifier() const override { return service_.write_verifier(); }

 private:
  // Clients that are told the port can do without.
  io::Task<void> tell_rpcbind(uint16_t port) {
    const Result<void> told = co_await running_.pool().run([port] { return nfs::register_with_rpcbind(port); });
    if (!told) log::warning("nfs: {}; clients have to name the port {}", told.error().to_string(), port);
    rpcbind_ = told.has_value();
  }

  RunningVolume& running_;
  bool rpcbind_;
  std::string address_;
  nfs::Service service_;
  nfs::Server server_;
};

Result<io::TcpAddress> address_of(const NfsSettings& settings) {
  Result<io::TcpAddress> address = io::parse_tcp_address(settings.address, kNfsPort);
  if (!address) return fail(std::move(address).error().with_context("the address for NFS"));
  return address;
}

}  // namespace

Status check_nfs(const NfsSettings& settings) {
  if (!settings.address.empty()) TRY(address_of(settings));
  return {};
}

io::Task<Result<std::unique_ptr<NfsDoor>>> NfsDoor::open(Parts parts, const NfsSettings& settings) {
  if (settings.address.empty()) co_return nullptr;
  const io::TcpAddress address = CO_TRY(address_of(settings));
  nfs::Exports exports = CO_TRY(nfs::Exports::parse(settings.exports));
  if (!address.loopback() && settings.exports.empty())
    log::warning("nfs: {} can be reached from the network, but without nfs.exports only this machine is served",
                 address.text());
  const std::string file = parts.paths.root + kSecretName;
  const nfs::HandleSecret secret =
      CO_TRY(co_await parts.running.pool().run([&file] { return nfs::load_handle_secret(file, system_random()); }));
  const uint64_t verifier = CO_TRY(co_await parts.running.pool().run(
      [&folder = parts.paths.root] { return take_write_verifier(folder, system_random()); }));
  auto door = std::make_unique<OpenNfsDoor>(parts, settings, std::move(exports), secret, verifier);
  CO_TRY(co_await door->start(address));
  co_return std::unique_ptr<NfsDoor>(std::move(door));
}

}  // namespace firn::cli
