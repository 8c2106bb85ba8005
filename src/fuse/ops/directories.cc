#include <algorithm>
#include <cstring>

#include "fuse/ops/ops.h"
#include "fuse/wire.h"

namespace firn::fuse::ops {
namespace {

// How many entries to ask the volume for: about what fits, for names of this length. Entries that do not fit are
// listed again for the kernel's next request.
constexpr size_t kTypicalName = 16;
constexpr size_t kMostEntries = 1024;

vfs::DirHandle* directory_of(uint64_t fh) { return reinterpret_cast<vfs::DirHandle*>(fh); }

size_t entry_limit(size_t buffer_bytes, size_t fixed_bytes) {
  return std::clamp<size_t>(buffer_bytes / (fixed_bytes + kTypicalName), 2, kMostEntries);
}

// Appends a fuse_dirent (after its padding's zero bytes) at `out`.
void put_dirent(std::byte* out, const vfs::Listed& entry) {
  fuse_dirent* dirent = reinterpret_cast<fuse_dirent*>(out);
  dirent->ino = entry.inode.value;
  dirent->off = entry.cookie;
  dirent->namelen = static_cast<uint32_t>(entry.name.size());
  dirent->type = dirent_type(entry.type);
  std::memcpy(out + FUSE_NAME_OFFSET, entry.name.data(), entry.name.size());
  const size_t used = FUSE_NAME_OFFSET + entry.name.size();
  std::memset(out + used, 0, FUSE_DIRENT_ALIGN(used) - used);
}

// With attributes the kernel counts a lookup of the inode; without (nodeid 0), it is only told the name.
void put_entry(Door& door, std::byte* out, const vfs::Listed& entry) {
  fuse_entry_out head{};
  if (entry.attr) {
    head = wire_entry(door.options(), *entry.attr);
    door.volume().pin(entry.attr->inode);
  }
  std::memcpy(out, &head, sizeof head);
}

size_t fill(Door& door, std::span<std::byte> buffer, const std::vector<vfs::Listed>& entries, bool plus) {
  const size_t head = plus ? sizeof(fuse_entry_out) : 0;
  size_t used = 0;
  for (const vfs::Listed& entry : entries) {
    const size_t bytes = head + FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + entry.name.size());
    if (used + bytes > buffer.size()) break;
    if (plus) put_entry(door, buffer.data() + used, entry);
    put_dirent(buffer.data() + used + head, entry);
    used += bytes;
  }
  return used;
}

}  // namespace

Operation open_directory(Door& door, Exchange& exchange) {
  const auto who = door.credentials(exchange.request);
  auto* handle = CO_TRY(co_await door.volume().open_directory(who, inode_of(exchange)));
  OpenOut out{.fh = reinterpret_cast<uint64_t>(handle), .open_flags = FOPEN_NOFLUSH, .backing_id = 0};
  if (door.options().cache_directories) out.open_flags |= FOPEN_CACHE_DIR | FOPEN_KEEP_CACHE;
  co_return exchange.answer(out);
}

Operation release_directory(Door& door, Exchange& exchange) {
  auto* handle = directory_of(exchange.request.op<fuse_release_in>().fh);
  if (!handle) co_return Code::kBadHandle;
  door.volume().release_directory(handle);
  co_return Outcome();
}

Operation list(Door& door, Exchange& exchange) {
  const auto in = exchange.request.op<fuse_read_in>();
  if (!in.fh) co_return Code::kBadHandle;
  const auto buffer = exchange.reply.first(std::min<size_t>(in.size, exchange.reply.size()));
  const size_t limit = entry_limit(buffer.size(), FUSE_NAME_OFFSET);
  const auto entries = CO_TRY(co_await door.volume().list(directory_of(in.fh), in.offset, limit, false));
  co_return Outcome(fill(door, buffer, entries, false));
}

Operation list_plus(Door& door, Exchange& exchange) {
  const auto in = exchange.request.op<fuse_read_in>();
  if (!in.fh) co_return Code::kBadHandle;
  const auto buffer = exchange.reply.first(std::min<size_t>(in.size, exchange.reply.size()));
  const size_t limit = entry_limit(buffer.size(), FUSE_NAME_OFFSET_DIRENTPLUS);
  const auto entries = CO_TRY(co_await door.volume().list(directory_of(in.fh), in.offset, limit, true));
  co_return Outcome(fill(door, buffer, entries, true));
}

Operation fsync_directory(Door& door, Exchange& exchange) {
  CO_TRY(co_await door.volume().fsync_directory(inode_of(exchange)));
  co_return Outcome();
}

}  // namespace firn::fuse::ops
