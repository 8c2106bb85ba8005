// What FakeVolume keeps of an inode and of an open file.
#pragma once

#include <sys/stat.h>

#include "fuse/testing/fake_volume.h"

namespace firn::fuse::testing {

struct FakeVolume::Node {
  meta::Attr attr;
  Fd data;
  std::string target;
  std::map<std::string, std::pair<uint64_t, InodeId>, std::less<>> children;  // value: cookie, inode
  std::map<std::string, std::string, std::less<>> xattrs;
  int32_t passthrough_id = 0;
  size_t opens = 0;

  // The memfd is the truth of size and, after passthrough writes, of the times.
  meta::Attr current() const {
    meta::Attr out = attr;
    struct stat info{};
    if (data && fstat(data.get(), &info) == 0) {
      out.size = static_cast<uint64_t>(info.st_size);
      out.allocated_bytes = static_cast<uint64_t>(info.st_blocks) * 512;
    }
    return out;
  }
};

struct FakeVolume::OpenFile {
  NodeRef node;
};

}  // namespace firn::fuse::testing
