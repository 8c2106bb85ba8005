// The folder of a dir store, seen through its marker: all calls block, and act on the folder that was opened.
#pragma once

#include <functional>
#include <string>

#include "io/unique_fd.h"
#include "object/store.h"

namespace firn::object::dir {

// The marker's name. It tells the store's folder from the empty mount point of a NAS that is not mounted.
inline constexpr const char* kMarker = "firn-store";

// What decides whom a folder's file system can keep from putting the same object. Thread-safe; a test has its own.
class FileSystem {
 public:
  virtual ~FileSystem() = default;
  // link(2) in `folder`: 0, or what failed.
  virtual int link(int folder, const std::string& existing, const std::string& name) const;
  // Whether no other machine can write there: it is on a block device, which the kernel has opened itself.
  virtual bool is_local(int folder) const;
};

// What becomes of an object that is there already.
enum class IfPresent : uint8_t {
  kReplace,
  kRefuse,            // one that the file system knows of: another machine may be about to make it
  kRefuseOfMachines,  // whoever made it. kNotSupported: the file system cannot
};

// Move-only; closes its descriptor. `file_system` must outlive it.
class Root {
 public:
  // kNoDevice: no folder there, or no marker in it, or that of another store (`id` empty: any will do).
  static Result<Root> open(const std::string& path, const std::string& id, const FileSystem& file_system = kernel());
  static const FileSystem& kernel();
  // Makes the folder (not its parents) and the marker. kExists: it is another store's, or has other things in it.
  static Status create(const std::string& path, const std::string& id);

  // Removes the marker of a store without objects. kNotEmpty: it has some.
  static Status destroy(const std::string& path, const std::string& id);

  Status put(const std::string& key, const Content& content, IfPresent if_present);
  // `on_arrival`, unless it is empty, is told of each part as it comes.
  Result<Fetched> get(const std::string& key, uint64_t offset, uint64_t bytes,
                      const std::function<void(uint64_t bytes)>& on_arrival);
  Result<ObjectInfo> head(const std::string& key);
  Status remove(const std::string& key);
  // Removes what writers that died a day ago or earlier left half written.
  void sweep();

 private:
  Root(int fd, const FileSystem& file_system) : fd_(fd), file_system_(&file_system) {}
  Status make_parents(const std::string& key);
  Status sync_parent(const std::string& key);
  Status publish(const std::string& temporary, const std::string& key, IfPresent if_present);

  io::UniqueFd fd_;
  const FileSystem* file_system_;
};

}  // namespace firn::object::dir
