#include "nfs/procedures.h"

namespace firn::nfs {
namespace {

constexpr ProcedureEntry kNfs[] = {
    {"null", ops::null},           {"getattr", ops::getattr},       {"setattr", ops::setattr, true},
    {"lookup", ops::lookup},       {"access", ops::access},         {"readlink", ops::readlink},
    {"read", ops::read},           {"write", ops::write},           {"create", ops::create, true},
    {"mkdir", ops::mkdir, true},   {"symlink", ops::symlink, true}, {"mknod", ops::mknod, true},
    {"remove", ops::remove, true}, {"rmdir", ops::rmdir, true},     {"rename", ops::rename, true},
    {"link", ops::link, true},     {"readdir", ops::readdir},       {"readdirplus", ops::readdirplus},
    {"fsstat", ops::fsstat},       {"fsinfo", ops::fsinfo},         {"pathconf", ops::pathconf},
    {"commit", ops::commit},
};

constexpr ProcedureEntry kMount[] = {
    {"mount_null", ops::null},         {"mount", ops::mount},
    {"mount_dump", ops::dump},         {"unmount", ops::unmount},
    {"unmount_all", ops::unmount_all}, {"mount_exports", ops::exports},
};

}  // namespace

std::span<const ProcedureEntry> nfs_procedures() { return kNfs; }
std::span<const ProcedureEntry> mount_procedures() { return kMount; }

}  // namespace firn::nfs
