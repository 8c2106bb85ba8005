// An object store in a folder: a NAS share, a second disk. See README.md for what keeps a crash from harming it.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "object/store.h"

namespace firn::object {

namespace dir {
class FileSystem;
}

struct DirStoreOptions {
  std::string path;      // absolute
  std::string id;        // of the marker that must be there; empty: any
  unsigned threads = 8;  // calls in flight; a share that hangs keeps them for as long as it does
  // Whether "only if absent" must keep other machines out, too: kNotSupported on a share that cannot say so.
  bool apart_from_machines = false;
  int64_t stall_timeout_ns = kStallNs;  // with a body under way it must answer to a small question in that time
  // Told, on threads of the store's own, of each part of an object as it is read: so many bytes. May be empty.
  std::function<void(uint64_t bytes)> on_arrival = {};
  const dir::FileSystem* file_system = nullptr;  // a test's, which outlives all calls
};

// Makes the folder (its parent must be there) and its marker; blocks. kExists: it is in use for something else.
// Repeating it with the same id changes nothing.
Status create_dir_store(const std::string& path, const std::string& id);
// Takes the marker away again, where there are no objects (else kNotEmpty); blocks. The folder stays. That there is no
// such store is no failure.
Status remove_dir_store(const std::string& path, const std::string& id);

// Touches nothing yet: every call looks for the marker first, so a share may come and go.
std::unique_ptr<ObjectStore> open_dir_store(DirStoreOptions options);

}  // namespace firn::object
