// GET /v1/ls: folders, in pages.
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "http/api.h"
#include "http/base64.h"
#include "http/json.h"
#include "http/tree_page.h"

namespace firn::http {
namespace {

constexpr uint64_t kMaxPage = 10'000;

nlohmann::json line_of(const TreeEntry& entry) {
  nlohmann::json line = entry.listed.attr ? json_of(*entry.listed.attr) : nlohmann::json::object();
  put_name(line, entry.path);
  if (entry.unreadable) line["unreadable"] = true;
  return line;
}

// The path of an entry that a listing ended with.
std::optional<std::string> cursor_of(const Request& request) {
  const auto path = from_base64url(request.parameter("after").value_or(""));
  if (!path || path->empty()) return path;
  std::string_view rest = *path;
  for (bool more = true; more;) {
    const size_t end = std::min(rest.find('/'), rest.size());
    const std::string_view name = rest.substr(0, end);
    if (name.empty() || name == "." || name == ".." || name.contains('\0')) return std::nullopt;
    more = end < rest.size();
    rest.remove_prefix(more ? end + 1 : end);
  }
  return path;
}

}  // namespace

io::Task<Result<void>> Api::list(Exchange& exchange, std::string path) {
  const Request& request = exchange.request();
  const uint64_t limit = CO_TRY(number_parameter(request, "limit", 1000));
  if (limit == 0 || limit > kMaxPage) co_return fail(Code::kInvalid, "\"limit\" must be from 1 to 10000");
  const bool recursive = CO_TRY(flag_parameter(request, "recursive"));
  const auto after = cursor_of(request);
  if (!after) co_return fail(Code::kInvalid, "\"after\" is not the \"next\" of an answer");
  const Asker who = credentials(exchange);
  const vfs::Attr attr = CO_TRY(co_await resolve(options_.volume, who, path, LastLink::kFollow));
  if (attr.type != meta::FileType::kDirectory) co_return fail(Code::kNotDirectory);
  CO_TRY(co_await options_.volume.access(who, attr.inode, R_OK));

  nlohmann::json entries = nlohmann::json::array();
  std::string last;
  TreePage page({.volume = options_.volume, .who = who, .recursive = recursive, .limit = static_cast<size_t>(limit)});
  const bool more = CO_TRY(co_await page.list(attr.inode, *after, [&](const TreeEntry& entry) {
    entries.push_back(line_of(entry));
    last = entry.path;
  }));
  nlohmann::json body = {{"entries", std::move(entries)}, {"next", nullptr}};
  if (more) body["next"] = to_base64url(last);
  co_return co_await exchange.respond({200, "application/json", dump_json(body), {}});
}

}  // namespace firn::http
