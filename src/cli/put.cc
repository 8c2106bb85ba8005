// firn put
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/bytes.h"
#include "cli/command.h"
#include "cli/target.h"

namespace firn::cli {
namespace {

constexpr const char* kManual =
    "Copies SOURCE, a local file or - for standard input, to PATH in a volume. PATH has its old content until the new\n"
    "one is there whole and on disk. Where PATH is a folder, the file is put into it under SOURCE's name.";

// Shows how far a long copy is, on a terminal.
class Progress {
 public:
  explicit Progress(uint64_t total) : total_(total), shown_(isatty(STDERR_FILENO) && total > (64 << 20)) {}
  ~Progress() {
    if (shown_) fmt::print(stderr, "\r\x1b[K");
  }
  void add(uint64_t bytes) {
    done_ += bytes;
    if (!shown_ || done_ < next_) return;
    next_ = done_ + total_ / 200;
    fmt::print(stderr, "\r{} of {} ({} %)\x1b[K", human_size(done_), human_size(total_), done_ * 100 / total_);
  }

 private:
  const uint64_t total_;
  const bool shown_;
  uint64_t done_ = 0, next_ = 0;
};

Result<bool> is_folder(Client& client, const Target& target) {
  const auto reply = client.call("GET", route_to("meta", target) + "?follow=1");
  if (!reply && reply.error() == Code::kNotFound) return false;
  if (!reply) return fail(reply.error());
  return reply->body.find("\"type\":\"directory\"") != std::string::npos;
}

Result<int> put(const std::string& source, const std::string& path) {
  io::UniqueFd fd(source == "-" ? dup(STDIN_FILENO) : open(source.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail(Status::from_errno(errno, source));
  struct stat info{};
  if (fstat(fd.get(), &info) != 0) return fail(Status::from_errno(errno, source));
  if (S_ISDIR(info.st_mode)) return fail(Code::kIsDirectory, fmt::format("{}: is a folder; give a file", source));
  Target target = TRY(find_target(path));
  Client client = TRY(Client::connect(target.served));
  if (const auto folder = is_folder(client, target); !folder) {
    return fail(on(path, folder.error()));
  } else if (*folder) {
    if (source == "-") return fail(Code::kIsDirectory, fmt::format("{}: is a folder; give a file name", path));
    target.inner += (target.inner.ends_with('/') ? "" : "/") + std::filesystem::path(source).filename().string();
  }
  Progress progress(S_ISREG(info.st_mode) ? static_cast<uint64_t>(info.st_size) : 0);
  const auto reply = client.send("PUT", file_route(target), [&](std::span<std::byte> buffer) -> Result<size_t> {
    const ssize_t bytes = read(fd.get(), buffer.data(), buffer.size());
    if (bytes < 0) return fail(Status::from_errno(errno, source));
    progress.add(static_cast<uint64_t>(bytes));
    return static_cast<size_t>(bytes);
  });
  if (!reply) return fail(on(path, reply.error()));
  return kExitOk;
}

}  // namespace

void add_put(Command& firn) {
  Command command = firn.add("put", "Copy a file into a volume", kManual);
  struct Arguments {
    std::string source, path;
  };
  auto arguments = std::make_shared<Arguments>();
  command.value("SOURCE", arguments->source, "A local file, or -").required();
  command.value("PATH", arguments->path, "Where to put it").required();
  command.may_be_remote();
  command.runs([arguments] { return put(arguments->source, arguments->path); });
}

}  // namespace firn::cli
