// What procedures have in common: arguments, and how a result begins.
#pragma once

#include <string_view>

#include "nfs/procedures.h"

namespace firn::nfs::ops {

inline constexpr size_t kMaxNameArgument = 1024;  // longer than any name, so that one is told so

// diropargs3. `name` points into the request's record.
struct DirectoryName {
  std::span<const std::byte> directory;
  std::string_view name;
};

inline std::span<const std::byte> read_handle(XdrReader& in) { return in.opaque(kMaxHandleBytes); }

inline DirectoryName read_directory_name(XdrReader& in) {
  const auto directory = read_handle(in);
  return {directory, in.string(kMaxNameArgument)};
}

inline void put_status(XdrWriter& out, NfsStatus status) { out.u32(static_cast<uint32_t>(status)); }
template <class T>
void put_status(XdrWriter& out, const Result<T>& result) {
  put_status(out, result ? NfsStatus::kOk : nfs_status_of(result.error().code()));
}

inline void put_handle(Service& service, XdrWriter& out, uint32_t exported, const vfs::Attr& attr) {
  out.opaque(service.seal(exported, attr));
}

inline void put_optional_handle(Service& service, XdrWriter& out, uint32_t exported, const vfs::Attr& attr) {
  out.boolean(true);
  put_handle(service, out, exported, attr);
}

// Of file content, for the metrics.
void count_read(size_t bytes);
void count_written(size_t bytes);

// A name that can be given to something, or taken away. kInvalid: "." and "..", and what no name can be.
Status check_name(std::string_view name);

// Who asks, for one call that `witness` is to see.
inline meta::Credentials witnessed(const Target& target, meta::Witness& witness) {
  meta::Credentials who = target.who;
  who.witness = &witness;
  return who;
}

// The directory of diropargs3. `cache` becomes what it is as long as nothing is done to it.
io::Task<Result<Target>> directory_to_change(Service& service, const Request& request, const DirectoryName& where,
                                             WeakCache& cache);

// What the caller asked for beyond a mode, of something that was just made. Only root gives things away: for others
// the owner is who made it, whatever the arguments say.
io::Task<Result<vfs::Attr>> set_new_attributes(Service& service, const Target& directory, vfs::Attr made,
                                               NewAttributes wanted);

// The result of CREATE, MKDIR, SYMLINK and MKNOD: CREATE3res.
void put_made(Service& service, XdrWriter& out, uint32_t exported, const Result<vfs::Attr>& made,
              const WeakCache& directory);

}  // namespace firn::nfs::ops
