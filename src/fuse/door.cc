#include "fuse/door.h"

#include <ctime>

#include "fuse/access_record.h"
#include "fuse/ops/ops.h"
#include "fuse/reserved.h"
#include "fuse/session_info.h"
#include "io/reactor.h"

namespace firn::fuse {
namespace {

// One request on a handle follows another's reply: an order that the kernel makes and the thread sanitizer cannot see.
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define FIRN_TSAN_ORDER 1
#endif
#endif
#ifdef FIRN_TSAN_ORDER
extern "C" void __tsan_acquire(void*);
extern "C" void __tsan_release(void*);
void after_earlier_replies(Door* door) { __tsan_acquire(door); }
void before_later_requests(Door* door) { __tsan_release(door); }
#else
void after_earlier_replies(Door*) {}
void before_later_requests(Door*) {}
#endif

using Serve = Operation (*)(Door&, Exchange&);

struct Table {
  Serve serve[kOpcodeSlots];

  constexpr Table() {
    for (Serve& slot : serve) slot = &ops::unsupported;
    serve[FUSE_LOOKUP] = &ops::lookup;
    serve[FUSE_FORGET] = &ops::forget;
    serve[FUSE_BATCH_FORGET] = &ops::batch_forget;
    serve[FUSE_GETATTR] = &ops::getattr;
    serve[FUSE_SETATTR] = &ops::setattr;
    serve[kOpStatx] = &ops::statx;
    serve[FUSE_ACCESS] = &ops::access;
    serve[FUSE_READLINK] = &ops::readlink;
    serve[FUSE_SYMLINK] = &ops::make_symlink;
    serve[FUSE_MKNOD] = &ops::make_special;
    serve[FUSE_MKDIR] = &ops::make_directory;
    serve[FUSE_UNLINK] = &ops::unlink;
    serve[FUSE_RMDIR] = &ops::remove_directory;
    serve[FUSE_RENAME] = &ops::rename;
    serve[FUSE_RENAME2] = &ops::rename;
    serve[FUSE_LINK] = &ops::link;
    serve[FUSE_OPEN] = &ops::open;
    serve[FUSE_CREATE] = &ops::create;
    serve[FUSE_TMPFILE] = &ops::create_unnamed;
    serve[FUSE_RELEASE] = &ops::release;
    serve[FUSE_READ] = &ops::read;
    serve[FUSE_WRITE] = &ops::write;
    serve[FUSE_FSYNC] = &ops::fsync;
    serve[FUSE_FALLOCATE] = &ops::allocate;
    serve[FUSE_LSEEK] = &ops::seek;
    serve[FUSE_COPY_FILE_RANGE] = &ops::copy_range;
    serve[kOpCopyFileRange64] = &ops::copy_range;
    serve[FUSE_OPENDIR] = &ops::open_directory;
    serve[FUSE_RELEASEDIR] = &ops::release_directory;
    serve[FUSE_READDIR] = &ops::list;
    serve[FUSE_READDIRPLUS] = &ops::list_plus;
    serve[FUSE_FSYNCDIR] = &ops::fsync_directory;
    serve[FUSE_GETXATTR] = &ops::getxattr;
    serve[FUSE_SETXATTR] = &ops::setxattr;
    serve[FUSE_LISTXATTR] = &ops::listxattr;
    serve[FUSE_REMOVEXATTR] = &ops::removexattr;
    serve[FUSE_STATFS] = &ops::statfs;
    serve[FUSE_SYNCFS] = &ops::sync_filesystem;
    serve[FUSE_IOCTL] = &ops::ioctl;
    serve[FUSE_DESTROY] = &ops::destroy;
    serve[FUSE_INTERRUPT] = &ops::interrupt;
  }
};
constexpr Table kTable;

bool wants_no_reply(uint32_t opcode) {
  return opcode == FUSE_FORGET || opcode == FUSE_BATCH_FORGET || opcode == FUSE_INTERRUPT;
}

int64_t monotonic_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

// Resumes on the exchange's home, so that only that thread touches the transport.
io::Task<void> send_from_home(ReplySink& sink, Exchange& exchange, Outcome outcome) {
  co_await io::switch_to(*exchange.home);
  if (outcome.silent) {
    sink.discard(exchange);
  } else {
    sink.send(exchange, outcome.error, outcome.bytes);
  }
}

}  // namespace

Door::Door(vfs::Volume& volume, vfs::AccessLog& access_log, Options options)
    : volume_(volume),
      access_log_(access_log),
      options_(options),
      read_bytes_(metrics::process_registry().counter("firn_fuse_read_bytes_total",
                                                      "Bytes of files read by FUSE requests, without passthrough.")),
      written_bytes_(metrics::process_registry().counter(
          "firn_fuse_written_bytes_total", "Bytes of files written by FUSE requests, without passthrough.")) {
  for (uint32_t opcode = 0; opcode < kOpcodeSlots; ++opcode) {
    if (const std::string_view name = opcode_name(opcode); !name.empty())
      opcode_latency_[opcode] = &metrics::process_registry().histogram(
          "firn_fuse_request_seconds", "Time from a FUSE request to its reply, of a sample of the requests.",
          {{"op", std::string(name)}});
  }
}

meta::Credentials Door::credentials(const Request& request) const {
  meta::Credentials who{.uid = request.header.uid,
                        .gid = request.header.gid,
                        .kernel_checked = options_.kernel_checked,
                        .door = options_.id};
  if (request.has_groups) [[unlikely]] {
    for (size_t i = 0; i < request.group_count(); ++i) who.groups.push_back(request.group(i));
  }
  return who;
}

void Door::start_timing(Exchange& exchange) {
  static thread_local uint32_t requests = 0;
  exchange.started_ns = ++requests % kSampleEvery == 0 ? monotonic_ns() : 0;
}

void Door::log_access(Exchange& exchange, const Outcome& outcome) {
  const std::unique_ptr<vfs::AccessRecord> record = std::move(exchange.access);
  const uint32_t opcode = exchange.header().opcode;
  const bool writes = opcode == FUSE_WRITE || opcode == FUSE_FALLOCATE;
  if (record->asked) record->bytes = outcome.error ? 0 : writes ? record->asked->bytes : outcome.bytes;
  access_log_.add(*record, result_name(-outcome.error));
}

void Door::record_latency(uint32_t opcode, uint64_t ns) {
  latency_.record(ns);
  if (opcode < kOpcodeSlots && opcode_latency_[opcode]) opcode_latency_[opcode]->record(ns);
}

void Door::serve(const Message& message, Exchange& exchange) {
  after_earlier_replies(this);
  const uint32_t opcode = message.header.opcode;
  const Status status = decode(message, dialect(), exchange.request);
  start_timing(exchange);
  if (!status.ok()) [[unlikely]] {
    finish(exchange, wants_no_reply(opcode) ? Outcome::none() : Outcome(status.code()));
    return;
  }
  counts_[opcode].requests.fetch_add(1, std::memory_order_relaxed);
  if (is_reserved(exchange.request)) [[unlikely]] {
    // It may wait for long, by design.
    exchange.started_ns = 0;
    ops::reserved(*this, exchange);
    return;
  }
  if (access_log_.wanted()) [[unlikely]]
    exchange.access = access_record_of(exchange.request);
  kTable.serve[opcode](*this, exchange);
}

void Door::finish(Exchange& exchange, Outcome outcome) {
  before_later_requests(this);
  const uint32_t opcode = exchange.header().opcode;
  if (exchange.started_ns) [[unlikely]]
    record_latency(opcode, static_cast<uint64_t>(monotonic_ns() - exchange.started_ns));
  if (exchange.access) [[unlikely]]
    log_access(exchange, outcome);
  if (outcome.error && opcode < kOpcodeSlots) counts_[opcode].errors.fetch_add(1, std::memory_order_relaxed);
  if (io::Reactor::current() != exchange.home) [[unlikely]] {
    io::detach(send_from_home(*exchange.sink, exchange, outcome));
  } else if (outcome.silent) {
    exchange.sink->discard(exchange);
  } else {
    exchange.sink->send(exchange, outcome.error, outcome.bytes);
  }
}

}  // namespace firn::fuse
