#include "tier/metadata/opening.h"

#include <optional>

#include "base/log.h"

namespace firn::tier {

namespace {

constexpr int kMaxReadings = 3;  // beside a writer whose collector is faster

// What is in the way now may be gone when the volume is taken over, and its writer is no longer faster; and a new one
// has nothing yet.
bool may_pass(const Status& failure) {
  return failure == Code::kUnavailable || failure == Code::kTimedOut || failure == Code::kNotFound;
}

class Opening {
 public:
  Opening(const Bucket& bucket, const MakeRestoreTarget& make_target, const OpenOptions& options,
          io::CancelToken* token)
      : bucket_(bucket), make_target_(make_target), options_(options), token_(token) {}

  io::Task<Result<OpenedVolume>> run() {
    CO_TRY(co_await read_ahead());
    Result<Writership> held = co_await take_over(bucket_, options_.take_over, token_);
    Result<void> read;
    if (held && !co_await has_caught_up(held->fence)) read = co_await read_anew(*held);
    if (held && read) co_return OpenedVolume{.held = *std::move(held), .restored = *std::move(restored_)};
    co_await drop();
    co_return fail(held ? read.error() : held.error());
  }

 private:
  io::Task<Result<void>> restore(uint64_t root_hint) {
    restored_ = CO_TRY(co_await restore_metadata(
        bucket_, make_target_(), {.volume = options_.take_over.volume, .root_hint = root_hint, .rewinds = true},
        token_));
    co_return Result<void>();
  }

  io::Task<void> drop() {
    if (restored_) (void)co_await restored_->engine->close();
    restored_.reset();
  }

  Status gap(const std::string& then) const {
    return Status(Code::kCorrupt,
                  bucket_.store.describe() + ": " + restored_->given_up.message() + then + options_.gap_advice);
  }

  // Leaves what is there only if it is all of it so far.
  io::Task<Result<void>> read_ahead() {
    Result<void> read;
    for (int reading = 1; reading <= kMaxReadings; ++reading) {
      read = co_await restore(options_.take_over.root_hint);
      if (read || read.error() != Code::kUnavailable) break;
    }
    if (!read && may_pass(read.error())) co_return Result<void>();
    CO_TRY(read);
    if (restored_->given_up.ok() && !restored_->position.at_break) co_return Result<void>();
    if (!restored_->given_up.ok() && !options_.rewinds) read = fail(gap("; nothing was changed"));
    co_await drop();
    co_return read;
  }

  // With what was put since, to the fence that has just been put: nothing comes any more before that.
  io::Task<bool> has_caught_up(uint64_t fence) {
    if (!restored_) co_return false;
    restored_->position.is_old = true;
    const RestoreOptions defaults;
    const auto replayed =
        co_await replay_log(bucket_, *restored_->engine, restored_->position, defaults.logs_in_flight, {}, token_);
    if (!replayed) log::info("metadata: it is read once more: {}", replayed.error().to_string());
    // After a break only a newer root counts.
    if (!replayed || restored_->position.at_break || restored_->position.next_log <= fence) co_return false;
    co_return (co_await restored_->engine->sync(restored_->engine->last_version())).has_value();
  }

  io::Task<Result<void>> read_anew(const Writership& held) {
    co_await drop();
    CO_TRY(co_await restore(held.root.number));
    Status& given_up = restored_->given_up;
    const Position& position = restored_->position;
    if (given_up.ok() && !position.at_break && position.next_log <= held.fence)
      given_up = Status(Code::kCorrupt, "the log has a hole: " + log_key(position.next_log) +
                                            " is missing, and what came long after it is there");
    if (given_up.ok() || options_.rewinds) co_return Result<void>();
    co_return fail(gap(""));
  }

  const Bucket& bucket_;
  const MakeRestoreTarget& make_target_;
  const OpenOptions& options_;
  io::CancelToken* const token_;
  std::optional<Restored> restored_;
};

}  // namespace

io::Task<Result<OpenedVolume>> open_volume(Bucket bucket, MakeRestoreTarget make_target, OpenOptions options,
                                           io::CancelToken* token) {
  Opening opening(bucket, make_target, options, token);
  co_return co_await opening.run();
}

}  // namespace firn::tier
