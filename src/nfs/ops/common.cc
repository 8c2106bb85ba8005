#include "nfs/ops/common.h"

#include "base/metrics.h"

namespace firn::nfs::ops {

void count_read(size_t bytes) {
  static metrics::Counter& counter =
      metrics::process_registry().counter("firn_nfs_read_bytes_total", "Bytes of files that NFS clients read.");
  counter.add(bytes);
}

void count_written(size_t bytes) {
  static metrics::Counter& counter =
      metrics::process_registry().counter("firn_nfs_written_bytes_total", "Bytes of files that NFS clients wrote.");
  counter.add(bytes);
}

Status check_name(std::string_view name) {
  if (name.empty() || name == "." || name == "..") return Code::kInvalid;
  for (const char c : name)
    if (c == '/' || c == '\0') return Code::kInvalid;
  return {};
}

io::Task<Result<Target>> directory_to_change(Service& service, const Request& request, const DirectoryName& where,
                                             WeakCache& cache) {
  Target target = CO_TRY(co_await service.resolve_to_change(request, where.directory));
  if (target.attr.type != meta::FileType::kDirectory) co_return fail(Code::kNotDirectory);
  cache.after = target.attr;
  CO_TRY(check_name(where.name));
  co_return target;
}

io::Task<Result<vfs::Attr>> set_new_attributes(Service& service, const Target& directory, vfs::Attr made,
                                               NewAttributes wanted) {
  wanted.mode.reset();  // it was made with it
  if (!directory.who.privileged()) wanted.uid = wanted.gid = std::nullopt;
  if (wanted.size && *wanted.size == made.size) wanted.size.reset();
  if (!wanted.sets_more_than_size() && !wanted.size) co_return made;
  const vfs::Change change{.attributes = wanted.to_set(), .size = wanted.size};
  meta::Credentials maker = directory.who;
  maker.kernel_checked = maker.uid == made.uid;  // whoever made it may, whatever mode it has been given
  co_return co_await service.volume().setattr(maker, made.inode, change, nullptr);
}

void put_made(Service& service, XdrWriter& out, uint32_t exported, const Result<vfs::Attr>& made,
              const WeakCache& directory) {
  put_status(out, made);
  if (made) {
    put_optional_handle(service, out, exported, *made);
    put_optional_attributes(out, *made, service.volume_id());
  }
  put_weak_cache(out, directory, service.volume_id());
}

}  // namespace firn::nfs::ops
