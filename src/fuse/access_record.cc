#include "fuse/access_record.h"

#include <string.h>

#include "base/time.h"
#include "fuse/session_info.h"

namespace firn::fuse {
namespace {

bool names_attribute(uint32_t opcode) {
  return opcode == FUSE_GETXATTR || opcode == FUSE_SETXATTR || opcode == FUSE_REMOVEXATTR;
}

void note_arguments(const Request& request, vfs::AccessRecord& record) {
  switch (request.header.opcode) {
    case FUSE_READ:
    case FUSE_READDIR:
    case FUSE_READDIRPLUS:
    case FUSE_WRITE: {
      const auto in = request.op<fuse_read_in>();  // fuse_write_in begins like it
      record.asked = {.offset = in.offset, .bytes = in.size};
      return;
    }
    case FUSE_FALLOCATE: {
      const auto in = request.op<fuse_fallocate_in>();
      record.asked = {.offset = in.offset, .bytes = in.length};
      return;
    }
    case FUSE_RENAME:
    case FUSE_RENAME2:
      record.other_inode = request.op<fuse_rename2_in>().newdir;
      return;
    case FUSE_LINK:
      record.other_inode = request.op<fuse_link_in>().oldnodeid;
      return;
    default:
      return;
  }
}

}  // namespace

std::unique_ptr<vfs::AccessRecord> access_record_of(const Request& request) {
  auto record = std::make_unique<vfs::AccessRecord>();
  record->started_ns = system_clock().monotonic_ns();
  record->door = "fuse";
  record->op = opcode_name(request.header.opcode);
  record->inode = request.header.nodeid;
  (names_attribute(request.header.opcode) ? record->xattr : record->name) = request.name;
  record->new_name = request.name2;
  record->uid = request.header.uid;
  record->gid = request.header.gid;
  record->pid = request.header.pid;
  note_arguments(request, *record);
  return record;
}

std::string result_name(int error) {
  if (error == 0) return "OK";
  const char* name = strerrorname_np(error);
  return name ? name : std::to_string(error);
}

}  // namespace firn::fuse
