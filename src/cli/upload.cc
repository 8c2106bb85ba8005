#include "cli/upload.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <nlohmann/json.hpp>

#include "cli/listing.h"
#include "cli/part_upload.h"
#include "cli/volume_changes.h"
#include "io/unique_fd.h"

namespace firn::cli {
namespace {

Timestamp mtime_of(const struct stat& info) {
  return {info.st_mtim.tv_sec, static_cast<uint32_t>(info.st_mtim.tv_nsec)};
}

Status send_file(Client& client, Transfers& transfers, const Upload& upload, int fd) {
  struct stat info{};
  if (fstat(fd, &info) != 0) return Status::from_errno(errno, upload.from);
  const std::string mode = upload.keeps ? fmt::format("?mode={:o}", info.st_mode & 07777) : "";
  const BodySource source = [&](std::span<std::byte> buffer) -> Result<size_t> {
    const ssize_t bytes = read(fd, buffer.data(), buffer.size());
    if (bytes < 0) return fail(Status::from_errno(errno, upload.from));
    TRY(transfers.moved(static_cast<uint64_t>(bytes)));
    return static_cast<size_t>(bytes);
  };
  const Client::Reply reply = TRY(client.send("PUT", file_route(upload.to) + mode, source));
  if (!upload.keeps) return {};
  // Of this very file: where somebody has replaced it, theirs keeps its own time.
  const std::string if_match = reply.tag.empty() ? "" : fmt::format("If-Match: {}\r\n", reply.tag);
  const auto dated = change_attributes(client, upload.to, {{"mtime", text_of(mtime_of(info))}}, if_match);
  return dated || dated.error() == Code::kStale ? Status() : dated.error();
}

Status send(Client& client, Transfers& transfers, const Upload& upload, int fd) {
  struct stat info{};
  if (fstat(fd, &info) != 0) return Status::from_errno(errno, upload.from);
  const bool large = S_ISREG(info.st_mode) && static_cast<uint64_t>(info.st_size) >= kPartBytes;
  if (large && upload.from != "-" && TRY(upload_in_parts(transfers, upload, fd))) return {};
  return send_file(client, transfers, upload, fd);
}

Result<bool> is_up_to_date(Client& client, const Upload& upload) {
  struct stat info{};
  if (!upload.update || lstat(upload.from.c_str(), &info) != 0) return false;
  const Result<Entry> there = attributes_of(client, upload.to, {.follow = false});
  if (!there && there.error() == Code::kNotFound) return false;
  if (!there) return fail(there.error());
  return there->kind == FileKind::kFile && there->size == static_cast<uint64_t>(info.st_size) &&
         there->mtime == mtime_of(info);
}

// The server says that something is not there, which can only be where the file is to be.
Status with_advice(Status status) {
  if (status != Code::kNotFound) return status;
  return Status(Code::kNotFound, "there is no folder for it; make it with firn mkdir -p");
}

}  // namespace

Status upload_file(Client& client, Transfers& transfers, const Upload& upload) {
  const auto current = is_up_to_date(client, upload);
  if (!current) return on(upload.name, current.error());
  const bool standard_input = upload.from == "-";
  io::UniqueFd fd(standard_input ? dup(STDIN_FILENO) : open(upload.from.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return Status::from_errno(errno, upload.from);
  if (!*current) return on(upload.name, with_advice(send(client, transfers, upload, fd.get())));
  struct stat info{};
  if (fstat(fd.get(), &info) != 0) return Status::from_errno(errno, upload.from);
  transfers.unchanged(static_cast<uint64_t>(info.st_size));
  return {};
}

Status upload_symlink(Client& client, const Upload& upload) {
  char text[PATH_MAX];
  const ssize_t bytes = readlink(upload.from.c_str(), text, sizeof text);
  if (bytes < 0) return Status::from_errno(errno, upload.from);
  const std::string target(text, static_cast<size_t>(bytes));
  Status made = put_symlink(client, upload.to, target);
  if (made.ok()) made = copy_attributes(client, upload.from, upload.to);
  return on(upload.name, std::move(made));
}

Status copy_attributes(Client& client, const std::string& path, const Target& to) {
  struct stat info{};
  if (lstat(path.c_str(), &info) != 0) return Status::from_errno(errno, path);
  nlohmann::json attributes = {{"mtime", text_of(mtime_of(info))}};
  if (!S_ISLNK(info.st_mode)) attributes["mode"] = fmt::format("{:04o}", info.st_mode & 07777);
  return set_attributes(client, to, attributes);
}

}  // namespace firn::cli
