#include "data/hot/open_file.h"

namespace firn::data::internal {

io::Task<Result<std::unique_ptr<io::File>>> open_file(io::Disk& disk, ObjectTable& table, std::string path,
                                                      io::OpenOptions options) {
  auto file = co_await disk.open(path, options);
  if (file || !(file.error() == Code::kTooManyOpen)) co_return file;
  table.trim_recent(0);
  co_return co_await disk.open(std::move(path), options);
}

}  // namespace firn::data::internal
