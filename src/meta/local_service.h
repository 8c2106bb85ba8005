// meta::LocalService: the namespace over a key-value engine. One file per operation in ops/.
#pragma once

#include <memory>

#include "meta/options.h"
#include "meta/service.h"
#include "meta/tiering.h"

namespace firn::meta {

struct Core;
class Mutation;

// See Service for the contract. Arguments passed by reference or view must outlive the returned task.
// The engine outlives the service; volume.h formats it and checks that it may be used.
class LocalService final : public Service, public Tiering {
 public:
  LocalService(kv::Engine& engine, const Options& options);
  ~LocalService() override;

  io::Task<Result<Attr>> lookup(const Credentials& who, InodeId parent, std::string_view name) override;
  io::Task<Result<Attr>> getattr(InodeId inode) override;
  io::Task<Result<Attr>> setattr(const Credentials& who, InodeId inode, const SetAttr& change) override;
  io::Task<Result<void>> access(const Credentials& who, InodeId inode, int mask) override;

  io::Task<Result<Attr>> make_node(const Credentials& who, InodeId parent, std::string_view name,
                                   const NodeSpec& spec) override;
  io::Task<Result<Created>> create(const Credentials& who, InodeId parent, std::string_view name, const NodeSpec& spec,
                                   bool exclusive) override;
  io::Task<Result<Attr>> create_unnamed(const Credentials& who, InodeId parent, const NodeSpec& spec) override;
  io::Task<Result<Attr>> link(const Credentials& who, InodeId inode, InodeId parent, std::string_view name) override;
  using Service::unlink;
  io::Task<Result<Removed>> unlink(const Credentials& who, InodeId parent, std::string_view name,
                                   UnlinkOptions options) override;
  using Service::rmdir;
  io::Task<Result<Removed>> rmdir(const Credentials& who, InodeId parent, std::string_view name,
                                  const Attr* expected) override;
  io::Task<Result<Renamed>> rename(const Credentials& who, InodeId parent, std::string_view name, InodeId new_parent,
                                   std::string_view new_name, RenameOptions options) override;
  io::Task<Result<std::string>> readlink(InodeId inode) override;
  io::Task<Result<std::vector<DirEntry>>> readdir(InodeId directory, std::string_view after,
                                                  ReaddirOptions options) override;
  io::Task<Result<std::optional<std::string>>> find_former_name(InodeId directory,
                                                                std::function<bool(std::string_view)> is_it) override;

  io::Task<Result<std::string>> getxattr(const Credentials& who, InodeId inode, std::string_view name) override;
  io::Task<Result<void>> setxattr(const Credentials& who, InodeId inode, std::string_view name, std::string_view value,
                                  XattrMode mode) override;
  io::Task<Result<std::vector<std::string>>> listxattr(const Credentials& who, InodeId inode) override;
  io::Task<Result<void>> removexattr(const Credentials& who, InodeId inode, std::string_view name) override;

  io::Task<Result<Attr>> set_policy(const Credentials& who, InodeId inode, PolicyChange change) override;

  io::Task<Result<std::string>> read_inline(InodeId inode) override;
  io::Task<Result<Attr>> update_content(InodeId inode, const ContentUpdate& update) override;
  io::Task<Result<void>> record_accesses(std::span<const Access> accesses) override;

  io::Task<Result<std::optional<Attr>>> reclaim(InodeId inode) override;
  io::Task<Result<std::vector<InodeId>>> list_orphans(InodeId after, size_t limit) override;
  io::Task<Result<std::vector<Attr>>> list_live(InodeId after, size_t limit) override;

  io::Task<Result<InodePage>> list_inodes(InodeId after, size_t limit) override;

  io::Task<Result<Usage>> usage() override;

  io::Task<Result<std::vector<Pending>>> list_pending(InodeId after, size_t limit) override;
  io::Task<Result<std::vector<Chunk>>> list_chunks(InodeId inode, ChunkIndex first, size_t limit) override;
  io::Task<Result<void>> announce_blob(std::string name, uint64_t bytes, uint32_t skip, uint32_t left) override;
  io::Task<Result<void>> begin_leaving(std::string name, uint32_t tier, uint32_t keepers) override;
  io::Task<Result<void>> end_leaving(std::string name, uint32_t tier) override;
  io::Task<Result<void>> distrust_copy(std::string name, uint32_t tier) override;
  io::Task<Result<void>> trust_copy(std::string name, uint32_t tier) override;
  io::Task<Result<void>> confirm_blob(std::string name, uint32_t tiers) override;
  io::Task<Result<bool>> commit_upload(const Upload& upload) override;
  io::Task<Result<Attr>> commit_journal(InodeId inode, const std::vector<JournalBlock>& blocks,
                                        const ContentUpdate& update) override;
  io::Task<Result<std::vector<JournalBlock>>> list_journal(InodeId inode) override;
  io::Task<Result<std::vector<Blob>>> list_blobs(std::string after, size_t limit) override;
  io::Task<Result<Blob>> get_blob(std::string name) override;
  io::Task<Result<void>> forget_blob(std::string name) override;
  io::Task<Result<std::vector<BlobCount>>> count_blobs(std::string after, size_t limit,
                                                       std::function<bool(uint64_t chunks)> go_on) override;
  io::Task<Result<bool>> retire_blob(std::string name) override;
  io::Task<Result<void>> revive_blob(std::string name) override;
  io::Task<Result<void>> distrust_blob(std::string name) override;
  io::Task<Result<void>> mend_blob(std::string name, int64_t missing_bytes) override;
  io::Task<Result<std::vector<FileChunk>>> list_all_chunks(InodeId inode, ChunkIndex first, size_t limit) override;
  io::Task<Result<uint64_t>> move_chunks(InodeId inode, std::vector<ChunkMove> moves) override;
  io::Task<Result<uint64_t>> lose_chunks(InodeId inode, std::vector<Chunk> chunks) override;
  io::Task<Result<std::optional<Chunk>>> find_content(std::string hash) override;
  io::Task<Result<std::string>> drop_dead_contents(std::string after, size_t limit) override;
  io::Task<Result<Attr>> mark_evicted(InodeId inode, int64_t access_level) override;
  using Tiering::mark_evicted;
  io::Task<Result<Attr>> mark_resident(InodeId inode) override;

  kv::Version last_version() const override;
  io::Task<Result<void>> sync(kv::Version version) override;
  Result<void> flush_to_os() override;

 private:
  const std::unique_ptr<Core> core_;
};

}  // namespace firn::meta
