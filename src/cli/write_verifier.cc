#include "cli/write_verifier.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <fstream>
#include <optional>

#include "cli/files.h"

namespace firn::cli {
namespace {

constexpr size_t kDigits = 16;

std::string file_of(const std::string& folder) { return folder + "/nfs.verifier"; }

std::optional<uint64_t> parse(const std::string& line) {
  uint64_t value = 0;
  const char* const end = line.data() + line.size();
  const auto parsed = std::from_chars(line.data(), end, value, 16);
  if (line.size() != kDigits || parsed.ec != std::errc() || parsed.ptr != end) return std::nullopt;
  return value;
}

}  // namespace

Result<uint64_t> take_write_verifier(const std::string& folder, Random& random) {
  const std::string file = file_of(folder);
  std::string line;
  std::getline(std::ifstream(file), line);
  if (unlink(file.c_str()) == 0)
    TRY(sync_folder(folder));
  else if (errno != ENOENT)
    return fail(Status::from_errno(errno, file));
  return parse(line).value_or(random.next());
}

Status keep_write_verifier(const std::string& folder, uint64_t verifier) {
  TRY(write_file(file_of(folder), fmt::format("{:016x}\n", verifier)));
  return sync_folder(folder);
}

}  // namespace firn::cli
