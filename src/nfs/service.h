// Service: MOUNT and NFS version 3 over one volume: what a call does, without the network.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <span>

#include "meta/event_log.h"
#include "meta/witness.h"
#include "nfs/duplicate_requests.h"
#include "nfs/exports.h"
#include "nfs/file_handle.h"
#include "nfs/mounted.h"
#include "nfs/nfs3_types.h"
#include "nfs/open_directories.h"
#include "nfs/open_files.h"
#include "nfs/reply.h"
#include "nfs/rpc_call.h"
#include "vfs/access_log.h"
#include "vfs/volume.h"

namespace firn::nfs {

struct ProcedureEntry;

struct ServiceOptions {
  vfs::Volume& volume;
  Exports exports;
  HandleSecret secret;
  uint64_t volume_id = 0;
  // Names and attributes are durable before a call that changes them is answered, as RFC 1813 wants it. Otherwise they
  // are within the volume's sync interval.
  bool sync = true;
  // Differs from that of every other run of a server of this volume.
  uint64_t write_verifier = 0;
  vfs::DoorId door = 3;
  vfs::AccessLog* access_log = nullptr;  // null: none
  size_t open_files = 1024;              // at once; what wants one more is to try again
};

// What a client does until a call is answered.
enum class Waiting : uint8_t {
  kIdle,  // it has no other call under way on this connection
  kBusy,
};

// One call that is being answered. What it refers to lives until it is.
struct Request {
  const Call& call;
  const Peer& peer;
  Waiting waiting;
  XdrReader in;
  XdrWriter& out;
  FilePart& part;  // of a file that is to follow `out`
  // Of procedures that are carried out once: what the log of events tells the call by; and, where a server that died
  // has carried it out already, the inode (DuplicateRequests).
  meta::RequestId id{};
  std::optional<InodeId> done = {};
};

// What a handle stands for, and who wants something of it.
struct Target {
  const Export* exported = nullptr;
  const Access* access = nullptr;
  meta::Credentials who;
  vfs::Attr attr;

  InodeId inode() const { return attr.inode; }
  bool owner() const { return who.uid == attr.uid; }
};

// Thread-safe; calls need a current reactor.
class Service {
 public:
  explicit Service(ServiceOptions options);

  // The reply to one record, with its mark; nullopt: it is no call, and the connection should end.
  io::Task<std::optional<Reply>> answer(std::span<const std::byte> record, const Peer& peer, Waiting waiting);

  // After a crash, before the first call: what was done last, for clients that were not told and ask again.
  io::Task<Result<void>> recall(meta::EventLog& events);
  // Background work; on a reactor. No call may be running or follow once stop() was called.
  void start() { files_.start(); }
  io::Task<void> stop();

  // ---- for procedures ----
  vfs::Volume& volume() { return options_.volume; }
  const Exports& exports() const { return options_.exports; }
  OpenFiles& files() { return files_; }
  OpenDirectories& directories() { return directories_; }
  Mounted& mounted() { return mounted_; }
  uint64_t volume_id() const { return options_.volume_id; }

  // kBadHandle; kStale: what it stood for is gone, or its export; kAccessDenied: not for this client.
  io::Task<Result<Target>> resolve(const Request& request, std::span<const std::byte> handle);
  // The same for something that is to be changed: kReadOnly.
  io::Task<Result<Target>> resolve_to_change(const Request& request, std::span<const std::byte> handle);
  // Who asks, as the volume is to see them.
  meta::Credentials credentials(const Access& access, const Caller& caller) const;
  HandleBytes seal(uint32_t exported, const vfs::Attr& attr) const;
  // nullopt: not one of ours.
  std::optional<FileHandle> open(std::span<const std::byte> handle) const { return key_.open(handle); }
  // Permission to read or write: the owner has it whatever the mode says, because there is no open() to ask at.
  io::Task<Result<void>> check(const Target& target, int mask);
  // nullopt: it is gone.
  io::Task<std::optional<vfs::Attr>> attributes(InodeId inode);
  // What the call that had the witness with it did to an inode. Where that does not tell, `after` is what it is now.
  io::Task<WeakCache> weak_cache(InodeId inode, const meta::Witness& witness);
  // The directory at an export's path. kNotFound, kNotDirectory.
  io::Task<Result<vfs::Attr>> walk(std::string_view plain_path);
  // What changed names or attributes is about to be answered.
  io::Task<Result<void>> settle(InodeId inode);

  // Another after each time that something may have been lost.
  uint64_t write_verifier() const { return write_verifier_ + options_.volume.writes_lost(); }
  // What was acknowledged as not yet stable may be lost: clients are to send it again.
  void renew_write_verifier() { write_verifier_.fetch_add(1); }

 private:
  io::Task<void> run(Request& request, std::span<const std::byte> record);
  io::Task<void> run_logged(Request& request, std::span<const std::byte> record, const ProcedureEntry& procedure);
  io::Task<void> run_procedure(Request& request, std::span<const std::byte> record, const ProcedureEntry& procedure);
  io::Task<void> run_once(Request& request, std::span<const std::byte> record);
  io::Task<void> carry_out(Request& request);

  ServiceOptions options_;
  HandleKey key_;
  std::atomic<uint64_t> write_verifier_;
  OpenFiles files_;
  OpenDirectories directories_;
  DuplicateRequests duplicates_;
  Mounted mounted_;
};

}  // namespace firn::nfs
