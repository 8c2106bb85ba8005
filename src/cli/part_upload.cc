#include "cli/part_upload.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <nlohmann/json.hpp>

#include "base/failpoint.h"
#include "cli/json.h"
#include "cli/listing.h"
#include "cli/part_file.h"
#include "cli/volume_changes.h"

namespace firn::cli {
namespace {

using nlohmann::json;

std::string origin_of(const struct stat& info) {
  char machine[HOST_NAME_MAX + 1] = {};
  gethostname(machine, HOST_NAME_MAX);
  return fmt::format("{}:{}:{}:{}:{}.{:09}:{}.{:09}", machine, info.st_dev, info.st_ino, info.st_size,
                     info.st_mtim.tv_sec, info.st_mtim.tv_nsec, info.st_ctim.tv_sec, info.st_ctim.tv_nsec);
}

std::string text_of_mode(uint32_t mode) { return fmt::format("{:04o}", mode); }

// Invariants of the part file:
//  1. While it has the attribute, all parts of it but the last that is there are on the server's disk as the local file
//     has them: a part is sent when the one before it was acknowledged.
//  2. Each change of it names the version that it changes (If-Match). Of two uploads that have it at once, one fails.
class PartUpload {
 public:
  PartUpload(Client& client, Transfers& transfers, const Upload& upload, int fd, const struct stat& info)
      : client_(client),
        transfers_(transfers),
        upload_(upload),
        fd_(fd),
        info_(info),
        part_{upload.to.served, part_path(upload.to.inner)} {}

  Status run();
  // Takes away what run() has left, if it is still that.
  void discard(Client& client);

 private:
  uint64_t bytes() const { return static_cast<uint64_t>(info_.st_size); }
  std::string if_match() const { return fmt::format("If-Match: {}\r\n", tag_); }
  Result<uint64_t> begin();
  Status create();
  Status send_part(uint64_t offset);
  Status check_unchanged() const;
  Result<uint32_t> mode();
  Status publish();
  Status unmark(uint32_t mode);
  Status take_tag(const json& attributes);

  Client& client_;
  Transfers& transfers_;
  const Upload& upload_;
  const int fd_;
  const struct stat info_;
  const Target part_;
  std::string tag_;  // of the part file as we left it
};

Status PartUpload::take_tag(const json& attributes) {
  const auto tag = attributes.find("etag");
  if (tag == attributes.end() || !tag->is_string()) return Status(Code::kStale, "somebody writes into the part file");
  tag_ = tag->get<std::string>();
  return {};
}

// Where to go on.
Result<uint64_t> PartUpload::begin() {
  const auto reply = client_.call("GET", route_to("meta", part_));
  if (!reply && reply.error() != Code::kNotFound) return fail(reply.error());
  if (reply) {
    const json there = TRY(parse_answer(reply->body));
    const Entry entry = TRY(attributes_in(there));
    const json attributes = there.value("xattrs", json::object());
    const auto origin = attributes.find(kPartOrigin);
    if (entry.kind == FileKind::kFile && entry.size > 0 && entry.size <= bytes() && origin != attributes.end() &&
        *origin == origin_of(info_) && (entry.mode & 07777) == kPartMode) {
      TRY(take_tag(there));
      return (entry.size - 1) / kPartBytes * kPartBytes;
    }
  }
  TRY(create());
  return uint64_t{0};
}

Status PartUpload::create() {
  TRY(client_.call("PUT", file_route(part_) + fmt::format("?mode={:o}", kPartMode)));
  failpoint("put.before_mark");
  return take_tag(TRY(change_attributes(client_, part_, {{"xattrs", {{kPartOrigin, origin_of(info_)}}}})));
}

Status PartUpload::send_part(uint64_t offset) {
  const uint64_t end = std::min(offset + kPartBytes, bytes());
  const BodySource source = [&, at = offset](std::span<std::byte> buffer) mutable -> Result<size_t> {
    if (at == end) return size_t{0};
    const ssize_t read = pread(fd_, buffer.data(), std::min<uint64_t>(buffer.size(), end - at), static_cast<off_t>(at));
    if (read < 0) return fail(Status::from_errno(errno, upload_.from));
    if (read == 0) return fail(Code::kStale, upload_.from + ": was cut off meanwhile");
    TRY(transfers_.moved(static_cast<uint64_t>(read)));
    at += static_cast<uint64_t>(read);
    return static_cast<size_t>(read);
  };
  const auto reply = TRY(
      client_.send("PATCH", fmt::format("{}?offset={}", file_route(part_), offset), source, if_match(), end - offset));
  tag_ = reply.tag;
  return tag_.empty() ? Status(Code::kStale, "somebody writes into the part file") : Status();
}

Status PartUpload::check_unchanged() const {
  struct stat now{};
  if (fstat(fd_, &now) != 0) return Status::from_errno(errno, upload_.from);
  return origin_of(now) == origin_of(info_) ? Status() : Status(Code::kStale, upload_.from + ": changed meanwhile");
}

Result<uint32_t> PartUpload::mode() {
  constexpr uint32_t kNew = 0644;
  if (upload_.keeps) return info_.st_mode & 07777;
  const Result<Entry> old = attributes_of(client_, upload_.to, {.follow = false});
  if (!old && old.error() != Code::kNotFound) return fail(old.error());
  return old && old->kind == FileKind::kFile ? old->mode & 0777 : kNew;
}

// On a file that has its name the attribute means nothing. Its owner may not remove it from one that they may not
// write.
Status PartUpload::unmark(uint32_t mode) {
  constexpr uint32_t kOwnerWrites = 0200;
  json without = {{"xattrs", {{kPartOrigin, nullptr}}}};
  if (change_attributes(client_, upload_.to, without) || (mode & kOwnerWrites) != 0) return {};
  without["mode"] = text_of_mode(mode | kOwnerWrites);
  (void)change_attributes(client_, upload_.to, without);
  return set_attributes(client_, upload_.to, {{"mode", text_of_mode(mode)}});
}

Status PartUpload::publish() {
  const uint32_t published = TRY(mode());
  json attributes = {{"mode", text_of_mode(published)}};
  if (upload_.keeps)
    attributes["mtime"] = text_of({info_.st_mtim.tv_sec, static_cast<uint32_t>(info_.st_mtim.tv_nsec)});
  const json changed = TRY(change_attributes(client_, part_, attributes, if_match()));
  TRY(take_tag(changed));
  failpoint("put.before_move");
  TRY(client_.call("POST",
                   fmt::format("/v1/move?from={}&to={}&durable=1", http::encode_parameter(part_.inner),
                               http::encode_parameter(upload_.to.inner)),
                   if_match()));
  failpoint("put.after_move");
  return unmark(published);  // not before: a part without it stays for ever
}

Status PartUpload::run() {
  const uint64_t first = TRY(begin());
  transfers_.resumed(first);
  for (uint64_t offset = first; offset < bytes(); offset += kPartBytes) TRY(send_part(offset));
  TRY(check_unchanged());
  return publish();
}

void PartUpload::discard(Client& client) {
  if (!tag_.empty()) (void)client.call("DELETE", file_route(part_), if_match());
}

}  // namespace

Result<bool> upload_in_parts(Transfers& transfers, const Upload& upload, int fd) {
  struct stat info{};
  if (fstat(fd, &info) != 0) return fail(Status::from_errno(errno, upload.from));
  Client client = TRY(Client::connect(upload.to.served));
  PartUpload parts(client, transfers, upload, fd, info);
  const Status status = parts.run();
  if (status.ok()) return true;
  if (status != Code::kStale && status != Code::kNameTooLong) return fail(status);
  // Who was refused in the middle of a body has no connection any more.
  if (auto fresh = Client::connect(upload.to.served)) parts.discard(*fresh);
  return false;
}

}  // namespace firn::cli
