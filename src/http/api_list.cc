// GET /v1/ls: folders, in pages.
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "http/api.h"
#include "http/json.h"
#include "http/tree_page.h"

namespace firn::http {
namespace {

nlohmann::json line_of(const TreeEntry& entry) {
  nlohmann::json line = entry.listed.attr ? json_of(*entry.listed.attr) : nlohmann::json::object();
  put_name(line, entry.path);
  if (entry.unreadable) line["unreadable"] = true;
  return line;
}

}  // namespace

io::Task<Result<void>> Api::list(Exchange& exchange, std::string path) {
  const Request& request = exchange.request();
  const PageQuestion question = CO_TRY(page_question(request));
  const bool recursive = CO_TRY(flag_parameter(request, "recursive"));
  const Asker who = credentials(exchange);
  const vfs::Attr attr = CO_TRY(co_await resolve(options_.volume, who, path, LastLink::kFollow));
  if (attr.type != meta::FileType::kDirectory) co_return fail(Code::kNotDirectory);
  CO_TRY(co_await options_.volume.access(who, attr.inode, R_OK));

  nlohmann::json entries = nlohmann::json::array();
  std::string last;
  TreePage page({.volume = options_.volume, .who = who, .recursive = recursive, .limit = question.limit});
  const bool more = CO_TRY(co_await page.list(attr.inode, question.after, [&](const TreeEntry& entry) {
    entries.push_back(line_of(entry));
    last = entry.path;
  }));
  nlohmann::json body = {{"entries", std::move(entries)}, {"next", nullptr}};
  if (more) body["next"] = next_after(last);
  co_return co_await exchange.respond({200, "application/json", dump_json(body), {}});
}

}  // namespace firn::http
