#include "http/tree_page.h"

#include <unistd.h>

#include <algorithm>

#include "http/api.h"
#include "http/base64.h"

namespace firn::http {
namespace {

constexpr uint64_t kDefaultPage = 1000, kMaxPage = 10'000;
constexpr size_t kAhead = 32;           // of each folder, where there may be many
constexpr size_t kAheadFlat = 512;      // of the only one
constexpr size_t kMaxPathBytes = 4096;  // no deeper

// The path of an entry that a listing ended with.
std::optional<std::string> cursor_of(std::string_view after) {
  const auto path = from_base64url(after);
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

bool is_gone(const Status& status) { return status == Code::kNotFound || status == Code::kStale; }

}  // namespace

Result<PageQuestion> page_question(const Request& request) {
  const uint64_t limit = TRY(number_parameter(request, "limit", kDefaultPage));
  if (limit == 0 || limit > kMaxPage) return fail(Code::kInvalid, "\"limit\" must be from 1 to 10000");
  auto after = cursor_of(request.parameter("after").value_or(""));
  if (!after) return fail(Code::kInvalid, "\"after\" is not the \"next\" of an answer");
  return PageQuestion{.limit = static_cast<size_t>(limit), .after = *std::move(after)};
}

std::string next_after(const std::string& path) { return to_base64url(path); }

// Folders that are gone, or are none any more, are where the walk goes on behind.
io::Task<Result<void>> TreePage::resume(InodeId folder, std::string after) {
  levels_.push_back({.folder = folder});
  std::string_view rest = after;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('/'), rest.size());
    Level& level = levels_.back();
    level.after = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (!options_.recursive) co_return Result<void>();
    const Result<vfs::Attr> next = co_await options_.volume.lookup(options_.who, level.folder, level.after);
    if (!next && !is_gone(next.error()) && next.error() != Code::kAccessDenied && next.error() != Code::kNameTooLong)
      co_return fail(next.error());
    if (!next || next->type != meta::FileType::kDirectory) co_return Result<void>();
    std::string path = level.path + level.after + "/";
    if (!co_await may_enter(next->inode, path)) co_return Result<void>();
    levels_.push_back({.folder = next->inode, .path = std::move(path)});
  }
  co_return Result<void>();
}

io::Task<bool> TreePage::may_enter(InodeId folder, std::string_view path) const {
  if (path.size() > kMaxPathBytes) co_return false;
  co_return (co_await options_.volume.access(options_.who, folder, R_OK | X_OK)).has_value();
}

io::Task<Result<void>> TreePage::refill(Level& level) {
  const size_t most = options_.recursive ? kAhead : std::min(kAheadFlat, options_.limit);
  auto page = co_await options_.volume.list_after(level.folder, level.after, most);
  level.at_end = !page || page->size() < most;
  if (!page && (is_gone(page.error()) || page.error() == Code::kNotDirectory)) co_return Result<void>();
  level.ahead = CO_TRY(std::move(page));
  std::ranges::reverse(level.ahead);
  co_return Result<void>();
}

io::Task<Result<bool>> TreePage::list(InodeId folder, std::string after, std::function<void(const TreeEntry&)> take) {
  CO_TRY(co_await resume(folder, std::move(after)));
  for (size_t taken = 0; !levels_.empty();) {
    Level& level = levels_.back();
    if (level.ahead.empty() && !level.at_end) CO_TRY(co_await refill(level));
    if (level.ahead.empty()) {
      levels_.pop_back();
      continue;
    }
    if (taken == options_.limit) co_return true;
    TreeEntry entry{.path = level.path + level.ahead.back().name, .listed = std::move(level.ahead.back())};
    level.ahead.pop_back();
    level.after = entry.listed.name;
    const bool enters = options_.recursive && entry.listed.type == meta::FileType::kDirectory;
    if (enters) entry.unreadable = !co_await may_enter(entry.listed.inode, entry.path);
    take(entry);
    ++taken;
    if (enters && !entry.unreadable) levels_.push_back({.folder = entry.listed.inode, .path = entry.path + "/"});
  }
  co_return false;
}

}  // namespace firn::http
