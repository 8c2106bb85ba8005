#include "fuse/access_log.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <string.h>
#include <time.h>

#include <algorithm>
#include <cstring>

#include "base/metrics.h"
#include "base/time.h"
#include "fuse/session_info.h"
#include "io/reactor.h"

namespace firn::fuse {
namespace {

constexpr int64_t kPollNs = 20'000'000;
constexpr std::string_view kNothing = "#\n";

metrics::Counter& dropped_lines() {
  static metrics::Counter& counter = metrics::process_registry().counter(
      "firn_fuse_accesslog_dropped_lines_total", "Lines of the access log that its readers were too slow for.");
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

std::string result_name(int error) {
  if (error == 0) return "OK";
  const char* name = strerrorname_np(error);
  return name ? name : std::to_string(error);
}

bool names_attribute(uint32_t opcode) {
  return opcode == FUSE_GETXATTR || opcode == FUSE_SETXATTR || opcode == FUSE_REMOVEXATTR;
}

// Finer than Clock::now(), whose steps are of milliseconds.
timespec wall_time() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return now;
}

std::string line_of(const AccessRecord& record, int error, uint64_t bytes, timespec now, int64_t took_ns) {
  std::string line = fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:06}Z op={} inode={}", fmt::gmtime(now.tv_sec),
                                 now.tv_nsec / 1000, opcode_name(record.opcode), record.inode);
  if (!record.name.empty()) line += (names_attribute(record.opcode) ? " xattr=" : " name=") + in_quotes(record.name);
  if (record.new_folder != 0) line += fmt::format(" to={}", record.new_folder);
  if (!record.new_name.empty()) line += " new_name=" + in_quotes(record.new_name);
  if (record.has_range) line += fmt::format(" offset={} size={} bytes={}", record.offset, record.bytes, bytes);
  line += fmt::format(" uid={} gid={} pid={} result={} us={}.{:03}\n", record.uid, record.gid, record.pid,
                      result_name(error), took_ns / 1000, took_ns % 1000);
  return line;
}

void note_range(const Request& request, AccessRecord& record) {
  switch (request.header.opcode) {
    case FUSE_READ:
    case FUSE_READDIR:
    case FUSE_READDIRPLUS:
    case FUSE_WRITE: {
      const auto in = request.op<fuse_read_in>();  // fuse_write_in begins like it
      record.has_range = true;
      record.offset = in.offset;
      record.bytes = in.size;
      return;
    }
    case FUSE_FALLOCATE: {
      const auto in = request.op<fuse_fallocate_in>();
      record.has_range = true;
      record.offset = in.offset;
      record.bytes = in.length;
      return;
    }
    case FUSE_RENAME:
    case FUSE_RENAME2:
      record.new_folder = request.op<fuse_rename2_in>().newdir;
      return;
    case FUSE_LINK:
      record.new_folder = request.op<fuse_link_in>().oldnodeid;
      return;
    default:
      return;
  }
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

std::unique_ptr<AccessRecord> AccessLog::note(const Request& request) {
  auto record = std::make_unique<AccessRecord>();
  record->started_ns = system_clock().monotonic_ns();
  record->opcode = request.header.opcode;
  record->inode = request.header.nodeid;
  record->name = request.name;
  record->new_name = request.name2;
  record->uid = request.header.uid;
  record->gid = request.header.gid;
  record->pid = request.header.pid;
  note_range(request, *record);
  return record;
}

void AccessLog::add(const AccessRecord& record, int error, uint64_t bytes) {
  const int64_t took_ns = system_clock().monotonic_ns() - record.started_ns;
  const std::string line = line_of(record, error, bytes, wall_time(), took_ns);
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

}  // namespace firn::fuse
