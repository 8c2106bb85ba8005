#include "cli/download.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>

#include "cli/cached_fetch.h"
#include "cli/part_file.h"

namespace firn::cli {
namespace {

constexpr int kWhole = 200, kPart = 206;

uint64_t number_of(std::string_view digits) {
  uint64_t number = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return number;
}

// Of what an answer brings: where it begins, and how large the file is.
struct Extent {
  uint64_t first = 0, file_bytes = 0;
};

Result<Extent> extent_of(const Client::Head& head) {
  if (head.status == kWhole) return Extent{0, number_of(head.header("content-length"))};
  const std::string range = head.header("content-range");  // "bytes 7-9/10"
  const size_t dash = range.find('-'), slash = range.find('/');
  if (head.status != kPart || !range.starts_with("bytes ") || dash == std::string::npos || slash == std::string::npos)
    return fail(Code::kIo, fmt::format("the daemon answered {}, and not with the file", head.status));
  const Extent extent{number_of(std::string_view(range).substr(6)),
                      number_of(std::string_view(range).substr(slash + 1))};
  if (number_of(std::string_view(range).substr(dash + 1)) + 1 != extent.file_bytes)
    return fail(Code::kIo, "the daemon sent another part of the file than it was asked for");
  return extent;
}

Status begin(PartFile& part, const Client::Head& head, const Extent& extent) {
  if (head.status == kWhole) return part.restart(head.header("etag"));
  if (extent.first + 1 == part.bytes()) return part.cut(extent.first);
  return Status(Code::kIo, "the daemon sent another part of the file than it was asked for");
}

// From its beginning, by way of the cache.
Status receive_whole(Client& client, ContentCache* cache, Transfers& transfers, const Download& download,
                     PartFile& part) {
  return fetch_cached(client, cache, download.source,
                      {.begin = [&](uint64_t, const std::string& tag) { return part.restart(tag); },
                       .sink = [&](std::span<const std::byte> data) -> Status {
                         TRY(part.append(data));
                         return transfers.moved(data.size());
                       }});
}

Status receive(Client& client, Transfers& transfers, const Download& download, PartFile& part) {
  const std::string tag = part.tag();
  const bool goes_on = part.bytes() > 0 && !tag.empty();
  ContentCache* const cache = TRY(cache_for(download.source.served));
  if (cache && !goes_on) return receive_whole(client, cache, transfers, download, part);
  Extent extent;
  Client::Incoming incoming{.begin = [&](const Client::Head& head) -> Status {
                              extent = TRY(extent_of(head));
                              transfers.resumed(extent.first);
                              return begin(part, head, extent);
                            },
                            .sink = [&](std::span<const std::byte> data) -> Status {
                              TRY(part.append(data));
                              return transfers.moved(data.size());
                            }};
  // The last byte again: there is one to be sent even where all have come.
  if (goes_on) incoming.headers = fmt::format("Range: bytes={}-\r\nIf-Range: {}\r\n", part.bytes() - 1, tag);
  TRY(client.fetch(file_route(download.source), incoming));
  if (part.bytes() == extent.file_bytes) return {};
  return Status(Code::kIo, fmt::format("{} bytes came, and {} were announced", part.bytes(), extent.file_bytes));
}

Status check_no_folder(const std::string& path) {
  struct stat info{};
  if (lstat(path.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) return {};
  return Status(Code::kIsDirectory, fmt::format("{}: is a folder, which a file cannot replace", path));
}

}  // namespace

bool is_up_to_date(const Download& download) {
  struct stat info{};
  if (lstat(download.to.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return false;
  const Timestamp mtime{info.st_mtim.tv_sec, static_cast<uint32_t>(info.st_mtim.tv_nsec)};
  return static_cast<uint64_t>(info.st_size) == download.entry.size && mtime == download.entry.mtime;
}

Status download_file(Client& client, Transfers& transfers, const Download& download) {
  TRY(check_no_folder(download.to));
  PartFile part = TRY(PartFile::open(download.to));
  if (Status received = receive(client, transfers, download, part); !received.ok()) {
    if (part.bytes() == 0) part.discard();
    return on(download.name, std::move(received));
  }
  return part.publish({.mode = local_mode(download.entry.mode), .mtime = download.entry.mtime});
}

Status download_symlink(Client& client, const Download& download) {
  Result<Entry> link = attributes_of(client, download.source, {.follow = false});
  if (!link) return on(download.name, std::move(link).error());
  if (link->kind != FileKind::kSymlink) return Status(Code::kStale, download.name + ": changed meanwhile; try again");
  const std::string part = part_path(download.to);
  unlink(part.c_str());
  const timespec times[] = {{.tv_sec = 0, .tv_nsec = UTIME_OMIT},
                            {.tv_sec = link->mtime.seconds, .tv_nsec = link->mtime.nanoseconds}};
  if (symlink(link->symlink.c_str(), part.c_str()) != 0) return Status::from_errno(errno, part);
  if (utimensat(AT_FDCWD, part.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0 ||
      rename(part.c_str(), download.to.c_str()) != 0) {
    const Status status = Status::from_errno(errno, download.to);
    unlink(part.c_str());
    return status;
  }
  return {};
}

}  // namespace firn::cli
