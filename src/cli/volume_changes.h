// Changes in a volume that commands ask its daemon for.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "base/time.h"
#include "cli/client.h"
#include "cli/target.h"

namespace firn::cli {

// Members as PATCH /v1/meta takes them, and its answer: all attributes. Symlinks are not followed.
Result<nlohmann::json> change_attributes(Client& client, const Target& at, const nlohmann::json& attributes,
                                         const std::string& headers = "");
Status set_attributes(Client& client, const Target& at, const nlohmann::json& attributes);
// A time as they have it.
std::string text_of(Timestamp time);

// Makes the symlink, or puts it in the place of the file that is there: at no time is there neither.
Status put_symlink(Client& client, const Target& at, const std::string& text);

// Whether there is a folder, or a symlink to one.
Result<bool> is_folder(Client& client, const Target& target);
// Makes one unless it is there, to be written in by its owner alone until it gets its own permissions.
Status make_private_folder(Client& client, const Target& target);

}  // namespace firn::cli
