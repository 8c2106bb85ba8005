// NULL, GETATTR, SETATTR and ACCESS.
#include <sys/stat.h>
#include <unistd.h>

#include "nfs/ops/common.h"

namespace firn::nfs::ops {
namespace {

struct SetArguments {
  std::span<const std::byte> handle;
  NewAttributes wanted;
  std::optional<Timestamp> guard;  // only if this is the ctime

  explicit SetArguments(XdrReader& in) : handle(read_handle(in)), wanted(read_new_attributes(in)) {
    if (in.boolean()) guard = read_time(in);
  }
};

io::Task<Result<void>> apply(Service& service, const Request& request, SetArguments arguments, WeakCache& cache) {
  const Target target = CO_TRY(co_await service.resolve_to_change(request, arguments.handle));
  cache.after = target.attr;
  if (arguments.guard && *arguments.guard != target.attr.ctime) co_return fail(Code::kConflict);
  const NewAttributes& wanted = arguments.wanted;
  const bool resizes = wanted.size.has_value();
  if (resizes && target.attr.type != meta::FileType::kRegular)
    co_return fail(target.attr.type == meta::FileType::kDirectory ? Code::kIsDirectory : Code::kInvalid);
  if (resizes && *wanted.size > INT64_MAX) co_return fail(Code::kFileTooBig);
  if (!resizes && !wanted.sets_more_than_size()) co_return {};
  // The owner may set the size whatever the mode says; all else is the volume's to judge.
  const vfs::Change change{
      .attributes = wanted.to_set(), .size = wanted.size, .may_resize = target.owner(), .guard = arguments.guard};
  meta::Witness witness;
  const meta::Credentials who = witnessed(target, witness);
  const Result<vfs::Attr> changed = co_await service.volume().setattr(who, target.inode(), change, nullptr);
  cache = co_await service.weak_cache(target.inode(), witness);
  const bool was_changed = arguments.guard && cache.after && !changed && changed.error().code() == Code::kStale;
  if (was_changed) co_return fail(Code::kConflict);
  CO_TRY(Result<vfs::Attr>(changed));
  co_return co_await service.settle(target.inode());
}

struct Question {
  uint32_t bits;
  int mask;
};

// Which bits of ACCESS each permission answers.
constexpr uint32_t kRead = 0x01, kLookup = 0x02, kModify = 0x04, kExtend = 0x08, kDelete = 0x10, kExecute = 0x20;
constexpr Question kOfDirectories[] = {{kRead, R_OK}, {kLookup, X_OK}, {kModify | kExtend | kDelete, W_OK}};
constexpr Question kOfOthers[] = {{kRead, R_OK}, {kModify | kExtend, W_OK}, {kExecute, X_OK}};

io::Task<uint32_t> granted(Service& service, const Target& target, uint32_t wanted) {
  uint32_t answer = 0;
  const bool directory = target.attr.type == meta::FileType::kDirectory;
  for (const Question& question : directory ? std::span(kOfDirectories) : std::span(kOfOthers)) {
    if ((wanted & question.bits) == 0 || (question.mask == W_OK && target.access->read_only)) continue;
    if (co_await service.volume().access(target.who, target.inode(), question.mask)) answer |= wanted & question.bits;
  }
  co_return answer;
}

}  // namespace

io::Task<Accepted> null(Service&, Request&) { co_return Accepted::kSuccess; }

io::Task<Accepted> getattr(Service& service, Request& request) {
  const auto handle = read_handle(request.in);
  if (!request.in.ok()) co_return Accepted::kGarbageArguments;
  const Result<Target> target = co_await service.resolve(request, handle);
  put_status(request.out, target);
  if (target) put_attributes(request.out, target->attr, service.volume_id());
  co_return Accepted::kSuccess;
}

io::Task<Accepted> setattr(Service& service, Request& request) {
  const SetArguments arguments(request.in);
  if (!request.in.ok()) co_return Accepted::kGarbageArguments;
  WeakCache cache;
  const Result<void> done = co_await apply(service, request, arguments, cache);
  if (!done && done.error().code() == Code::kConflict) {
    put_status(request.out, NfsStatus::kNotSynchronised);
  } else {
    put_status(request.out, done);
  }
  put_weak_cache(request.out, cache, service.volume_id());
  co_return Accepted::kSuccess;
}

io::Task<Accepted> access(Service& service, Request& request) {
  const auto handle = read_handle(request.in);
  const uint32_t wanted = request.in.u32();
  if (!request.in.ok()) co_return Accepted::kGarbageArguments;
  const Result<Target> target = co_await service.resolve(request, handle);
  put_status(request.out, target);
  put_optional_attributes(request.out, target ? std::optional(target->attr) : std::nullopt, service.volume_id());
  if (target) request.out.u32(co_await granted(service, *target, wanted));
  co_return Accepted::kSuccess;
}

}  // namespace firn::nfs::ops
