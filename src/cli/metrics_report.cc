#include "cli/metrics_report.h"

#include <unistd.h>

#include <array>
#include <charconv>
#include <filesystem>
#include <fstream>

#include "cli/version.h"

namespace firn::cli {
namespace {

using metrics::Samples;

double seconds(int64_t nanoseconds) { return static_cast<double>(nanoseconds) / 1e9; }
double number(uint64_t value) { return static_cast<double>(value); }

// The names that Prometheus' own client libraries use.
void sample_process(Samples& out) {
  timespec used{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  out.counter("process_cpu_seconds_total", "Processor time that the daemon used.",
              static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9);
  uint64_t pages = 0, resident = 0;
  if (std::ifstream statm("/proc/self/statm"); statm >> pages >> resident)
    out.gauge("process_resident_memory_bytes", "Memory that the daemon has in RAM.",
              number(resident) * number(static_cast<uint64_t>(sysconf(_SC_PAGESIZE))));
  std::error_code error;
  const std::filesystem::directory_iterator open("/proc/self/fd", error);
  if (!error)
    out.gauge("process_open_fds", "Descriptors that the daemon has open.",
              static_cast<double>(std::distance(begin(open), end(open))));
  out.gauge("firn_build_info", "1; the label tells which firn this is.", 1, {{"version", version_text()}});
}

void sample_reactors(RunningVolume& running, Samples& out) {
  for (unsigned i = 0; i < running.reactors().size(); ++i)
    out.counter("firn_reactor_busy_seconds_total",
                "Processor time of a reactor; its rate is how busy it is, 1 being always.",
                seconds(running.reactors().cpu_ns(i)), {{"reactor", std::to_string(i)}});
  out.gauge("firn_pool_queued_jobs", "Jobs that wait for a thread of the pool for what blocks.",
            number(running.pool().queued()));
}

void sample_session(const fuse::SessionInfo& info, Samples& out) {
  for (const fuse::OpcodeInfo& opcode : info.opcodes) {
    const metrics::Labels labels = {{"op", std::string(opcode.name)}};
    out.counter("firn_fuse_requests_total", "FUSE requests, by operation.", number(opcode.requests), labels);
    out.counter("firn_fuse_errors_total", "FUSE requests that were answered with an error.", number(opcode.errors),
                labels);
  }
  out.counter("firn_fuse_messages_total", "Messages of the kernel, by how they came.", number(info.uring_requests),
              {{"transport", "uring"}});
  out.counter("firn_fuse_messages_total", "Messages of the kernel, by how they came.", number(info.dev_requests),
              {{"transport", "dev"}});
  out.counter("firn_fuse_notifications_total", "What the kernel was told to forget.", number(info.notifications));
}

void sample_files(RunningVolume& running, Samples& out) {
  const vfs::VolumeStatistics files = running.volume().statistics();
  out.gauge("firn_vfs_known_inodes", "Inodes that a door's kernel knows.", number(files.known_inodes));
  out.gauge("firn_vfs_open_files", "Open files.", number(files.open_files));
  out.gauge("firn_vfs_passthrough_files", "Open files that the kernel reads and writes by itself.",
            number(files.passthrough_files));
  out.gauge("firn_vfs_orphans", "Removed files whose space is not free yet.", number(files.orphans_waiting));
  const data::StoreStatistics store = running.store().statistics();
  out.gauge("firn_data_scratch_ready_files", "Scratch files that can be lent.", number(store.scratch_ready));
  out.gauge("firn_data_scratch_waiting_files", "Scratch files that were given back and cannot be lent yet.",
            number(store.scratch_waiting));
  out.gauge("firn_data_open_objects", "Open backing files.", number(store.open_objects));
}

io::Task<void> sample_space(RunningVolume& running, Samples& out) {
  if (const auto usage = co_await running.meta().usage()) {
    out.gauge("firn_volume_inodes", "Inodes of the volume.", number(usage->inodes));
    out.gauge("firn_volume_bytes", "Bytes that the volume's files take.", number(usage->bytes));
    out.gauge("firn_volume_pinned_bytes", "Bytes of files that are pinned to the local disk.",
              number(usage->pinned_bytes));
  }
  if (const auto disk = co_await running.store().usage()) {
    out.gauge("firn_disk_bytes", "Size of the disk that holds the volume.", number(disk->total_bytes));
    out.gauge("firn_disk_available_bytes", "What is left of it.", number(disk->available_bytes));
  }
}

struct EngineFact {
  const char* fact;  // kv::Engine::statistics()'s
  const char* name;
  const char* help;
  bool only_grows;
};
constexpr std::array<EngineFact, 13> kEngineFacts = {{
    {"commits", "firn_kv_commits_total", "Transactions committed.", true},
    {"conflicts", "firn_kv_conflicts_total", "Transactions that had to be repeated.", true},
    {"stalls", "firn_kv_stalls_total", "Commits that waited for the store's background work.", true},
    {"syncs", "firn_kv_syncs_total", "Syncs of the log.", true},
    {"background_errors", "firn_kv_background_errors_total", "Failures of the store's background work.", true},
    {"failed", "firn_kv_failed", "1 while the log cannot be written.", false},
    {"memtable_bytes", "firn_kv_memtable_bytes", "Bytes of memtables.", false},
    {"table_bytes", "firn_kv_table_bytes", "Bytes of tables.", false},
    {"table_memory_bytes", "firn_kv_table_memory_bytes", "Memory for indexes and filters of tables.", false},
    {"block_cache_bytes", "firn_kv_block_cache_bytes", "Bytes in the block cache.", false},
    {"pending_compaction_bytes", "firn_kv_pending_compaction_bytes", "Bytes of tables that should be merged.", false},
    {"estimated_keys", "firn_kv_keys", "Keys in the store, about.", false},
    {"snapshots", "firn_kv_snapshots", "Snapshots that are held.", false},
}};

void sample_engine(RunningVolume& running, Samples& out) {
  for (const auto& [fact, text] : running.engine().statistics()) {
    uint64_t value = 0;
    const EngineFact* known = std::ranges::find(kEngineFacts, std::string_view(fact), &EngineFact::fact);
    if (known == kEngineFacts.end()) continue;
    if (std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc()) continue;
    if (known->only_grows) {
      out.counter(known->name, known->help, number(value));
    } else {
      out.gauge(known->name, known->help, number(value));
    }
  }
  const kv::Version last = running.engine().last_version(), synced = running.engine().synced_version();
  out.gauge("firn_kv_unsynced_commits", "Commits that are not durable yet.", number(last > synced ? last - synced : 0));
  out.gauge("firn_kv_unsynced_age_seconds", "How long the oldest of them has waited.",
            seconds(running.handover().unsynced_age_ns()));
}

void sample_room(const vfs::RoomReport& room, Samples& out) {
  constexpr std::array kStates = {"free", "tight", "slowed", "full"};
  for (size_t i = 0; i < kStates.size(); ++i)
    out.gauge("firn_tier_room_state", "1 for the state that the local disk is in.",
              static_cast<size_t>(room.state) == i ? 1 : 0, {{"state", kStates[i]}});
  out.counter("firn_tier_refused_writes_total", "Writes that failed because the local disk was full.",
              number(room.refused));
  out.counter("firn_tier_slowed_seconds_total", "What writers waited because it was nearly full.",
              seconds(room.slowed_ns));
}

void sample_moved(const vfs::TierStatistics& state, Timestamp now, Samples& out) {
  const int64_t age_s = state.pending_files > 0 ? std::max<int64_t>(now.seconds - state.oldest_pending.seconds, 0) : 0;
  out.gauge("firn_tier_pending_files", "Files that are not in every colder tier yet.", number(state.pending_files));
  out.gauge("firn_tier_pending_bytes", "Bytes of these files, all of each.", number(state.pending_bytes));
  out.gauge("firn_tier_pending_age_seconds", "How long the oldest of them has waited.", static_cast<double>(age_s));
  out.counter("firn_tier_uploaded_files_total", "Files sent to colder tiers.", number(state.uploaded_files));
  out.counter("firn_tier_uploaded_bytes_total", "Bytes of their content.", number(state.uploaded_bytes));
  out.counter("firn_tier_uploaded_blobs_total", "Objects that they were sent in.", number(state.uploaded_blobs));
  out.counter("firn_tier_shared_bytes_total", "Bytes that need not be sent, because equal ones had been.",
              number(state.shared_bytes));
  out.counter("firn_tier_hydrated_bytes_total", "Bytes that came back to the local disk.",
              number(state.hydrated_bytes));
  out.counter("firn_tier_evicted_files_total", "Files whose content left the local disk to make room.",
              number(state.evicted_files));
  out.counter("firn_tier_evicted_bytes_total", "Bytes that left it to make room.", number(state.evicted_bytes));
  out.gauge("firn_tier_hot_bytes", "Bytes of files on the local disk, about.", number(state.hot_bytes));
  out.gauge("firn_tier_hot_limit_bytes", "How much that may be; 0: what the disk has.", number(state.hot_limit_bytes));
  out.gauge("firn_tier_uploading", "1 while an upload runs.", state.uploading ? 1 : 0);
  out.gauge("firn_tier_upload_held_to_bytes_per_second",
            "What uploads are held to while programs write fast; 0: they are not.", number(state.held_to_bytes_per_s));
  out.gauge("firn_tier_readahead_cached_bytes", "Bytes of small files that came back beside others.",
            number(state.readahead.cached_bytes));
  out.counter("firn_tier_readahead_served_total", "Reads that these answered.", number(state.readahead.served));
}

void sample_stores(RunningTiers& tiers, Samples& out) {
  const std::vector<TierInfo> infos = tiers.stores().info();
  const std::vector<TierLimits::Report> limits = tiers.limits().report();
  for (size_t i = 0; i < infos.size(); ++i) {
    const metrics::Labels labels = {{"tier", infos[i].name}};
    out.gauge("firn_tier_up", "0 while the last request to the tier failed.", infos[i].health.failing ? 0 : 1, labels);
    out.gauge("firn_tier_full", "1 while the last put to the tier failed for want of room.",
              infos[i].health.full ? 1 : 0, labels);
    if (limits[i].bounds.max_bytes > 0)
      out.gauge("firn_tier_limit_bytes", "How much the tier may hold.", number(limits[i].bounds.max_bytes), labels);
    if (limits[i].known) out.gauge("firn_tier_held_bytes", "How much it holds.", number(limits[i].held_bytes), labels);
  }
  out.counter("firn_tier_damaged_chunks_total", "Chunks that a tier gave back damaged.",
              number(tiers.repairs().damaged_chunks()));
  out.counter("firn_tier_repaired_objects_total", "Objects that were put right.",
              number(tiers.repairs().repaired_objects()));
}

void sample_shipping(const Shipping::Report& report, Samples& out) {
  out.gauge("firn_metadata_attached", "1 while the metadata is sent to the coldest tier.", report.attached ? 1 : 0);
  out.gauge("firn_metadata_pending_commits", "Commits that the coldest tier does not have.",
            number(report.status.pending_commits));
  out.gauge("firn_metadata_pending_bytes", "Bytes of them.", number(report.status.pending_bytes));
  out.gauge("firn_metadata_pending_age_seconds", "How long the oldest of them has waited.",
            seconds(report.status.oldest_pending_ns));
}

}  // namespace

io::Task<Samples> sample_metrics(RunningVolume& running, const fuse::Session* session) {
  Samples out;
  // /proc may have much to say.
  co_await running.pool().run([&out] { sample_process(out); });
  sample_reactors(running, out);
  if (session) sample_session(session->info(), out);
  sample_files(running, out);
  co_await sample_space(running, out);
  sample_engine(running, out);
  if (RunningTiers* tiers = running.tiers()) {
    const vfs::TierStatistics state = running.volume().tier_statistics();
    sample_moved(state, system_clock().now(), out);
    sample_room(state.room, out);
    sample_stores(*tiers, out);
  }
  if (Shipping* shipping = running.shipping()) sample_shipping(shipping->report(), out);
  co_return out;
}

}  // namespace firn::cli
