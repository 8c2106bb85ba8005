#include "cli/folder_marker.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <optional>

#include "base/hex.h"
#include "base/random.h"
#include "cli/files.h"

namespace firn::cli {
namespace {

constexpr size_t kIdBytes = 16;
constexpr const char* kText = " is at work here, or was interrupted. Nothing is stored yet.\n";
constexpr std::string_view kFrom = "\nfrom ";

const char* command_of(Maker maker) { return maker == Maker::kRestore ? "firn restore" : "firn init"; }

// "…\nid 00ff…\n" gives 16 bytes; nullopt where there is no such line.
std::optional<std::string> parse_id(std::string_view text) {
  const size_t at = text.find("\nid ");
  if (at == std::string_view::npos || text.size() < at + 4 + 2 * kIdBytes) return std::nullopt;
  std::string id;
  for (size_t i = 0; i < kIdBytes; ++i) {
    const std::string digits(text.substr(at + 4 + 2 * i, 2));
    if (digits.find_first_not_of("0123456789abcdef") != std::string::npos) return std::nullopt;
    id += static_cast<char>(std::stoi(digits, nullptr, 16));
  }
  return id;
}

// An empty one is nobody's: whoever made it has come no further.
std::optional<MakerOptions> parse_maker(std::string_view text) {
  if (text.starts_with(command_of(Maker::kInit))) return MakerOptions{.maker = Maker::kInit};
  if (!text.starts_with(command_of(Maker::kRestore))) return std::nullopt;
  MakerOptions options{.maker = Maker::kRestore};
  const size_t at = text.find(kFrom);
  if (at == std::string_view::npos) return options;
  text.remove_prefix(at + kFrom.size());
  options.from = text.substr(0, text.find('\n'));
  return options;
}

std::string read_marker(int fd) {
  std::string text(8192, '\0');
  const ssize_t bytes = pread(fd, text.data(), text.size(), 0);
  text.resize(bytes > 0 ? static_cast<size_t>(bytes) : 0);
  return text;
}

std::string explain(const MakerOptions& maker, const std::string& name) {
  if (maker.maker == Maker::kInit)
    return fmt::format("{}: firn init was interrupted here and nothing is stored yet; run it again: firn init {}", name,
                       name);
  return fmt::format(
      "{}: firn restore was interrupted here, or has not ended, and nothing is stored yet; run it again: firn "
      "restore {} {}",
      name, maker.from.empty() ? "URL" : maker.from, name);
}

}  // namespace

Result<FolderMarker> FolderMarker::take(const VolumePaths& paths, const MakerOptions& options) {
  FolderMarker marker(paths);
  const std::string name = paths.marker();
  const char* path = name.c_str();
  marker.fd_ = io::UniqueFd(open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  const bool fresh = static_cast<bool>(marker.fd_);
  if (!fresh && errno == EEXIST) marker.fd_ = io::UniqueFd(open(path, O_RDWR | O_CLOEXEC));
  if (!marker.fd_) return fail(Status::from_errno(errno, name));
  // Another may have finished since somebody looked: then there are settings and no marker, or what was opened is no
  // longer the file of that name.
  if (fresh && access(paths.config().c_str(), F_OK) == 0) {
    unlink(path);
    return fail(Code::kExists, paths.root + ": somebody has just made a volume there");
  }
  struct stat held{}, named{};
  if (flock(marker.fd_.get(), LOCK_EX | LOCK_NB) != 0 || fstat(marker.fd_.get(), &held) != 0 ||
      stat(path, &named) != 0 || held.st_ino != named.st_ino) {
    const Maker maker = parse_maker(read_marker(marker.fd_.get())).value_or(MakerOptions()).maker;
    return fail(Code::kBusy, fmt::format("{}: another {} is at work there", paths.root, command_of(maker)));
  }
  TRY(marker.claim(options));
  return marker;
}

Status FolderMarker::claim(const MakerOptions& options) {
  const std::string text = read_marker(fd_.get());
  const std::optional<MakerOptions> former = parse_maker(text);
  if (former && former->maker != options.maker)
    return Status(Code::kInvalid, explain(*former, paths_.root) + ", or remove that folder");
  if (auto id = parse_id(text)) {
    id_ = *std::move(id);
    if (options.maker == Maker::kInit) return {};
  } else {
    id_.resize(kIdBytes);
    system_random().fill(std::as_writable_bytes(std::span(id_)));
  }
  const std::string from = options.from.empty() ? "" : fmt::format("from {}\n", options.from);
  if (ftruncate(fd_.get(), 0) != 0) return Status::from_errno(errno, paths_.marker());
  TRY(write_all(fd_.get(), paths_.marker(),
                fmt::format("{}{}id {}\n{}", command_of(options.maker), kText, to_hex(id_), from)));
  return sync_folder(paths_.root);
}

Status FolderMarker::remove() {
  if (unlink(paths_.marker().c_str()) != 0) return Status::from_errno(errno, paths_.marker());
  return sync_folder(paths_.root);
}

std::string explain_marker(const VolumePaths& paths, const std::string& name) {
  const io::UniqueFd fd(open(paths.marker().c_str(), O_RDONLY | O_CLOEXEC));
  return explain(fd ? parse_maker(read_marker(fd.get())).value_or(MakerOptions()) : MakerOptions(), name);
}

}  // namespace firn::cli
