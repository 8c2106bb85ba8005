#include "worker.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include "stamp.h"

namespace firn::crash {
namespace {

constexpr size_t kMaxOpen = 12;
constexpr uint64_t kMaxFileBytes = 4 << 20;

}  // namespace

bool Worker::owns(const std::string& path) const {
  if (path == own_folder() || path.starts_with(own_folder() + "/")) return true;
  return path.starts_with("shared") && path.find("/" + own_folder() + "-") == path.find('/');
}

void Worker::run(const std::string& root, const std::atomic<bool>& stop) {
  root_ = root;
  stop_ = &stop;
  while (!stop.load(std::memory_order_relaxed) && step()) ++operations_;
}

void Worker::close_all() {
  for (OpenFile& file : open_) ::close(file.fd);
  open_.clear();
}

bool Worker::outcome(bool ok, const std::string& what) {
  if (ok) return true;
  int error = errno;
  if (!stop_->load()) failure_ = fmt::format("worker {}: {}: {}", options_.number, what, std::strerror(error));
  return false;
}

bool Worker::step() {
  bool full = ledger_.names.now().size() >= options_.max_names;
  uint64_t dice = below(100);
  if (dice < 14) return full ? unlink_name() : create_file();
  if (dice < 22) return open_file();
  if (dice < 29) return close_file();
  if (dice < 33) return unlink_name();
  if (dice < 36) return full ? true : link_name();
  if (dice < 44) return rename_name();
  if (dice < 46) return exchange_names();
  if (dice < 48) return full ? true : make_directory();
  if (dice < 49) return remove_directory();
  if (dice < 50) return rename_directory();
  if (dice < 51) return full ? true : make_symlink();
  if (dice < 53) return sync_directory();
  if (dice < 54 && below(8) == 0) return sync_volume();
  OpenFile* file = pick_open();
  if (file == nullptr) return full ? open_file() : create_file();
  if (dice < 60) return sync_file(*file);
  if (dice < 66) return truncate_file(*file);
  return write_file(*file);
}

std::string Worker::pick(NodeType type) {
  const Names& names = ledger_.names.now();
  if (names.empty()) return "";
  auto it = std::next(names.begin(), static_cast<ptrdiff_t>(below(names.size())));
  for (size_t i = 0; i < names.size(); ++i) {
    if (it->second.type == type) return it->first;
    if (++it == names.end()) it = names.begin();
  }
  return "";
}

std::string Worker::pick_folder() {
  uint64_t dice = below(4);
  if (dice == 0) return fmt::format("shared{}", below(static_cast<uint64_t>(options_.shared_folders)));
  std::string folder = dice == 1 ? "" : pick(NodeType::kDirectory);
  return folder.empty() ? own_folder() : folder;
}

std::string Worker::fresh_name() {
  std::string padding = below(16) == 0 ? std::string(200, 'n') : "";
  return fmt::format("{}/{}-{}{}", pick_folder(), own_folder(), next_name_++, padding);
}

Worker::OpenFile* Worker::pick_open() { return open_.empty() ? nullptr : &open_[below(open_.size())]; }

bool Worker::change_names(Event event, const std::function<bool()>& call) {
  std::string what = to_string(event);
  ledger_.names.begin(std::move(event));
  return outcome(call(), what);
}

bool Worker::create_file() {
  if (open_.size() >= kMaxOpen && !close_file()) return false;
  OpenFile file{.append = below(6) == 0, .synchronous = below(12) == 0};
  std::string path = fresh_name();
  int flags = O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC | (file.append ? O_APPEND : 0) | (file.synchronous ? O_SYNC : 0);
  struct stat status{};
  bool ok = change_names({.path = path, .entry = {0, NodeType::kFile}}, [&] {
    file.fd = ::open(absolute(path).c_str(), flags, 0644);
    return file.fd >= 0 && ::fstat(file.fd, &status) == 0;
  });
  if (!ok) {
    if (file.fd >= 0) ::close(file.fd);
    return false;
  }
  file.inode = status.st_ino;
  ledger_.names.finish(true, file.inode);
  ledger_.files.insert_or_assign(file.inode, FileModel(new_file_id()));
  // What its O_SYNC writes make durable has to be found again.
  if (file.synchronous) ledger_.names.settle_inode(file.inode);
  open_.push_back(file);
  if (below(4) != 0 && !write_file(open_.back())) return false;
  return below(2) == 0 || close_file();
}

bool Worker::open_file() {
  std::string path = pick(NodeType::kFile);
  if (path.empty()) return true;
  if (open_.size() >= kMaxOpen && !close_file()) return false;
  OpenFile file{.inode = ledger_.names.now().at(path).inode, .append = below(6) == 0, .synchronous = below(12) == 0};
  bool truncate = below(10) == 0;
  FileModel& model = ledger_.files.at(file.inode);
  if (truncate) model.begin_truncate(0);
  int flags = O_RDWR | O_CLOEXEC | (file.append ? O_APPEND : 0) | (file.synchronous ? O_SYNC : 0);
  file.fd = ::open(absolute(path).c_str(), flags | (truncate ? O_TRUNC : 0));
  if (!outcome(file.fd >= 0, "open " + path)) return false;
  if (truncate) model.finish(true);
  open_.push_back(file);
  return true;
}

bool Worker::close_file() {
  if (open_.empty()) return true;
  size_t index = below(open_.size());
  OpenFile file = open_[index];
  open_.erase(open_.begin() + static_cast<ptrdiff_t>(index));
  return outcome(::close(file.fd) == 0, "close");
}

bool Worker::write_file(OpenFile& file) {
  FileModel& model = ledger_.files.at(file.inode);
  uint64_t shape = below(10);
  uint64_t length = shape < 4   ? 1 + below(512)
                    : shape < 8 ? 1 + below(16384)
                    : shape < 9 ? 4096 * (1 + below(8))
                                : 1 + below(512 << 10);
  uint64_t begin = model.size();
  if (!file.append && below(3) != 0) begin = below(model.size() + 1 + (below(8) == 0 ? 100000 : 0));
  if (begin + length > kMaxFileBytes) return truncate_file(file);
  uint32_t version = model.begin_write(begin, begin + length);
  buffer_.resize(length);
  fill_stamps(buffer_, model.id(), version, begin);
  ssize_t written = ::pwrite(file.fd, buffer_.data(), length, static_cast<off_t>(begin));
  if (written >= 0 && static_cast<uint64_t>(written) < length && !stop_->load()) errno = EIO, written = -1;
  if (!outcome(written == static_cast<ssize_t>(length), fmt::format("write {} bytes at {}", length, begin)))
    return false;
  model.finish(true);
  // The file's bytes, not what its name is by now: that is fsync's.
  if (file.synchronous) ledger_.bytes_synced(file.inode);
  return true;
}

bool Worker::truncate_file(OpenFile& file) {
  FileModel& model = ledger_.files.at(file.inode);
  uint64_t size = below(3) == 0 ? below(20000) : below(model.size() + 1);
  model.begin_truncate(size);
  if (!outcome(::ftruncate(file.fd, static_cast<off_t>(size)) == 0, "ftruncate")) return false;
  model.finish(true);
  return true;
}

bool Worker::sync_file(OpenFile& file) {
  bool ok = below(2) == 0 ? ::fsync(file.fd) == 0 : ::fdatasync(file.fd) == 0;
  if (!outcome(ok, "fsync")) return false;
  ledger_.file_synced(file.inode);
  return true;
}

}  // namespace firn::crash
