// UploadPass: files that change while they are read.
#include "tier/upload_pass.h"

namespace firn::tier {

namespace {

// What changes all the time is to be uploaded all the same.
constexpr int kMostInVain = 3;
constexpr size_t kMostKnown = 1 << 16;

}  // namespace

bool UploadPass::is_taken_as_it_is(const meta::Attr& attr) const {
  if (attr.content.live || beside_) return attr.content.live;
  const auto changing = memory_.changing.find(attr.inode);
  return changing != memory_.changing.end() && changing->second >= kMostInVain;
}

io::Task<Result<bool>> UploadPass::has_changed(const File& file) {
  const Result<meta::Attr> attr = co_await parts_.meta.getattr(file.inode);
  if (!attr && attr.error().code() == Code::kStale) co_return true;
  if (!attr) co_return fail(attr.error());
  if (attr->nlink == 0 && !options_.only_current) co_return true;
  const bool is_current = attr->content.generation == file.generation;
  if (options_.only_current) co_return !is_current;
  co_return file.at_rest && (!is_current || attr->content.live);
}

// A backing that has become shorter reads as zeros from there on, which never were in the file.
io::Task<Result<void>> UploadPass::expect_all_there(size_t file, io::File& backing) {
  const io::FileStat stat = CO_TRY(co_await backing.stat());
  if (stat.bytes < files_[file].bytes) files_[file].outdated = true;
  co_return Result<void>();
}

// It is not sent to no purpose, nor are so many records held in memory.
Status UploadPass::expect_room_for_another(File& file) {
  if (!file.replaces || ++file.replaced_chunks <= options_.most_replaced_chunks) return Code::kOk;
  file.refused = true;
  note_refused(file, Code::kInvalid);
  return Code::kInvalid;
}

void UploadPass::note_outdated(const File& file) {
  if (beside_) return;
  if (memory_.changing.size() >= kMostKnown) memory_.changing.clear();
  ++memory_.changing[file.inode];
}

void UploadPass::note_current(const File& file) {
  if (!beside_) memory_.changing.erase(file.inode);
}

}  // namespace firn::tier
