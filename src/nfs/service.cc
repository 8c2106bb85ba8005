#include "nfs/service.h"

#include <unistd.h>

#include "base/bytes.h"
#include "base/metrics.h"
#include "nfs/access_record.h"
#include "nfs/procedures.h"

namespace firn::nfs {
namespace {

constexpr int64_t kNanosecondsPerSecond = 1'000'000'000;

struct ProcedureMetrics {
  explicit ProcedureMetrics(const ProcedureEntry& procedure)
      : calls(metrics::process_registry().counter("firn_nfs_calls_total", "NFS and MOUNT calls, by procedure.",
                                                  {{"procedure", procedure.name}})),
        errors(metrics::process_registry().counter("firn_nfs_errors_total",
                                                   "NFS and MOUNT calls that were answered with an error.",
                                                   {{"procedure", procedure.name}})),
        seconds(metrics::process_registry().histogram("firn_nfs_call_seconds",
                                                      "Time from an NFS call's arrival to its reply.",
                                                      {{"procedure", procedure.name}})) {}
  metrics::Counter& calls;
  metrics::Counter& errors;
  metrics::Histogram& seconds;
};

// By procedure number, looked up once.
std::vector<ProcedureMetrics> metrics_of(std::span<const ProcedureEntry> procedures) {
  return {procedures.begin(), procedures.end()};
}

metrics::Gauge& in_flight() {
  static metrics::Gauge& gauge =
      metrics::process_registry().gauge("firn_nfs_calls_in_flight", "NFS and MOUNT calls that are not answered yet.");
  return gauge;
}

metrics::Counter& duplicate_calls() {
  static metrics::Counter& counter = metrics::process_registry().counter(
      "firn_nfs_duplicate_calls_total", "NFS calls that were answered before, and not carried out again.");
  return counter;
}

ProcedureMetrics& metrics_of(const Call& call) {
  static std::vector<ProcedureMetrics> nfs = metrics_of(nfs_procedures());
  static std::vector<ProcedureMetrics> mount = metrics_of(mount_procedures());
  return (call.program == kNfsProgram ? nfs : mount)[call.procedure];
}

// Whether the reply is a refusal. All procedures of NFS but NULL begin their result with a status, and MNT does.
bool failed(const Call& call, const XdrWriter& reply) {
  constexpr uint32_t kNull = 0, kMnt = 1;
  const bool has_status = call.program == kNfsProgram ? call.procedure != kNull : call.procedure == kMnt;
  const std::span<const std::byte> result = reply_result(reply);
  return has_status && (result.size() < 4 || load_be<uint32_t>(result.data()) != 0);
}

// Null: no such procedure.
const ProcedureEntry* find(const Call& call) {
  const auto all = call.program == kNfsProgram ? nfs_procedures() : mount_procedures();
  return call.procedure < all.size() ? &all[call.procedure] : nullptr;
}

}  // namespace

Service::Service(ServiceOptions options)
    : options_(std::move(options)),
      key_(options_.secret, options_.volume_id),
      write_verifier_(options_.write_verifier),
      files_({.volume = options_.volume,
              .door = options_.door,
              .most = options_.open_files,
              .on_lost = [this] { renew_write_verifier(); }}),
      directories_(options_.volume, options_.door) {}

io::Task<Result<void>> Service::recall(meta::EventLog& events) {
  constexpr size_t kMostEvents = 100'000;
  const int64_t now_ns = io::Reactor::current()->clock().monotonic_ns();
  std::optional<Timestamp> last;  // when the server died, as far as anybody knows
  size_t looked_at = 0;
  co_return co_await events.look_back([&](const meta::LoggedEvent& logged) {
    const meta::Event& event = logged.event;
    if (!last) last = event.time;
    const bool recent = (last->seconds - event.time.seconds) * kNanosecondsPerSecond <= duplicates_.lifetime_ns();
    if (!recent || ++looked_at > kMostEvents) return false;
    return event.request == meta::RequestId{} || duplicates_.recall(event.request, event.inode, now_ns);
  });
}

io::Task<void> Service::stop() {
  co_await files_.stop();
  directories_.clear();
}

io::Task<std::optional<Reply>> Service::answer(std::span<const std::byte> record, const Peer& peer, Waiting waiting) {
  Call call;
  XdrReader in(record);
  const CallHead head = read_call(in, call);
  if (head == CallHead::kNoCall) co_return std::nullopt;
  Reply reply;
  XdrWriter& out = reply.head;
  Request request{.call = call, .peer = peer, .waiting = waiting, .in = in, .out = out, .part = reply.part};
  if (head != CallHead::kCall) {
    denied_reply(out, call.xid, head);
  } else if (call.program != kNfsProgram && call.program != kMountProgram) {
    begin_reply(out, call.xid, Accepted::kProgramUnavailable);
  } else if (const uint32_t version = call.program == kNfsProgram ? kNfsVersion : kMountVersion;
             call.version != version) {
    mismatch_reply(out, call.xid, version);
  } else {
    co_await run(request, record);
  }
  finish_reply(out, xdr_padded_bytes(reply.part.bytes));
  co_return std::move(reply);
}

io::Task<void> Service::run(Request& request, std::span<const std::byte> record) {
  const ProcedureEntry* procedure = find(request.call);
  if (!procedure) {
    begin_reply(request.out, request.call.xid, Accepted::kProcedureUnavailable);
    co_return;
  }
  ProcedureMetrics& counted = metrics_of(request.call);
  counted.calls.add();
  const int64_t started_ns = io::Reactor::current()->clock().monotonic_ns();
  const bool logged = options_.access_log && options_.access_log->wanted();
  in_flight().add(1);
  co_await (logged ? run_logged(request, record, *procedure) : run_procedure(request, record, *procedure));
  in_flight().add(-1);
  if (failed(request.call, request.out)) counted.errors.add();
  counted.seconds.record(static_cast<uint64_t>(io::Reactor::current()->clock().monotonic_ns() - started_ns));
}

io::Task<void> Service::run_logged(Request& request, std::span<const std::byte> record,
                                   const ProcedureEntry& procedure) {
  vfs::AccessRecord access = access_record_of(*this, request, procedure.name);
  co_await run_procedure(request, record, procedure);
  options_.access_log->add(access, note_result(request, access));
}

io::Task<void> Service::run_procedure(Request& request, std::span<const std::byte> record,
                                      const ProcedureEntry& procedure) {
  return procedure.once ? run_once(request, record) : carry_out(request);
}

io::Task<void> Service::run_once(Request& request, std::span<const std::byte> record) {
  const auto key = DuplicateRequests::key_of(request.peer.address, record);
  const auto [entry, first] = duplicates_.begin(key, io::Reactor::current()->clock().monotonic_ns());
  if (!first) {
    co_await entry->answered.wait();
    if (!entry->reply.empty()) {
      duplicate_calls().add();
      request.out.fixed(std::as_bytes(std::span(entry->reply)));
      co_return;
    }
  }
  request.id = key;
  request.done = entry->done;
  if (request.done) duplicate_calls().add();
  co_await carry_out(request);
  if (first) duplicates_.finish(*entry, request.out.bytes());
}

io::Task<void> Service::carry_out(Request& request) {
  begin_reply(request.out, request.call.xid, Accepted::kSuccess);
  const ProcedureEntry& procedure = *find(request.call);
  const Accepted accepted = co_await procedure.run(*this, request);
  if (accepted != Accepted::kSuccess) replace_reply(request.out, accepted);
  if (procedure.once || procedure.run == ops::write) co_await volume().observers_know(options_.door);
}

meta::Credentials Service::credentials(const Access& access, const Caller& caller) const {
  meta::Credentials who = access.credentials(caller);
  who.door = options_.door;
  return who;
}

HandleBytes Service::seal(uint32_t exported, const vfs::Attr& attr) const {
  return key_.seal({.exported = exported, .inode = attr.inode, .generation = generation_of(attr)});
}

io::Task<std::optional<vfs::Attr>> Service::attributes(InodeId inode) {
  Result<vfs::Attr> attr = co_await volume().getattr(inode);
  if (!attr) co_return std::nullopt;
  co_return *std::move(attr);
}

io::Task<WeakCache> Service::weak_cache(InodeId inode, const meta::Witness& witness) {
  WeakCache cache;
  const meta::Witness::Seen* seen = witness.find(inode);
  if (seen && seen->alone) {
    cache.before = seen->before;
    cache.after = seen->after;
  } else {
    cache.after = co_await attributes(inode);
  }
  co_return cache;
}

io::Task<Result<Target>> Service::resolve(const Request& request, std::span<const std::byte> bytes) {
  const std::optional<FileHandle> handle = key_.open(bytes);
  if (!handle) co_return fail(Code::kBadHandle);
  Target target;
  target.exported = exports().find(handle->exported);
  if (!target.exported) co_return fail(Code::kStale);
  target.access = target.exported->access_of(request.peer);
  if (!target.access) co_return fail(Code::kAccessDenied);
  Result<vfs::Attr> attr = co_await volume().getattr(handle->inode);
  if (!attr) {
    const bool gone = attr.error().code() == Code::kNotFound || attr.error().code() == Code::kStale;
    co_return gone ? fail(Code::kStale) : fail(std::move(attr).error());
  }
  if (attr->nlink == 0 || generation_of(*attr) != handle->generation) co_return fail(Code::kStale);
  target.who = credentials(*target.access, request.call.caller);
  target.attr = *std::move(attr);
  co_return target;
}

io::Task<Result<Target>> Service::resolve_to_change(const Request& request, std::span<const std::byte> handle) {
  Target target = CO_TRY(co_await resolve(request, handle));
  if (target.access->read_only) co_return fail(Code::kReadOnly);
  co_return target;
}

io::Task<Result<void>> Service::check(const Target& target, int mask) {
  if (target.owner()) co_return {};
  co_return co_await volume().access(target.who, target.inode(), mask);
}

io::Task<Result<vfs::Attr>> Service::walk(std::string_view path) {
  const meta::Credentials who{.door = options_.door};
  vfs::Attr at = CO_TRY(co_await volume().getattr(kRootInode));
  while (path.starts_with('/')) {
    path.remove_prefix(1);
    const std::string_view name = path.substr(0, path.find('/'));
    path.remove_prefix(name.size());
    if (!name.empty()) at = CO_TRY(co_await volume().lookup(who, at.inode, name));
  }
  if (at.type != meta::FileType::kDirectory) co_return fail(Code::kNotDirectory);
  co_return at;
}

io::Task<Result<void>> Service::settle(InodeId inode) {
  if (!options_.sync) co_return {};
  co_return co_await volume().fsync_directory(inode);
}

}  // namespace firn::nfs
