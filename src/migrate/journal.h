// What a migration leaves behind for the next run of the same one: not which files are done, which the volume itself
// says, but since when the disk may not have all of what the volume says.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "base/time.h"
#include "io/unique_fd.h"

namespace firn::migrate {

// The journal is a text file. Its first line is kJournalHead; then, a line each:
//   begin BOOT SECONDS NANOSECONDS   a run began, in this boot of the machine (no spaces in it)
//   safe SECONDS NANOSECONDS         what was in the volume at that time survives a power cut
//   end                              the run ended by itself, and so does all of it
// A last line without its line feed was not finished and means nothing.
inline constexpr std::string_view kJournalHead = "firn migrate journal 1";

struct JournalState {
  // A run did not end.
  bool interrupted = false;
  // And the machine has been started again since, so that what came after `safe` may be damaged.
  bool rebooted = false;
  Timestamp safe;
};

// kCorrupt: no firn wrote this.
Result<JournalState> read_journal(std::string_view text, std::string_view boot);

// Calls block. One run at a time has it (VolumeLock, or the daemon's mutex, sees to that).
class Journal {
 public:
  // Opens or makes the file, reads what is there, and notes the beginning. One that cannot be read is taken for a run
  // that began with the volume.
  static Result<Journal> open(const std::string& path, const std::string& boot, Timestamp now);

  const JournalState& before() const { return before_; }
  // Everything up to `time` is on the disk by now.
  Status note_safe(Timestamp time);
  // The run has ended, and all of it is on the disk.
  Status note_end();

 private:
  Journal(io::UniqueFd fd, JournalState before) : fd_(std::move(fd)), before_(before) {}
  Status append(const std::string& line);

  io::UniqueFd fd_;
  JournalState before_;
};

}  // namespace firn::migrate
