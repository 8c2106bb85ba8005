#include "cli/nfs_settings.h"

#include "nfs/exports.h"
#include "nfs/server.h"

namespace firn::cli {
namespace {

std::string problem_of(const std::vector<std::string>& entries) {
  const auto exports = nfs::Exports::parse(entries);
  return exports ? "" : exports.error().to_string();
}

}  // namespace

void append_schema(NfsSettings& s, config::Schema& schema) {
  constexpr size_t kMostExports = 256;
  schema.push_back({"nfs.address", config::Text{&s.address, {}},
                    "Where NFS clients are served: \"127.0.0.1:2049\" for this machine alone, \"0.0.0.0:2049\" for the "
                    "network (see nfs.exports), empty for nowhere."});
  schema.push_back({"nfs.exports", config::TextList{&s.exports, kMostExports, problem_of},
                    "What which clients may reach, each as \"PATH CLIENT(OPTIONS) ...\": \"/photos "
                    "192.168.1.0/24(ro,all_squash)\". Options: rw, ro, root_squash, no_root_squash, all_squash, "
                    "anonuid=N, anongid=N, secure, insecure. None: everything, for this machine alone."});
  schema.push_back({"nfs.sync", config::Flag{&s.sync},
                    "Names and attributes are on the disk before a client is told so. false: within sync.interval; "
                    "faster, and a power cut may take what a client believes done."});
  schema.push_back({"nfs.rpcbind", config::Flag{&s.rpcbind},
                    "Tell this machine's rpcbind, so that clients need not be given the port."});
  schema.push_back({"nfs.connections_per_address",
                    config::Integer{&s.connections_per_address, 1, nfs::ServerLimits().connections},
                    "TCP connections at once from each address; 256 from all together."});
}

}  // namespace firn::cli
