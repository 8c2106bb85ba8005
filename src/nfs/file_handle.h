// File handles: what a client holds instead of a path. They survive restarts, and nobody can make one up.
//
//   handle = version(1) zero(3) export(4) volume(8) inode(8) generation(8) mac(16)      numbers are big-endian
//
// `mac` is the first half of HMAC-SHA256 over all that is before it, with a key that never leaves the volume's folder.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/random.h"
#include "base/status.h"
#include "meta/types.h"

namespace firn::nfs {

inline constexpr size_t kHandleBytes = 48;
inline constexpr size_t kMaxHandleBytes = 64;  // NFS3_FHSIZE

using HandleBytes = std::array<std::byte, kHandleBytes>;
using HandleSecret = std::array<std::byte, 32>;

struct FileHandle {
  uint32_t exported = 0;  // Export::id: through which export the client came
  InodeId inode;
  uint64_t generation = 0;  // of the inode
  friend bool operator==(const FileHandle&, const FileHandle&) = default;
};

// Tells an inode from another that had its number before: numbers are never reused, but a volume that was restored
// from its last tier goes on with those of the moment it was saved at.
uint64_t generation_of(const meta::Attr& attr);

// Makes and checks handles of one volume. Thread-safe.
class HandleKey {
 public:
  HandleKey(const HandleSecret& secret, uint64_t volume_id);
  ~HandleKey();
  HandleKey(HandleKey&&) noexcept;

  HandleBytes seal(const FileHandle& handle) const;
  // nullopt: not one of ours, forged, or of another volume.
  std::optional<FileHandle> open(std::span<const std::byte> bytes) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  uint64_t volume_id_;
};

// The secret in the file at `path`; made up and written there, durably and for its owner alone, at the first call.
// kCorrupt when the file holds something else. Blocks: not for a reactor.
Result<HandleSecret> load_handle_secret(const std::string& path, Random& random);

}  // namespace firn::nfs
