// What a new inode looks like: owner, group, mode, ACLs and times.
#pragma once

#include "meta/inode.h"
#include "meta/mutation.h"
#include "meta/service.h"

namespace firn::meta {

// Applies umask or the parent's default ACL, and the setgid rules. nlink is 1, or 2 for a directory.
Inode make_inode(const Credentials& who, const Inode& parent, InodeId id, const NodeSpec& spec, Timestamp now);

// Unsettled content that comes without a boot session belongs to this one.
void stamp_session(const Core& core, Content& content);

// Makes `inode`, just added to `m`, what spec.like says, where it says something. kNotPermitted: `who` is not
// privileged. kArgumentTooBig: more attributes than an inode may have. Otherwise fails as setxattr does.
Status apply_likeness(Mutation& m, const Credentials& who, const NodeSpec& spec, Inode& inode);

// What may be asked of a spec: symlink targets (kNotFound, kNameTooLong), devices (kNotPermitted), known types.
Status check_spec(const Credentials& who, const NodeSpec& spec);

// Adds a new inode named `name` to `parent` (locked, checked, the name free) and commits. Returns the new attributes.
// `name` must outlive the task.
io::Task<Result<Attr>> add_node(Mutation& m, const Credentials& who, Inode* parent, std::string_view name,
                                const NodeSpec& spec);

}  // namespace firn::meta
