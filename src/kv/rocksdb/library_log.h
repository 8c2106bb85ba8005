// Receives the library's messages: warnings go to the owner, and corruption reports are kept for error messages.
#pragma once

#include <rocksdb/env.h>

#include <functional>
#include <mutex>
#include <string>
#include <string_view>

namespace firn::kv::rocks {

// Thread-safe.
class LibraryLog final : public rocksdb::Logger {
 public:
  explicit LibraryLog(std::function<void(std::string_view)> sink)
      : rocksdb::Logger(rocksdb::InfoLogLevel::WARN_LEVEL), sink_(std::move(sink)) {}

  using rocksdb::Logger::Logv;
  void Logv(const char* format, va_list arguments) override;

  // The first report of damaged bytes so far (it names the file), or an empty string.
  std::string damage() const;

 private:
  std::function<void(std::string_view)> sink_;
  mutable std::mutex damage_mutex_;
  std::string damage_;
};

}  // namespace firn::kv::rocks
