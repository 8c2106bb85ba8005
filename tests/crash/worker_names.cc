// The worker's operations on names.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>

#include "worker.h"

namespace firn::crash {
namespace {

bool inode_of(const std::string& path, uint64_t& inode) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0) return false;
  inode = status.st_ino;
  return true;
}

}  // namespace

bool Worker::sync_directory() {
  std::string folder = pick_folder();
  int fd = ::open(absolute(folder).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (!outcome(fd >= 0, "open folder " + folder)) return false;
  bool ok = ::fsync(fd) == 0;
  bool proceed = outcome(ok, "fsync folder " + folder);
  ::close(fd);
  if (proceed) ledger_.directory_synced(folder);
  return proceed;
}

bool Worker::sync_volume() {
  int fd = ::open(root_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (!outcome(fd >= 0, "open the mount")) return false;
  bool proceed = outcome(::syncfs(fd) == 0, "syncfs");
  ::close(fd);
  // Linux answers syncfs on a FUSE mount by itself, so nothing that it returns was acknowledged by the daemon.
  return proceed;
}

bool Worker::make_directory() {
  std::string path = fresh_name();
  uint64_t inode = 0;
  bool ok = change_names({.path = path, .entry = {0, NodeType::kDirectory}},
                         [&] { return ::mkdir(absolute(path).c_str(), 0755) == 0 && inode_of(absolute(path), inode); });
  if (ok) ledger_.names.finish(true, inode);
  return ok;
}

bool Worker::make_symlink() {
  std::string path = fresh_name();
  uint64_t inode = 0;
  bool ok = change_names({.path = path, .entry = {0, NodeType::kSymlink}}, [&] {
    return ::symlink(path.c_str(), absolute(path).c_str()) == 0 && inode_of(absolute(path), inode);
  });
  if (ok) ledger_.names.finish(true, inode);
  return ok;
}

bool Worker::remove_directory() {
  std::string path = pick(NodeType::kDirectory);
  if (path.empty()) return true;
  const Names& names = ledger_.names.now();
  auto child = names.lower_bound(path + "/");
  if (child != names.end() && child->first.starts_with(path + "/")) return true;
  bool ok =
      change_names({.kind = Event::Kind::kRemove, .path = path}, [&] { return ::rmdir(absolute(path).c_str()) == 0; });
  if (ok) ledger_.names.finish(true);
  return ok;
}

bool Worker::unlink_name() {
  std::string path = pick(below(8) == 0 ? NodeType::kSymlink : NodeType::kFile);
  if (path.empty()) return true;
  bool ok =
      change_names({.kind = Event::Kind::kRemove, .path = path}, [&] { return ::unlink(absolute(path).c_str()) == 0; });
  if (ok) ledger_.names.finish(true);
  return ok;
}

bool Worker::link_name() {
  std::string path = pick(NodeType::kFile);
  if (path.empty()) return true;
  std::string name = fresh_name();
  Entry entry = ledger_.names.now().at(path);
  bool ok = change_names({.path = name, .entry = entry},
                         [&] { return ::link(absolute(path).c_str(), absolute(name).c_str()) == 0; });
  if (ok) ledger_.names.finish(true, entry.inode);
  return ok;
}

bool Worker::rename_name() {
  std::string path = pick(NodeType::kFile);
  if (path.empty()) return true;
  std::string target = below(2) == 0 ? pick(NodeType::kFile) : fresh_name();
  const Names& names = ledger_.names.now();
  uint64_t inode = names.at(path).inode;
  auto replaced = names.find(target);
  if (replaced != names.end() && replaced->second.inode == inode) return true;  // POSIX: does nothing
  bool replaces = replaced != names.end();
  bool ok = change_names({.kind = Event::Kind::kRename, .path = path, .new_path = target},
                         [&] { return ::rename(absolute(path).c_str(), absolute(target).c_str()) == 0; });
  if (!ok) return false;
  ledger_.names.finish(true);
  if (replaces) ledger_.replaced_by(inode);
  return true;
}

bool Worker::rename_directory() {
  std::string path = pick(NodeType::kDirectory);
  std::string target = fresh_name();
  if (path.empty() || target.starts_with(path + "/")) return true;
  bool ok = change_names({.kind = Event::Kind::kRename, .path = path, .new_path = target},
                         [&] { return ::rename(absolute(path).c_str(), absolute(target).c_str()) == 0; });
  if (ok) ledger_.names.finish(true);
  return ok;
}

bool Worker::exchange_names() {
  std::string a = pick(NodeType::kFile);
  std::string b = pick(NodeType::kFile);
  if (a.empty() || a == b) return true;
  const Names& names = ledger_.names.now();
  if (names.at(a).inode == names.at(b).inode) return true;
  bool ok = change_names({.kind = Event::Kind::kExchange, .path = a, .new_path = b}, [&] {
    return ::renameat2(AT_FDCWD, absolute(a).c_str(), AT_FDCWD, absolute(b).c_str(), RENAME_EXCHANGE) == 0;
  });
  if (ok) ledger_.names.finish(true);
  return ok;
}

}  // namespace firn::crash
