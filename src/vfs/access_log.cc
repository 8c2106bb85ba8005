#include "vfs/access_log.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <cstring>

#include "base/metrics.h"
#include "base/time.h"
#include "io/reactor.h"

namespace firn::vfs {
namespace {

constexpr int64_t kPollNs = 20'000'000;
constexpr std::string_view kNothing = "#\n";

metrics::Counter& dropped_lines() {
  static metrics::Counter& counter = metrics::process_registry().counter(
      "firn_accesslog_dropped_lines_total", "Lines of the access log that its readers were too slow for.");
  return counter;
}

// In quotes; what would end them or the line is escaped as in C.
std::string in_quotes(std::string_view name) {
  std::string out = "\"";
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out + '"';
}

// Finer than Clock::now(), whose steps are of milliseconds.
timespec wall_time() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return now;
}

std::string line_of(const AccessRecord& record, std::string_view result, timespec now, int64_t took_ns) {
  std::string line = fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:06}Z door={} op={}", fmt::gmtime(now.tv_sec),
                                 now.tv_nsec / 1000, record.door, record.op);
  const auto tell = [&line](std::string_view field, std::string_view text) {
    if (!text.empty()) line += fmt::format(" {}={}", field, in_quotes(text));
  };
  if (record.inode != 0) line += fmt::format(" inode={}", record.inode);
  tell("path", record.path);
  tell("new_path", record.new_path);
  tell("name", record.name);
  tell("xattr", record.xattr);
  if (record.other_inode != 0) line += fmt::format(" to={}", record.other_inode);
  tell("new_name", record.new_name);
  if (record.asked) line += fmt::format(" offset={} size={}", record.asked->offset, record.asked->bytes);
  if (record.bytes) line += fmt::format(" bytes={}", *record.bytes);
  line += fmt::format(" uid={} gid={}", record.uid, record.gid);
  if (record.pid) line += fmt::format(" pid={}", *record.pid);
  if (!record.client.empty()) line += " client=" + record.client;
  if (!record.token.empty()) line += " token=" + record.token;
  return line + fmt::format(" result={} us={}.{:03}\n", result, took_ns / 1000, took_ns % 1000);
}

}  // namespace

class AccessLog::Reader {
 public:
  void add(std::string_view line) {
    if (waiting() + line.size() > kBufferBytes) {
      ++dropped_;
      dropped_lines().add();
      return;
    }
    tell_dropped();
    lines_ += line;
  }

  size_t take(std::span<std::byte> out) {
    if (waiting() == 0) tell_dropped();
    const size_t bytes = std::min(out.size(), waiting());
    std::memcpy(out.data(), lines_.data() + taken_, bytes);
    taken_ += bytes;
    if (taken_ == lines_.size() || taken_ > kBufferBytes) {
      lines_.erase(0, taken_);
      taken_ = 0;
    }
    return bytes;
  }

 private:
  size_t waiting() const { return lines_.size() - taken_; }
  void tell_dropped() {
    if (dropped_ == 0) return;
    lines_ += fmt::format("# dropped {} lines\n", dropped_);
    dropped_ = 0;
  }

  std::string lines_;
  size_t taken_ = 0;  // of them
  uint64_t dropped_ = 0;
};

AccessLog::AccessLog() = default;
AccessLog::~AccessLog() = default;

void AccessLog::add(const AccessRecord& record, std::string_view result) {
  const int64_t took_ns = system_clock().monotonic_ns() - record.started_ns;
  const std::string line = line_of(record, result, wall_time(), took_ns);
  std::lock_guard lock(readers_mutex_);
  for (const auto& reader : readers_) reader->add(line);
}

AccessLog::Reader* AccessLog::open() {
  std::lock_guard lock(readers_mutex_);
  readers_.push_back(std::make_unique<Reader>());
  reader_count_.store(static_cast<uint32_t>(readers_.size()), std::memory_order_relaxed);
  return readers_.back().get();
}

void AccessLog::close(Reader* reader) {
  std::lock_guard lock(readers_mutex_);
  std::erase_if(readers_, [&](const auto& one) { return one.get() == reader; });
  reader_count_.store(static_cast<uint32_t>(readers_.size()), std::memory_order_relaxed);
}

io::Task<size_t> AccessLog::read(Reader* reader, std::span<std::byte> out) {
  for (int64_t waited_ns = 0; waited_ns < kIdleNs; waited_ns += kPollNs) {
    {
      std::lock_guard lock(readers_mutex_);
      if (const size_t bytes = reader->take(out); bytes > 0) co_return bytes;
    }
    co_await io::sleep_for(kPollNs);
  }
  const size_t bytes = std::min(out.size(), kNothing.size());
  std::memcpy(out.data(), kNothing.data(), bytes);
  co_return bytes;
}

}  // namespace firn::vfs
