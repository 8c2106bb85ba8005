// firn serve: a volume's doors without FUSE.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/cache_folder.h"
#include "cli/command.h"
#include "cli/daemon.h"
#include "cli/http_settings.h"
#include "cli/json.h"
#include "cli/secret.h"
#include "cli/volume_folder.h"
#include "io/tcp_address.h"

namespace firn::cli {
namespace {

constexpr const char* kManual =
    "Serves VOLUME in the foreground on VOLUME/firn.sock, without mounting it: firn ls, cat, put and so on work with\n"
    "VOLUME:/PATH. Ends at SIGTERM or SIGINT, or with firn umount VOLUME.\n\n"
    "With --http, or http.listen in firn.toml, other programs and machines reach it by HTTP (docs/http-api.md). At an\n"
    "address that other machines reach it wants TLS (http.tls_certificate, http.tls_key) and a token (firn token\n"
    "create). On this machine, processes of the daemon's own user and root's need none. The local network is told of "
    "it\n"
    "by mDNS, where this machine has Avahi: firn devices.\n\n"
    "With --nfs, or nfs.address, NFSv3 clients are served, too: by default those of this machine, others as "
    "nfs.exports\n"
    "says (docs/nfs.md).";

struct Arguments {
  std::string volume, nfs, announce;
  std::vector<std::string> http;
  bool json = false;
};

void tell_serving(const VolumePaths& paths, const Arguments& arguments) {
  if (arguments.json)
    print_json({{"volume", paths.root}});
  else
    fmt::print("serving {}\n", arguments.volume);
  std::fflush(stdout);
}

Result<int> serve(const Arguments& arguments) {
  const std::string& volume = arguments.volume;
  for (const std::string& text : arguments.http)
    if (const auto address = io::parse_tcp_address(text, kHttpPort); !address)
      return misuse(fmt::format("serve: --http {}", address.error().message()));
  const VolumePaths paths = TRY(is_bucket_url(volume) ? open_cache_folder(volume, "", "") : require_volume(volume));
  const auto secret = TRY(secret_of(paths));
  TRY(run_daemon({.paths = paths,
                  .http = arguments.http,
                  .announce = arguments.announce,
                  .nfs_address = arguments.nfs,
                  .log_to_stderr = true,
                  .secret = secret},
                 [&](const std::string& note) {
                   if (!note.empty()) print_error("serve: " + note);
                   tell_serving(paths, arguments);
                 }));
  return kExitOk;
}

}  // namespace

void add_serve(Command& firn) {
  Command command = firn.add("serve", "Serve a volume without mounting it", kManual);
  auto arguments = std::make_shared<Arguments>();
  command.value("VOLUME", arguments->volume, "The volume's folder, or s3://bucket/prefix").required();
  command.value("--http", arguments->http, "Serve HTTP over TCP at HOST[:7734] too; instead of http.listen")
      .called("ADDRESS")
      .one_at_a_time();
  command
      .value("--announce", arguments->announce,
             "Tell the local network of the volume by mDNS: auto, yes or no; instead of http.announce")
      .one_of({kAnnounceChoices.begin(), kAnnounceChoices.end()});
  command
      .value("--nfs", arguments->nfs, "Serve NFS clients at an address such as 127.0.0.1:2049; instead of nfs.address")
      .called("ADDRESS");
  command.json(arguments->json, "What is served as one JSON value");
  command.runs([arguments] { return serve(*arguments); });
}

}  // namespace firn::cli
