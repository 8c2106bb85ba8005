#include "base/log.h"

#include <fmt/chrono.h>
#include <spdlog/formatter.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <array>
#include <atomic>
#include <memory>
#include <mutex>

namespace firn::log {
namespace {

constexpr std::array<std::string_view, 5> kNames = {"debug", "info", "warning", "error", "off"};

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::kDebug:
      return spdlog::level::debug;
    case Level::kInfo:
      return spdlog::level::info;
    case Level::kWarning:
      return spdlog::level::warn;
    case Level::kError:
      return spdlog::level::err;
    case Level::kOff:
      break;
  }
  return spdlog::level::off;
}

std::string_view name_of(spdlog::level::level_enum level) {
  if (level <= spdlog::level::debug) return kNames[0];
  if (level == spdlog::level::info) return kNames[1];
  return level == spdlog::level::warn ? kNames[2] : kNames[3];
}

// Control characters as \n or \u001b; quotes and backslashes too in JSON. Other bytes pass as they are.
void append_escaped(std::string_view text, bool json, spdlog::memory_buf_t& to) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\n') {
      fmt::format_to(std::back_inserter(to), "\\n");
    } else if (byte < 0x20 || byte == 0x7f) {
      fmt::format_to(std::back_inserter(to), "\\u{:04x}", byte);
    } else {
      if (json && (c == '"' || c == '\\')) to.push_back('\\');
      to.push_back(c);
    }
  }
}

class LineFormatter final : public spdlog::formatter {
 public:
  explicit LineFormatter(bool json) : json_(json) {}

  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& to) override {
    using std::chrono::duration_cast;
    const auto since_epoch = message.time.time_since_epoch();
    const auto seconds = duration_cast<std::chrono::seconds>(since_epoch);
    const auto micros = duration_cast<std::chrono::microseconds>(since_epoch - seconds).count();
    const std::tm utc = fmt::gmtime(static_cast<std::time_t>(seconds.count()));
    const std::string_view text(message.payload.data(), message.payload.size());
    constexpr auto kText = "{:%Y-%m-%dT%H:%M:%S}.{:06}Z {:<7} [{}] ";
    constexpr auto kJson = R"({{"time":"{:%Y-%m-%dT%H:%M:%S}.{:06}Z","level":"{}","thread":{},"message":")";
    fmt::format_to(std::back_inserter(to), fmt::runtime(json_ ? kJson : kText), utc, micros, name_of(message.level),
                   message.thread_id);
    append_escaped(text, json_, to);
    const std::string_view end = json_ ? "\"}\n" : "\n";
    to.append(end.data(), end.data() + end.size());
  }

  std::unique_ptr<spdlog::formatter> clone() const override { return std::make_unique<LineFormatter>(json_); }

 private:
  const bool json_;
};

std::shared_ptr<spdlog::logger> make_logger(const Options& options) {
  spdlog::sink_ptr sink;
  if (options.path.empty()) {
    sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  } else {
    sink = std::make_shared<spdlog::sinks::rotating_file_sink_mt>(options.path, options.rotate_bytes,
                                                                  options.rotated_files);
  }
  auto logger = std::make_shared<spdlog::logger>("firn", std::move(sink));
  logger->set_formatter(std::make_unique<LineFormatter>(options.json));
  logger->set_level(spdlog::level::trace);  // filtered by g_level, before the message is formatted
  logger->flush_on(options.path.empty() ? spdlog::level::trace : spdlog::level::warn);
  // A full disk must not take the daemon down; the line is lost.
  logger->set_error_handler([](const std::string&) {});
  return logger;
}

std::atomic<Level> g_level = Level::kWarning;

// The logger is replaced, never destroyed under a writer: writers hold their own reference.
class Current {
 public:
  std::shared_ptr<spdlog::logger> get() {
    std::lock_guard lock(mutex_);
    if (!logger_) logger_ = make_logger({});
    return logger_;
  }
  void set(std::shared_ptr<spdlog::logger> logger) {
    std::lock_guard lock(mutex_);
    logger_ = std::move(logger);
  }

 private:
  std::mutex mutex_;  // guards logger_
  std::shared_ptr<spdlog::logger> logger_;
};

// Never destroyed: threads may log while the process exits.
Current& current() {
  static auto* instance = new Current;
  return *instance;
}

}  // namespace

Result<Level> parse_level(std::string_view name) {
  for (size_t i = 0; i < kNames.size(); ++i)
    if (kNames[i] == name) return static_cast<Level>(i);
  return fail(Code::kInvalid, fmt::format("\"{}\" is not a log level: debug, info, warning, error or off", name));
}

std::string_view level_name(Level level) { return kNames[static_cast<size_t>(level)]; }

Status open(const Options& options) {
  try {
    current().set(make_logger(options));
  } catch (const std::exception& error) {
    return Status(Code::kIo, fmt::format("log file {}: {}", options.path, error.what()));
  }
  set_level(options.level);
  return {};
}

void flush() { current().get()->flush(); }

bool enabled(Level level) { return level >= g_level.load(std::memory_order_relaxed) && level != Level::kOff; }

void set_level(Level level) { g_level.store(level, std::memory_order_relaxed); }

void write(Level level, std::string_view message) {
  current().get()->log(to_spdlog(level), spdlog::string_view_t(message.data(), message.size()));
}

}  // namespace firn::log
