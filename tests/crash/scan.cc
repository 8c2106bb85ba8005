#include "scan.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

namespace firn::crash {
namespace {

void scan_folder(const std::string& root, const std::string& folder, FoundTree& tree, std::vector<std::string>& wrong) {
  DIR* directory = ::opendir((root + "/" + folder).c_str());
  if (directory == nullptr) {
    wrong.push_back(fmt::format("{}: cannot be listed: {}", folder, std::strerror(errno)));
    return;
  }
  std::vector<std::string> folders;
  while (const dirent* entry = ::readdir(directory)) {
    std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    std::string path = folder.empty() ? name : folder + "/" + name;
    struct stat status{};
    if (::lstat((root + "/" + path).c_str(), &status) != 0) {
      wrong.push_back(fmt::format("{}: listed, but stat says {}", path, std::strerror(errno)));
      continue;
    }
    if (status.st_ino != entry->d_ino)
      wrong.push_back(fmt::format("{}: listed as inode {}, is {}", path, entry->d_ino, status.st_ino));
    NodeType type = S_ISDIR(status.st_mode)   ? NodeType::kDirectory
                    : S_ISLNK(status.st_mode) ? NodeType::kSymlink
                                              : NodeType::kFile;
    bool fresh =
        tree.emplace(path, FoundNode{type, status.st_ino, static_cast<uint64_t>(status.st_size), status.st_nlink})
            .second;
    if (!fresh) wrong.push_back(path + ": listed twice");
    if (type == NodeType::kDirectory) folders.push_back(path);
  }
  ::closedir(directory);
  for (const std::string& child : folders) scan_folder(root, child, tree, wrong);
}

}  // namespace

FoundTree scan_tree(const std::string& root, std::vector<std::string>& wrong) {
  FoundTree tree;
  scan_folder(root, "", tree, wrong);
  return tree;
}

bool read_whole(const std::string& path, std::vector<std::byte>& content) {
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  content.clear();
  ssize_t got = 0;
  do {
    size_t at = content.size();
    content.resize(at + (256 << 10));
    got = ::read(fd, content.data() + at, 256 << 10);
    content.resize(at + static_cast<size_t>(got > 0 ? got : 0));
  } while (got > 0);
  ::close(fd);
  return got == 0;
}

}  // namespace firn::crash
