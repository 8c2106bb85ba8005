// What opens an encrypted volume: a passphrase, or the content of a key file; and the volume's key.
#pragma once

#include <optional>
#include <string>

#include "base/status.h"
#include "cli/volume_folder.h"
#include "meta/volume.h"
#include "tier/blob/sealing.h"

namespace firn::cli {

// Where a secret is looked for, in this order.
struct SecretSource {
  std::string key_file;  // all of its bytes count; empty: none
  const char* variable = "FIRN_PASSPHRASE";
  std::string question;  // for the terminal, where stdin is one: "Passphrase of ./vol"
};

// kAccessDenied: there is none to be had; the message says where it could come from. kInvalid: it is empty.
// kInterrupted: whoever was asked gave up. May wait for a person: call it before a daemon leaves its terminal.
Result<std::string> read_secret(const SecretSource& source);
// The same, for a secret that is being chosen: a person is asked twice.
Result<std::string> read_new_secret(const SecretSource& source);

// The secret of the volume there as its firn.toml says; nullopt where that says that it is not encrypted, and none is
// offered.
Result<std::optional<std::string>> secret_of(const VolumePaths& paths);

// The volume's key; nullopt: it is not encrypted. Takes half a second of processor time, and 128 MiB of memory.
// kAccessDenied: the secret is missing or not the right one.
Result<std::optional<tier::Key>> open_key(const meta::VolumeSettings& record, const std::optional<std::string>& secret);

}  // namespace firn::cli
