// Listing directories. The order is that of the names' bytes; a cookie is a 63-bit hash of the name it follows, so
// that it means the same whatever entries come and go.
#include <xxhash.h>

#include "vfs/volume_impl.h"

namespace firn::vfs {
namespace {

constexpr uint64_t kAfterDot = 1;
constexpr uint64_t kAfterDotDot = 2;
constexpr uint64_t kFirstNameCookie = 16;
constexpr size_t kScanPage = 1024;

uint64_t cookie_of(std::string_view name) {
  const uint64_t hash = XXH3_64bits(name.data(), name.size()) >> 1;
  return hash < kFirstNameCookie ? hash + kFirstNameCookie : hash;
}

// For a cookie that the handle does not remember: the name with this hash, which is in the directory, or was lately.
// kInvalid: nobody knows.
io::Task<Result<std::string>> find_name(meta::Service& meta, InodeId directory, uint64_t cookie) {
  std::string after;
  for (;;) {
    auto page = CO_TRY(co_await meta.readdir(directory, after, {.limit = kScanPage}));
    for (const meta::DirEntry& entry : page)
      if (cookie_of(entry.name) == cookie) co_return entry.name;
    if (page.size() < kScanPage) break;
    after = std::move(page.back().name);
  }
  const auto is_it = [cookie](std::string_view name) { return cookie_of(name) == cookie; };
  if (auto former = CO_TRY(co_await meta.find_former_name(directory, is_it))) co_return *std::move(former);
  co_return fail(Code::kInvalid);
}

}  // namespace

io::Task<Result<DirHandle*>> VolumeImpl::open_directory(const Credentials& who, InodeId inode) {
  Attr attr = CO_TRY(co_await meta_.getattr(inode));
  if (attr.type != meta::FileType::kDirectory) co_return fail(Code::kNotDirectory);
  if (!who.kernel_checked) CO_TRY(co_await meta_.access(who, inode, 4 /* R_OK */));
  co_return new DirHandle(inode);
}

void VolumeImpl::release_directory(DirHandle* handle) { delete handle; }

io::Task<Result<std::vector<Listed>>> VolumeImpl::list(DirHandle* handle, uint64_t cookie, size_t limit,
                                                       bool attributes) {
  std::vector<Listed> listed;
  listed.reserve(limit);
  std::string after;
  if (cookie == 0) co_await note_access(handle->inode);
  if (cookie < kAfterDot && listed.size() < limit)
    listed.push_back({.name = ".", .inode = handle->inode, .type = meta::FileType::kDirectory, .cookie = kAfterDot});
  if (cookie < kAfterDotDot && listed.size() < limit) {
    Attr attr = CO_TRY(co_await meta_.getattr(handle->inode));
    listed.push_back({.name = "..",
                      .inode = attr.parent ? attr.parent : handle->inode,
                      .type = meta::FileType::kDirectory,
                      .cookie = kAfterDotDot});
  }
  if (cookie >= kFirstNameCookie) {
    if (auto name = handle->name_of(cookie)) {
      after = *std::move(name);
    } else {
      after = CO_TRY(co_await find_name(meta_, handle->inode, cookie));
      handle->remember(cookie, after);
    }
  }
  if (listed.size() == limit) co_return std::move(listed);
  auto entries =
      CO_TRY(co_await meta_.readdir(handle->inode, after, {.limit = limit - listed.size(), .attributes = attributes}));
  for (meta::DirEntry& entry : entries) {
    const uint64_t next = cookie_of(entry.name);
    handle->remember(next, entry.name);
    if (entry.attr && entry.attr->type == meta::FileType::kRegular) co_await overlay(*entry.attr);
    listed.push_back({.name = std::move(entry.name),
                      .inode = entry.inode,
                      .type = entry.type,
                      .cookie = next,
                      .attr = std::move(entry.attr)});
  }
  co_return std::move(listed);
}

io::Task<Result<std::vector<Listed>>> VolumeImpl::list_after(InodeId directory, std::string name, size_t limit) {
  if (name.empty()) co_await note_access(directory);
  auto entries = CO_TRY(co_await meta_.readdir(directory, name, {.limit = limit, .attributes = true}));
  std::vector<Listed> listed;
  listed.reserve(entries.size());
  for (meta::DirEntry& entry : entries) {
    if (entry.attr && entry.attr->type == meta::FileType::kRegular) co_await overlay(*entry.attr);
    listed.push_back(
        {.name = std::move(entry.name), .inode = entry.inode, .type = entry.type, .attr = std::move(entry.attr)});
  }
  co_return std::move(listed);
}

}  // namespace firn::vfs
