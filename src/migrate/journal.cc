#include "migrate/journal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <optional>

#include "base/hex.h"

namespace firn::migrate {

namespace {

// More than any number of runs leaves (Journal::kMaxFiles, kMaxContents): a journal is emptied when a run ends.
constexpr size_t kMaxJournalBytes = 32 << 20;
// No journal begins so.
constexpr std::string_view kUnreadable = "\n";

std::string_view next_word(std::string_view& line) {
  const size_t end = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return word;
}

template <class Number>
std::optional<Number> number(std::string_view word, int base = 10) {
  Number value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value, base);
  if (error != std::errc() || end != word.data() + word.size()) return std::nullopt;
  return value;
}

std::optional<Timestamp> time_of(std::string_view& line) {
  const auto seconds = number<int64_t>(next_word(line));
  const auto nanoseconds = number<uint32_t>(next_word(line));
  if (!seconds || !nanoseconds || *nanoseconds > 999'999'999 || !line.empty()) return std::nullopt;
  return Timestamp{*seconds, *nanoseconds};
}

bool apply_file(std::string_view line, JournalState& state) {
  const auto device = number<uint64_t>(next_word(line));
  const auto source = number<uint64_t>(next_word(line));
  const auto inode = number<uint64_t>(next_word(line));
  if (!state.interrupted || !device || !source || !inode || !line.empty()) return false;
  state.files[{*device, *source}] = InodeId(*inode);
  ++state.file_lines;
  return true;
}

std::optional<ContentHash> content_of(std::string_view digits) {
  ContentHash content{};
  if (digits.size() != 2 * content.size()) return std::nullopt;
  for (size_t i = 0; i < content.size(); ++i) {
    const auto byte = number<uint8_t>(digits.substr(2 * i, 2), 16);
    if (!byte) return std::nullopt;
    content[i] = *byte;
  }
  return content;
}

bool apply_content(std::string_view line, JournalState& state) {
  const auto content = content_of(next_word(line));
  const auto inode = number<uint64_t>(next_word(line));
  if (!state.interrupted || !content || !inode || !line.empty()) return false;
  state.contents.emplace_back(*content, InodeId(*inode));
  ++state.content_lines;
  return true;
}

bool apply(std::string_view line, std::string_view boot, JournalState& state) {
  const std::string_view word = next_word(line);
  if (word == "end") {
    state = {};
    return line.empty();
  }
  if (word == "file") return apply_file(line, state);
  if (word == "content") return apply_content(line, state);
  const bool begins = word == "begin";
  if (!begins && word != "safe") return false;
  const std::string_view made_in = begins ? next_word(line) : std::string_view();
  const auto time = time_of(line);
  if (!time || (begins && made_in.empty())) return false;
  if (!begins) {
    if (!state.interrupted) return false;
    state.safe = *time;
    return true;
  }
  // What an earlier run left doubtful stays so.
  if (!state.interrupted) state.safe = *time;
  state.interrupted = true;
  state.rebooted = state.rebooted || made_in != boot;
  return true;
}

// kUnreadable instead of one that is too long.
Result<std::string> read_all(int fd) {
  std::string text;
  std::array<char, 65536> buffer;
  for (;;) {
    const ssize_t got = read(fd, buffer.data(), buffer.size());
    if (got < 0) return fail(Status::from_errno(errno, "reading"));
    if (got == 0) return text;
    text.append(buffer.data(), static_cast<size_t>(got));
    if (text.size() > kMaxJournalBytes) return std::string(kUnreadable);
  }
}

}  // namespace

Result<JournalState> read_journal(std::string_view text, std::string_view boot) {
  JournalState state;
  bool first = true;
  for (size_t end; (end = text.find('\n')) != std::string_view::npos; text.remove_prefix(end + 1)) {
    const std::string_view line = text.substr(0, end);
    if (first ? line != kJournalHead : !apply(line, boot, state))
      return fail(Code::kCorrupt, "not a migration's journal");
    first = false;
  }
  if (state.rebooted) {
    state.files.clear();
    state.contents.clear();
  }
  return state;
}

Result<Journal> Journal::open(const std::string& path, const std::string& boot, Timestamp now) {
  io::UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (fd.get() < 0) return fail(Status::from_errno(errno, path));
  std::string text = TRY(read_all(fd.get()));
  const Result<JournalState> read = read_journal(text, boot);
  const JournalState before = read.value_or(JournalState{.interrupted = true, .rebooted = true, .safe = {}});
  // A clean or unreadable one begins anew. Of another, the torn last line goes.
  if (!read || !before.interrupted) text.clear();
  text.resize(text.rfind('\n') == std::string::npos ? 0 : text.rfind('\n') + 1);
  if (ftruncate(fd.get(), static_cast<off_t>(text.size())) != 0) return fail(Status::from_errno(errno, path));
  Journal journal(std::move(fd), before);
  journal.files_ = before.file_lines;
  journal.contents_ = before.content_lines;
  if (text.empty()) TRY(journal.append(std::string(kJournalHead)));
  if (text.empty() && !read) TRY(journal.append("begin unknown 0 0"));
  TRY(journal.append(fmt::format("begin {} {} {}", boot, now.seconds, now.nanoseconds)));
  return journal;
}

Status Journal::write_line(const std::string& line) {
  const std::string whole = line + "\n";
  const ssize_t written = write(fd_.get(), whole.data(), whole.size());
  if (written != static_cast<ssize_t>(whole.size())) return Status::from_errno(written < 0 ? errno : ENOSPC, "journal");
  return {};
}

Status Journal::append(const std::string& line) {
  TRY(write_line(line));
  return fdatasync(fd_.get()) == 0 ? Status() : Status::from_errno(errno, "journal");
}

Status Journal::note_file(const FileKey& key, InodeId inode) {
  if (files_ == kMaxFiles) return {};
  ++files_;
  return write_line(fmt::format("file {} {} {}", key.device, key.inode, inode.value));
}

Status Journal::note_content(const ContentHash& content, InodeId inode) {
  if (contents_ == kMaxContents) return {};
  ++contents_;
  const std::string_view bytes(reinterpret_cast<const char*>(content.data()), content.size());
  return write_line(fmt::format("content {} {}", to_hex(bytes), inode.value));
}

Status Journal::note_safe(Timestamp time) {
  // What an earlier run left doubtful is looked at as the crawl comes to it, and is so until all of it was.
  if (before_.rebooted) return {};
  return append(fmt::format("safe {} {}", time.seconds, time.nanoseconds));
}

Status Journal::note_end() { return append("end"); }

}  // namespace firn::migrate
