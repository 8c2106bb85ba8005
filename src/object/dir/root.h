// The folder of a dir store, seen through its marker: all calls block, and act on the folder that was opened.
#pragma once

#include <functional>
#include <string>

#include "io/unique_fd.h"
#include "object/store.h"

namespace firn::object::dir {

// The marker's name. It tells the store's folder from the empty mount point of a NAS that is not mounted.
inline constexpr const char* kMarker = "firn-store";

// Move-only; closes its descriptor.
class Root {
 public:
  // kNoDevice: no folder there, or no marker in it, or that of another store (`id` empty: any will do).
  static Result<Root> open(const std::string& path, const std::string& id);
  // Makes the folder (not its parents) and the marker. kExists: it is another store's, or has other things in it.
  static Status create(const std::string& path, const std::string& id);

  // Removes the marker of a store without objects. kNotEmpty: it has some.
  static Status destroy(const std::string& path, const std::string& id);

  Status put(const std::string& key, const Content& content, bool if_absent);
  // `on_arrival`, unless it is empty, is told of each part as it comes.
  Result<Fetched> get(const std::string& key, uint64_t offset, uint64_t bytes,
                      const std::function<void(uint64_t bytes)>& on_arrival);
  Result<ObjectInfo> head(const std::string& key);
  Status remove(const std::string& key);
  // Removes what writers that died a day ago or earlier left half written.
  void sweep();

 private:
  explicit Root(int fd) : fd_(fd) {}
  Status make_parents(const std::string& key);
  Status sync_parent(const std::string& key);
  Status publish(const std::string& temporary, const std::string& key, bool if_absent);

  io::UniqueFd fd_;
};

}  // namespace firn::object::dir
