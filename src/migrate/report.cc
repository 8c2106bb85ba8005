#include "migrate/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/hex.h"

namespace firn::migrate {

namespace {

constexpr uint64_t kExcerptLines = 20;
constexpr std::array<std::string_view, kOutcomes> kNames = {"copied",   "linked",  "unchanged", "updated",
                                                            "replaced", "renamed", "skipped",   "failed"};

size_t index_of(Outcome outcome) { return static_cast<size_t>(outcome); }

// The length of the UTF-8 sequence that `text` begins with (RFC 3629); 0: it begins with none.
size_t utf8_length(std::string_view text) {
  const auto byte = [&](size_t at) { return static_cast<uint8_t>(text[at]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return 1;
  const size_t length = lead >= 0xC2 && lead < 0xE0   ? 2
                        : lead >= 0xE0 && lead < 0xF0 ? 3
                        : lead >= 0xF0 && lead < 0xF5 ? 4
                                                      : 0;
  if (length == 0 || text.size() < length) return 0;
  for (size_t at = 1; at < length; ++at)
    if ((byte(at) & 0xC0) != 0x80) return 0;
  const uint8_t second = byte(1);
  const bool overlong = (lead == 0xE0 && second < 0xA0) || (lead == 0xF0 && second < 0x90);
  const bool outside = (lead == 0xED && second >= 0xA0) || (lead == 0xF4 && second >= 0x90);
  return overlong || outside ? 0 : length;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const size_t length = utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

// Control characters would make two lines of one.
std::string printable(std::string_view text) {
  std::string out(text);
  std::ranges::replace_if(out, [](char c) { return static_cast<uint8_t>(c) < 0x20 || c == 0x7f; }, '?');
  return out;
}

}  // namespace

std::string_view name_of(Outcome outcome) { return kNames[index_of(outcome)]; }

uint64_t Tally::found() const {
  return std::accumulate(files.begin(), files.end(), uint64_t{0}) +
         std::accumulate(folders.begin(), folders.end(), uint64_t{0});
}

uint64_t Tally::failed() const { return files[index_of(Outcome::kFailed)] + folders[index_of(Outcome::kFailed)]; }

std::string json_string(std::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    const size_t length = utf8_length(text);
    const char c = text[0];
    if (length == 0) {
      out += "\xEF\xBF\xBD";
    } else if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (static_cast<uint8_t>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  return out + "\"";
}

void Report::add(Found found) {
  std::string line;
  if (listed_) {
    line = fmt::format(R"({{"path":{})", json_string(found.path));
    if (!is_utf8(found.path)) line += fmt::format(R"(,"path_hex":"{}")", to_hex(found.path));
    line += fmt::format(R"(,"outcome":"{}")", name_of(found.outcome));
    if (!found.reason.empty()) line += fmt::format(R"(,"reason":{})", json_string(found.reason));
    line += "}\n";
  }
  const std::lock_guard lock(mutex_);
  ++(found.is_folder ? tally_.folders : tally_.files)[index_of(found.outcome)];
  tally_.bytes += found.bytes;
  const bool made =
      found.outcome == Outcome::kCopied || found.outcome == Outcome::kReplaced || found.outcome == Outcome::kRenamed;
  if (made) tally_.copied_bytes += found.bytes;
  if (made && found.is_equal) {
    ++tally_.equal_files;
    tally_.equal_bytes += found.equal_bytes;
    tally_.shared_bytes += found.shared_bytes;
  }
  lines_ += line;
  const bool telling = found.outcome == Outcome::kFailed || found.outcome == Outcome::kSkipped;
  if (telling && ++excerpt_lines_ <= kExcerptLines)
    excerpt_ += fmt::format("{}: {}: {}\n", name_of(found.outcome), printable(found.path), printable(found.reason));
}

void Report::add_lost_xattrs() {
  const std::lock_guard lock(mutex_);
  ++tally_.lost_xattrs;
}

Tally Report::tally() const {
  const std::lock_guard lock(mutex_);
  return tally_;
}

std::string Report::take_lines() {
  const std::lock_guard lock(mutex_);
  return std::exchange(lines_, {});
}

std::string Report::excerpt() const {
  const std::lock_guard lock(mutex_);
  if (excerpt_lines_ <= kExcerptLines) return excerpt_;
  return excerpt_ + fmt::format("... and {} more\n", excerpt_lines_ - kExcerptLines);
}

std::string json_of(const Tally& tally) {
  std::string out = fmt::format(R"("found":{})", tally.found());
  for (size_t i = 0; i < kOutcomes; ++i)
    out += fmt::format(R"(,"{}":{})", kNames[i], tally.files[i] + tally.folders[i]);
  const uint64_t folders = std::accumulate(tally.folders.begin(), tally.folders.end(), uint64_t{0});
  out += fmt::format(R"(,"equal_files":{},"equal_bytes":{},"shared_bytes":{})", tally.equal_files, tally.equal_bytes,
                     tally.shared_bytes);
  return out + fmt::format(R"(,"folders":{},"bytes":{},"copied_bytes":{},"lost_xattrs":{})", folders, tally.bytes,
                           tally.copied_bytes, tally.lost_xattrs);
}

}  // namespace firn::migrate
