#include "data/hot/id_source.h"

#include <algorithm>
#include <span>
#include <string_view>

namespace firn::data::internal {
namespace {

// The file: this line's start, 16 hex digits, a newline. Replaced as a whole by rename.
constexpr std::string_view kHeader = "firn-ids 1 ";
constexpr uint64_t kPerFolder = IdSource::kBlockIds / kFolders;

uint64_t round_up_to_block(uint64_t id) {
  return (id + IdSource::kBlockIds - 1) / IdSource::kBlockIds * IdSource::kBlockIds;
}

}  // namespace

// 0 when the file is missing or not one of ours.
io::Task<Result<uint64_t>> IdSource::read_mark() {
  auto file = co_await disk_.open(root_ + "/ids", {});
  if (!file) {
    if (file.error() == Code::kNotFound) co_return uint64_t{0};
    co_return fail(std::move(file).error());
  }
  std::string text(64, '\0');
  size_t bytes = CO_TRY(co_await (*file)->read(0, std::as_writable_bytes(std::span(text))));
  text.resize(bytes);
  if (!text.starts_with(kHeader) || !text.ends_with('\n')) co_return uint64_t{0};
  auto digits = std::string_view(text).substr(kHeader.size(), text.size() - kHeader.size() - 1);
  co_return parse_hex16(digits).value_or(0);
}

io::Task<Result<void>> IdSource::load(BackingId highest) {
  uint64_t mark = CO_TRY(co_await read_mark());
  if (mark == 0) mark = highest ? highest.value + kSafetyGapIds : kBlockIds;
  mark_ = round_up_to_block(std::max(mark, highest.value + 1));
  used_ = kBlockIds;
  co_return {};
}

io::Task<Result<void>> IdSource::reserve_block() {
  std::string line = std::string(kHeader) + hex16(mark_ + kBlockIds) + "\n";
  std::string temporary = root_ + "/ids.new";
  {
    auto file = CO_TRY(co_await disk_.open(temporary, {.write = true, .create = true}));
    CO_TRY(co_await file->truncate(0));
    CO_TRY(co_await file->write(0, std::as_bytes(std::span(line))));
    CO_TRY(co_await file->sync(false));
  }
  CO_TRY(co_await disk_.rename(temporary, root_ + "/ids"));
  CO_TRY(co_await disk_.sync_directory(root_));
  block_ = mark_;
  mark_ += kBlockIds;
  used_ = 0;
  co_return {};
}

io::Task<Result<IdRun>> IdSource::take(size_t limit) {
  if (used_ == kBlockIds) CO_TRY(co_await reserve_block());
  // Start each block in another folder, or frequent restarts would fill the first few.
  uint64_t folder = (used_ / kPerFolder + block_ / kBlockIds) % kFolders;
  uint64_t index = used_ % kPerFolder;
  IdRun run{BackingId(block_ + index * kFolders + folder), std::min<size_t>(limit, kPerFolder - index)};
  used_ += run.count;
  co_return run;
}

}  // namespace firn::data::internal
