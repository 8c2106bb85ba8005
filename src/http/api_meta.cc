// The routes of attributes: GET and PATCH of /v1/meta.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "http/api.h"
#include "http/file_state.h"
#include "http/json.h"
#include "http/meta_change.h"

namespace firn::http {
namespace {

constexpr size_t kMaxBodyBytes = 1 << 20;
// More than so much of extended attributes is told in sizes.
constexpr size_t kMaxShownBytes = 1 << 20;

LastLink last_link(bool follow) { return follow ? LastLink::kFollow : LastLink::kKeep; }

// Those that whoever asks may not read are left out.
io::Task<Result<nlohmann::json>> xattrs_of(vfs::Volume& volume, Asker who, InodeId inode) {
  nlohmann::json shown = nlohmann::json::object();
  size_t bytes = 0;
  for (const std::string& name : CO_TRY(co_await volume.listxattr(who, inode))) {
    const Result<std::string> value = co_await volume.getxattr(who, inode, name);
    if (!value || !is_utf8(name)) continue;
    bytes += value->size();
    if (bytes <= kMaxShownBytes)
      shown[name] = json_of_bytes(*value);
    else
      shown[name] = {{"bytes", value->size()}};
  }
  co_return shown;
}

// What a file is like, and its extended attributes then.
struct Described {
  FileState file;
  nlohmann::json xattrs;
};

// The wait for the state takes so long that the file may be changed or removed meanwhile: then what was seen before
// that, without a tag.
io::Task<Result<Described>> look_at(vfs::Volume& volume, Asker who, InodeId inode) {
  constexpr int kTries = 3;
  Described seen;
  for (int tries = 0; tries < kTries && !seen.file.settled; ++tries) {
    const Result<vfs::Attr> before = co_await volume.getattr(inode);
    if (!before && tries > 0) break;
    seen.file = {.attr = CO_TRY(before)};
    seen.xattrs = CO_TRY(co_await xattrs_of(volume, who, inode));
    const Result<FileState> after = co_await state_of(volume, inode);
    if (!after) break;
    if (etag_of(after->attr) == etag_of(seen.file.attr)) seen.file = *after;
  }
  co_return seen;
}

io::Task<Result<nlohmann::json>> describe(vfs::Volume& volume, Asker who, InodeId inode) {
  Described seen = CO_TRY(co_await look_at(volume, std::move(who), inode));
  nlohmann::json body = json_of(seen.file.attr);
  body["etag"] = nullptr;
  if (seen.file.settled) body["etag"] = etag_of(seen.file.attr);
  if (seen.file.attr.type == meta::FileType::kSymlink)
    put_text(body, "target", CO_TRY(co_await volume.readlink(inode)));
  body["xattrs"] = std::move(seen.xattrs);
  co_return body;
}

io::Task<Result<std::string>> read_text(Exchange& exchange) {
  std::string text;
  std::vector<std::byte> buffer(16 << 10);
  while (const size_t bytes = CO_TRY(co_await exchange.read_body(buffer))) {
    text.append(reinterpret_cast<const char*>(buffer.data()), bytes);
    if (text.size() > kMaxBodyBytes)
      co_return fail(Code::kFileTooBig, fmt::format("the body must have at most {} bytes", kMaxBodyBytes));
  }
  co_return text;
}

io::Task<Result<void>> apply(vfs::Volume& volume, Asker who, InodeId inode, const MetaChange& change) {
  if (change.sets_attributes)
    CO_TRY(co_await volume.setattr(who, inode, {.attributes = change.attributes, .size = std::nullopt}, nullptr));
  for (const auto& [name, value] : change.xattrs) {
    Result<void> done;
    if (value)
      done = co_await volume.setxattr(who, inode, name, *value, meta::XattrMode::kEither);
    else
      done = co_await volume.removexattr(who, inode, name);
    if (!done && !value && done.error() == Code::kNoAttribute) continue;  // as a merge patch has it
    if (!done && done.error() == Code::kNotSupported)
      co_return fail(Code::kInvalid, fmt::format("{}: no such kind of extended attribute", name));
    if (!done) co_return fail(std::move(done).error().with_context(name));
  }
  co_return Result<void>();
}

}  // namespace

io::Task<Result<void>> Api::get_meta(Exchange& exchange, std::string path) {
  const bool follow = CO_TRY(flag_parameter(exchange.request(), "follow"));
  const Asker who = credentials(exchange);
  const vfs::Attr attr = CO_TRY(co_await resolve(options_.volume, who, path, last_link(follow)));
  const nlohmann::json body = CO_TRY(co_await describe(options_.volume, who, attr.inode));
  co_return co_await exchange.respond({200, "application/json", dump_json(body), {}});
}

io::Task<Result<void>> Api::patch_meta(Exchange& exchange, std::string path) {
  constexpr int kTries = 10;
  const bool follow = CO_TRY(flag_parameter(exchange.request(), "follow"));
  const std::string text = CO_TRY(co_await read_text(exchange));
  const MetaChange change = CO_TRY(parse_meta_change(text));
  for (int tries = 1;; ++tries) {
    Result<std::optional<std::string>> changed = co_await change_meta(exchange, path, last_link(follow), change);
    // The path leads to another file now.
    if (!changed && changed.error() == Code::kStale && tries < kTries) continue;
    std::optional<std::string> body = CO_TRY(std::move(changed));
    if (!body) co_return co_await exchange.respond(failed_condition());
    co_return co_await exchange.respond({200, "application/json", *std::move(body), {}});
  }
}

io::Task<Result<std::optional<std::string>>> Api::change_meta(Exchange& exchange, const std::string& path,
                                                              LastLink last, const MetaChange& change) {
  vfs::Volume& volume = options_.volume;
  const Asker who = credentials(exchange);
  const vfs::Attr attr = CO_TRY(co_await resolve(volume, who, path, last));
  if (change.attributes.mode && attr.type == meta::FileType::kSymlink)
    co_return fail(Code::kInvalid, "a symbolic link has no mode; with follow=1, what it names has");
  const InodeLocks::Guard guard = co_await changing_.lock(attr.inode);
  if (check_conditions(exchange.request(), CO_TRY(co_await volume.getattr(attr.inode))) != Verdict::kProceed)
    co_return std::nullopt;
  CO_TRY(co_await apply(volume, who, attr.inode, change));
  co_return dump_json(CO_TRY(co_await describe(volume, who, attr.inode)));
}

}  // namespace firn::http
