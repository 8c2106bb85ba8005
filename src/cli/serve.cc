// firn serve: a volume's doors without FUSE.
#include <fmt/format.h>

#include "cli/cache_folder.h"
#include "cli/command.h"
#include "cli/daemon.h"
#include "cli/secret.h"
#include "cli/volume_folder.h"

namespace firn::cli {
namespace {

constexpr const char* kManual =
    "Serves VOLUME in the foreground on VOLUME/firn.sock, without mounting it: firn ls, cat, put and so on work with\n"
    "VOLUME:/PATH. Ends at SIGTERM or SIGINT, or with firn umount VOLUME.";

Result<int> serve(const std::string& volume, const std::string& http, const std::string& nfs) {
  if (!http.empty() || !nfs.empty())
    return fail(Code::kNotSupported, "--http and --nfs are not in this version; VOLUME/firn.sock is always served");
  const VolumePaths paths = TRY(is_bucket_url(volume) ? open_cache_folder(volume, "", "") : require_volume(volume));
  const auto secret = TRY(secret_of(paths));
  TRY(run_daemon({.paths = paths, .log_to_stderr = true, .secret = secret},
                 [&volume] { fmt::print("serving {}\n", volume), std::fflush(stdout); }));
  return kExitOk;
}

}  // namespace

void add_serve(CLI::App& app, Action* chosen) {
  CLI::App& command = add_command(app, "serve", "Serve a volume without mounting it", kManual);
  struct Arguments {
    std::string volume, http, nfs;
  };
  auto arguments = std::make_shared<Arguments>();
  command.add_option("VOLUME", arguments->volume, "The volume's folder, or s3://bucket/prefix")->required();
  command.add_option("--http", arguments->http, "Address for HTTP over TCP (not in this version)");
  command.add_option("--nfs", arguments->nfs, "Address for NFS (not in this version)");
  command.callback([chosen, arguments] {
    *chosen = [arguments] { return serve(arguments->volume, arguments->http, arguments->nfs); };
  });
}

}  // namespace firn::cli
