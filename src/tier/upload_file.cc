#include "tier/upload_file.h"

#include <algorithm>

namespace firn::tier {

void UploadRecords::add(meta::Chunk chunk, std::string content) {
  chunks.push_back(std::move(chunk));
  contents.push_back(std::move(content));
}

void UploadRecords::append(const UploadRecords& more) {
  chunks.insert(chunks.end(), more.chunks.begin(), more.chunks.end());
  contents.insert(contents.end(), more.contents.begin(), more.contents.end());
}

UploadRecords UploadRecords::slice(size_t from, size_t count) const {
  const auto begin = static_cast<ptrdiff_t>(from);
  const auto end = static_cast<ptrdiff_t>(std::min(from + count, chunks.size()));
  return {.chunks = {chunks.begin() + begin, chunks.begin() + end},
          .contents = {contents.begin() + begin, contents.begin() + end}};
}

void UploadRecords::keep_first(size_t count) {
  if (count >= chunks.size()) return;
  chunks.resize(count);
  contents.resize(count);
}

}  // namespace firn::tier
