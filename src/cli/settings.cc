#include "cli/settings.h"

#include <fmt/format.h>

#include "cli/tier_bounds.h"

namespace firn::cli {

using config::Duration;
using config::Flag;
using config::Integer;
using config::Size;
using config::Text;

config::Schema schema_of(Settings& s) {
  constexpr int64_t kMillisecond = 1'000'000;
  constexpr uint64_t kMiB = 1 << 20;
  config::Schema schema = {
      {"log.level", Text{&s.log_level, {"debug", "info", "warning", "error", "off"}},
       "The least important event that firn.log tells."},
      {"log.format", Text{&s.log_format, {"text", "json"}}, "json: one object per line, for log collectors."},
      {"log.rotate_size", Size{&s.log_rotate_bytes, 64 << 10, uint64_t{1} << 40},
       "firn.log becomes firn.1.log at this size."},
      {"log.rotated_files", Integer{&s.log_rotated_files, 1, 1000}, "How many old logs are kept."},

      {"data.inline_max", Size{&s.inline_max_bytes, 0, 64 << 10},
       "Files up to this size are kept with the metadata instead of in a file of their own under hot/. Larger values "
       "save files, smaller ones save write amplification."},
      {"data.scratch_min", Integer{&s.scratch_min_files, 1, 1 << 20},
       "Empty files kept ready for files that are being written."},
      {"data.scratch_max", Integer{&s.scratch_max_files, 1, 1 << 20},
       "The pool of ready files grows up to this under load. Each holds a file descriptor."},
      {"data.recent_files", Integer{&s.recent_files, 0, 1 << 20},
       "Files under hot/ that stay open after their last user left. Each holds a file descriptor."},
      {"data.chunk_size", Size{&s.chunk_bytes, 64 << 10, 64 * kMiB},
       "The unit in which colder tiers hold a file; fixed when the volume is made."},
      {"data.part_lifetime", Duration{&s.part_lifetime_ns, 0, 87'600LL * 3600 * 1000 * kMillisecond},
       "The part of an interrupted upload (.NAME.firn-part) is removed when nobody has gone on with it for so long; 0: "
       "never. The whole volume is looked through for them once a day, or twice in a shorter lifetime."},

      {"meta.block_cache", Size{&s.block_cache_bytes, kMiB, uint64_t{1} << 40},
       "Memory for blocks of the metadata store."},
      {"meta.memtable", Size{&s.memtable_bytes, kMiB, uint64_t{4} << 30},
       "Memory for recent changes of metadata; up to three times this is used."},
      {"meta.inode_cache", Integer{&s.inode_cache_entries, 1024, 1 << 28},
       "Inodes cached in decoded form, about 250 bytes each."},
      {"meta.dirent_cache", Integer{&s.dirent_cache_entries, 1024, 1 << 28},
       "Directory entries cached, about 70 bytes each."},

      {"sync.interval", Duration{&s.sync_interval_ns, 10 * kMillisecond, 60'000 * kMillisecond},
       "What was not fsynced survives a power cut after at most about this long."},
      {"sync.handover", Duration{&s.handover_interval_ns, kMillisecond, 1000 * kMillisecond},
       "What was not fsynced survives the death of the daemon (not a power cut) after at most about this long."},

      {"reactor.threads", Integer{&s.reactor_threads, 0, 1024}, "Threads that serve requests; 0: one per processor."},
      {"reactor.blocking_threads", Integer{&s.blocking_threads, 1, 1024},
       "Threads for disk waits that have no asynchronous form."},
      {"reactor.spin_us", Integer{&s.spin_us, 0, 1000},
       "Microseconds that a busy thread polls for work before it sleeps: lower latency for more processor time."},

      {"fuse.transport", Text{&s.fuse_transport, {"auto", "uring", "dev"}},
       "How requests come from the kernel: uring (FUSE over io_uring), dev (/dev/fuse), or auto: uring where the "
       "kernel has it enabled."},
      {"fuse.passthrough", Flag{&s.fuse_passthrough},
       "Let the kernel read and write the files under hot/ by itself (Linux 6.9 or later, as root)."},
  };
  append_schema(s.http, schema);
  append_schema(s.events, schema);
  append_schema(s.nfs, schema);
  append_schema(s.tiers, schema);
  append_schema(s.s3, schema);
  return schema;
}

Result<Settings> parse_settings(std::string_view text, const std::string& file) {
  Settings settings;
  for (const config::Section& section : config::sections_below(text, "tier"))
    settings.tiers.own.push_back({.name = section.name, .where = fmt::format("{}:{}", file, section.line)});
  TRY(config::parse(text, file, schema_of(settings)));
  TRY(check_own_tiers(settings.tiers));
  if (Status checked = check(settings.tiers, settings.chunk_bytes); !checked.ok())
    return fail(std::move(checked).with_context(file));
  if (Status checked = check(settings.http); !checked.ok()) return fail(std::move(checked).with_context(file));
  return settings;
}

Result<Settings> load_settings(const std::string& file) { return parse_settings(TRY(config::read_text(file)), file); }

std::string render_settings(Settings settings) {
  complete_own_tiers(settings.tiers);
  Settings defaults;
  defaults.tiers.own = without_own_values(settings.tiers);
  return config::render(
      schema_of(settings), schema_of(defaults),
      "The settings of this firn volume. A line that begins with # shows a default; remove the # to change it.\n"
      "The daemon reads this file when it starts: firn umount and firn mount again apply a change.");
}

}  // namespace firn::cli
