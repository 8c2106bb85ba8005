// READDIR and READDIRPLUS.
#include <unistd.h>

#include <algorithm>

#include "base/bytes.h"
#include "nfs/ops/common.h"

namespace firn::nfs::ops {
namespace {

constexpr size_t kTypicalName = 16;
constexpr size_t kMostEntries = 1024;  // to ask the volume for at once
// An entry without its name: that it follows, fileid, length of the name, cookie.
constexpr size_t kEntryBytes = 4 + 8 + 4 + 8;
constexpr size_t kPlusBytes = 4 + kAttributesBytes + 4 + xdr_opaque_bytes(kHandleBytes);
constexpr size_t kEndBytes = 4 + 4;

struct ListArguments {
  std::span<const std::byte> handle;
  uint64_t cookie;
  uint64_t verifier;
  size_t most_bytes;  // of the result
  bool plus;

  ListArguments(XdrReader& in, bool with_attributes)
      : handle(read_handle(in)), cookie(in.u64()), verifier(in.u64()), plus(with_attributes) {
    if (plus) (void)in.u32();  // how much of it may be names and cookies: a hint
    most_bytes = std::min<size_t>(in.u32(), kMaxTransferBytes);
  }
  size_t entry_bytes(const vfs::Listed& entry) const {
    return kEntryBytes + (entry.name.size() + 3) / 4 * 4 + (plus ? kPlusBytes : 0);
  }
};

class Listing {
 public:
  Listing(Service& service, const Target& target, const ListArguments& arguments, XdrWriter& out)
      : service_(service), target_(target), arguments_(arguments), out_(out), begin_(out.size()) {}

  // DIRLIST3 after what is there already.
  io::Task<Result<void>> append(vfs::DirHandle* directory) {
    uint64_t cookie = arguments_.cookie;
    bool end = false, full = false, any = false;
    while (!end && !full) {
      const auto entries = CO_TRY(co_await service_.volume().list(directory, cookie, how_many(), arguments_.plus));
      end = entries.empty();
      for (const vfs::Listed& entry : entries) {
        full = used() + arguments_.entry_bytes(entry) + kEndBytes > arguments_.most_bytes;
        if (full) break;
        put(entry);
        any = true;
        cookie = entry.cookie;
      }
    }
    if (!any && full) co_return fail(Code::kRange);
    out_.boolean(false);
    out_.boolean(end);
    co_return {};
  }

 private:
  size_t used() const { return out_.size() - begin_; }
  size_t how_many() const {
    const size_t left = arguments_.most_bytes > used() ? arguments_.most_bytes - used() : 0;
    const size_t each = kEntryBytes + kTypicalName + (arguments_.plus ? kPlusBytes : 0);
    return std::clamp<size_t>(left / each, 3, kMostEntries);
  }
  void put(const vfs::Listed& entry) {
    const bool here = entry.name == ".";
    const bool above_export = entry.name == ".." && target_.inode() == kRootInode;
    out_.boolean(true);
    out_.u64(here || above_export ? target_.inode().value : entry.inode.value);
    out_.string(entry.name);
    out_.u64(entry.cookie);
    if (!arguments_.plus) return;
    const vfs::Attr* attr = here ? &target_.attr : entry.attr ? &*entry.attr : nullptr;
    out_.boolean(attr != nullptr);
    if (attr) put_attributes(out_, *attr, service_.volume_id());
    out_.boolean(attr != nullptr);
    if (attr) put_handle(service_, out_, target_.exported->id, *attr);
  }

  Service& service_;
  const Target& target_;
  const ListArguments& arguments_;
  XdrWriter& out_;
  const size_t begin_;
};

io::Task<Result<void>> list(Service& service, const Target& target, const ListArguments& arguments, XdrWriter& out) {
  if (target.attr.type != meta::FileType::kDirectory) co_return fail(Code::kNotDirectory);
  CO_TRY(co_await service.volume().access(target.who, target.inode(), R_OK));
  // Cookies mean the same for as long as there is the directory.
  const uint64_t verifier = generation_of(target.attr);
  if (arguments.cookie != 0 && arguments.verifier != verifier) co_return fail(Code::kOverflow);
  const auto directory = CO_TRY(co_await service.directories().get(target.inode()));
  Listing listing(service, target, arguments, out);
  put_status(out, NfsStatus::kOk);
  put_optional_attributes(out, target.attr, service.volume_id());
  out.u64(verifier);
  Result<void> listed = co_await listing.append(directory.get());
  // What the cookie stood for has been gone for so long that nobody knows where it was.
  if (!listed && listed.error().code() == Code::kInvalid && arguments.cookie != 0) co_return fail(Code::kOverflow);
  co_return listed;
}

NfsStatus status_of(const Status& failure) {
  if (failure == Code::kOverflow) return NfsStatus::kBadCookie;
  if (failure == Code::kRange) return NfsStatus::kTooSmall;
  return nfs_status_of(failure.code());
}

io::Task<Accepted> answer(Service& service, Request& request, bool plus) {
  const ListArguments arguments(request.in, plus);
  if (!request.in.ok()) co_return Accepted::kGarbageArguments;
  const size_t begin = request.out.size();
  const Result<Target> target = co_await service.resolve(request, arguments.handle);
  const Result<void> done = target ? co_await list(service, *target, arguments, request.out) : fail(target.error());
  if (!done) {
    request.out.truncate(begin);
    put_status(request.out, status_of(done.error()));
    put_optional_attributes(request.out, target ? std::optional(target->attr) : std::nullopt, service.volume_id());
  }
  co_return Accepted::kSuccess;
}

}  // namespace

io::Task<Accepted> readdir(Service& service, Request& request) { return answer(service, request, false); }
io::Task<Accepted> readdirplus(Service& service, Request& request) { return answer(service, request, true); }

}  // namespace firn::nfs::ops
