#include "tier/metadata/check.h"

#include <algorithm>

#include "tier/blob_check.h"
#include "tier/metadata/log_end.h"
#include "tier/metadata/table_fetch.h"

namespace firn::tier {

namespace {

constexpr int kMaxRoots = 4;          // that come while one is being read
constexpr uint64_t kMaxLogs = 65536;  // a writer may go on faster than it is read

class Check {
 public:
  Check(const Bucket& bucket, const CheckMetadataOptions& options, io::CancelToken* token)
      : bucket_(bucket), options_(options), token_(token) {}

  io::Task<Result<MetadataReport>> run() {
    uint64_t hint = options_.root_hint;
    for (int attempt = 1;; ++attempt) {
      report_.root = CO_TRY(co_await newest_root(bucket_, hint, token_));
      report_.damage.clear();
      if (report_.root == 0) co_return std::move(report_);
      CO_TRY(co_await check_root());
      if (report_.clean() || attempt == kMaxRoots) co_return std::move(report_);
      // What an older root needs may have been removed meanwhile.
      hint = report_.root;
      if (CO_TRY(co_await newest_root(bucket_, hint, token_)) == report_.root) co_return std::move(report_);
    }
  }

 private:
  io::Task<Result<void>> check_root() {
    const Result<FoundRoot> found = co_await read_root(bucket_, report_.root, token_);
    if (!found) co_return note(root_key(report_.root), found.error());
    for (const TableRef& table : found->root.tables) {
      Result<void> read = co_await read_table(table);
      // Bytes may have been damaged on their way: what is damaged where it lies is damaged again.
      if (!read && is_damage(read.error().code())) read = co_await read_table(table);
      if (!read) CO_TRY(note(table_key(table.epoch, table.number), read.error(), table));
      ++report_.tables;
    }
    co_return co_await check_log({.place = found->root.first_log, .epoch = found->root.log_epoch});
  }

  io::Task<Result<void>> read_table(const TableRef& table) {
    return fetch_table(
        bucket_, table, options_.request_bytes, [this](std::string plain) { return spend(plain.size()); }, token_);
  }

  // `end`: at the root's first_log.
  io::Task<Result<void>> check_log(LogEnd end) {
    for (uint64_t left = kMaxLogs; left > 0; --left) {
      Result<OpenedObject> read = co_await read_log(bucket_, end.place, token_);
      if (!read && read.error() == Code::kNotFound) {
        if (end.place >= options_.log_end && !CO_TRY(co_await any_after(end))) break;
        read = co_await read_log(bucket_, end.place, token_);  // it may have been put in between
      }
      if (!read) CO_TRY(note(log_key(end.place), read.error()));
      if (!read) ++end.place;
      if (!read) continue;
      ++report_.logs;
      CO_TRY(co_await spend(read->plain.size()));
      if (read->envelope.kind == LogKind::kBreak && !end.is_stray(read->envelope)) break;
      end.pass(read->envelope);
    }
    co_return Result<void>();
  }

  io::Task<Result<bool>> any_after(LogEnd end) {
    const LogHeaders behind = CO_TRY(co_await read_log_headers(bucket_, end.place + 1, kPlacesBehind, token_));
    co_return std::ranges::any_of(behind, [&](const auto& later) { return later && !end.is_stray(*later); });
  }

  io::Task<Result<void>> spend(uint64_t bytes) {
    report_.bytes += bytes;
    if (options_.progress) options_.progress(report_.bytes);
    if (options_.pace != nullptr && !co_await options_.pace->spend(bytes, token_)) co_return fail(Code::kInterrupted);
    co_return Result<void>();
  }

  // That the store does not answer is no damage.
  Result<void> note(std::string object, const Status& what, TableRef table = {}) {
    if (!is_damage(what.code())) return fail(what);
    const bool gone = what == Code::kNotFound;
    report_.damage.push_back(
        {.object = std::move(object), .what = gone ? Status(Code::kNotFound, "it is gone") : what, .table = table});
    return {};
  }

  const Bucket& bucket_;
  const CheckMetadataOptions& options_;
  io::CancelToken* const token_;
  MetadataReport report_;
};

}  // namespace

io::Task<Result<MetadataReport>> check_metadata(Bucket bucket, CheckMetadataOptions options, io::CancelToken* token) {
  Check check(bucket, options, token);
  co_return co_await check.run();
}

}  // namespace firn::tier
