#include "cli/token_file.h"

#include <fcntl.h>

#include <cerrno>
#include <cstdio>

#include "cli/files.h"
#include "io/unique_fd.h"

namespace firn::cli {
namespace {

constexpr size_t kMaxBytes = 16 << 20;

Result<std::string> read_text(const std::string& file) {
  io::UniqueFd fd(open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail(Status::from_errno(errno, file));
  std::string text;
  char buffer[16 << 10];
  for (;;) {
    const ssize_t bytes = read(fd.get(), buffer, sizeof buffer);
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes < 0) return fail(Status::from_errno(errno, file));
    if (bytes == 0) return text;
    text.append(buffer, static_cast<size_t>(bytes));
    if (text.size() > kMaxBytes) return fail(Code::kCorrupt, file + ": too large to be a file of tokens");
  }
}

}  // namespace

Result<std::vector<http::Token>> load_tokens(const VolumePaths& paths) {
  Result<std::string> text = read_text(paths.tokens());
  if (!text && text.error() == Code::kNotFound) return std::vector<http::Token>();
  if (!text) return fail(text.error());
  Result<std::vector<http::Token>> tokens = http::parse_tokens(*text);
  if (!tokens) return fail(std::move(tokens).error().with_context(paths.tokens()));
  return tokens;
}

Status save_tokens(const VolumePaths& paths, const std::string& text) {
  const std::string fresh = paths.tokens() + ".new";
  TRY(remove_all(fresh));  // with another mode, perhaps
  TRY(write_file(fresh, text));
  if (std::rename(fresh.c_str(), paths.tokens().c_str()) != 0) return Status::from_errno(errno, paths.tokens());
  return sync_folder(paths.root);
}

}  // namespace firn::cli
