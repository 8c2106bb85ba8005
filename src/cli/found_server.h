// The server that is asked where --url and FIRN_URL name none: one that announces itself on the network, else this
// machine's port 7734.
#pragma once

#include <string>

#include "base/status.h"
#include "cli/remote.h"

namespace firn::cli {

// The server of the volume with this name or id; kNotFound, kInvalid where several have it. With its token where the
// user named the authority of its certificate. Takes up to 3 s; asked again it remembers.
Result<Remote> server_on_network(const std::string& volume);

// The server of the only volume on the network, or http://localhost:7734 where none is, or where this machine has no
// Avahi. kInvalid: there are several. kNotFound: nobody listens at that port either. Takes up to 3 s; asked again it
// remembers.
Result<Remote> any_server();

}  // namespace firn::cli
