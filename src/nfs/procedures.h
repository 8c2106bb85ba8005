// The procedures of NFS version 3 and MOUNT version 3. Each reads its arguments, and writes its result (RFC 1813) after
// the reply's head. An answer other than kSuccess makes the caller discard what was written.
#pragma once

#include <span>

#include "nfs/service.h"

namespace firn::nfs {

using Procedure = io::Task<Accepted> (*)(Service&, Request&);

struct ProcedureEntry {
  const char* name = nullptr;
  Procedure run = nullptr;
  bool once = false;  // to carry it out twice is not the same as once
};

// By procedure number.
std::span<const ProcedureEntry> nfs_procedures();
std::span<const ProcedureEntry> mount_procedures();

inline constexpr uint32_t kMountProgram = 100005;
inline constexpr uint32_t kMountVersion = 3;

namespace ops {

io::Task<Accepted> null(Service& service, Request& request);
io::Task<Accepted> getattr(Service& service, Request& request);
io::Task<Accepted> setattr(Service& service, Request& request);
io::Task<Accepted> lookup(Service& service, Request& request);
io::Task<Accepted> access(Service& service, Request& request);
io::Task<Accepted> readlink(Service& service, Request& request);
io::Task<Accepted> read(Service& service, Request& request);
io::Task<Accepted> write(Service& service, Request& request);
io::Task<Accepted> create(Service& service, Request& request);
io::Task<Accepted> mkdir(Service& service, Request& request);
io::Task<Accepted> symlink(Service& service, Request& request);
io::Task<Accepted> mknod(Service& service, Request& request);
io::Task<Accepted> remove(Service& service, Request& request);
io::Task<Accepted> rmdir(Service& service, Request& request);
io::Task<Accepted> rename(Service& service, Request& request);
io::Task<Accepted> link(Service& service, Request& request);
io::Task<Accepted> readdir(Service& service, Request& request);
io::Task<Accepted> readdirplus(Service& service, Request& request);
io::Task<Accepted> fsstat(Service& service, Request& request);
io::Task<Accepted> fsinfo(Service& service, Request& request);
io::Task<Accepted> pathconf(Service& service, Request& request);
io::Task<Accepted> commit(Service& service, Request& request);

io::Task<Accepted> mount(Service& service, Request& request);
io::Task<Accepted> dump(Service& service, Request& request);
io::Task<Accepted> unmount(Service& service, Request& request);
io::Task<Accepted> unmount_all(Service& service, Request& request);
io::Task<Accepted> exports(Service& service, Request& request);

}  // namespace ops
}  // namespace firn::nfs
