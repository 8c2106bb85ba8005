// What a migration leaves behind for the next run of the same one: not which files are done, which the volume itself
// says, but since when the disk may not have all of what the volume says.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "base/time.h"
#include "io/unique_fd.h"
#include "migrate/content_hash.h"
#include "migrate/source.h"

namespace firn::migrate {

// The journal is a text file. Its first line is kJournalHead; then, a line each:
//   begin BOOT SECONDS NANOSECONDS   a run began, in this boot of the machine (no spaces in it)
//   safe SECONDS NANOSECONDS         what was in the volume at that time survives a power cut
//   file DEVICE NUMBER INODE         the source's file with several names has become that inode, or was about to
//   content SHA256 INODE             that inode has that content (ContentHasher's), in hexadecimal digits
//   end                              the run ended by itself, and so does all of it
// A last line without its line feed was not finished and means nothing.
inline constexpr std::string_view kJournalHead = "firn migrate journal 1";

struct JournalState {
  // A run did not end.
  bool interrupted = false;
  // And the machine has been started again since, so that what came after `safe` may be damaged.
  bool rebooted = false;
  Timestamp safe;
  // What earlier runs made of files with several names. None once `rebooted`: a power cut may have taken them back, and
  // what has their numbers now would be another file.
  std::map<FileKey, InodeId> files = {};
  // Contents that earlier runs copied, oldest first. None once `rebooted`.
  std::vector<std::pair<ContentHash, InodeId>> contents = {};
  // How many lines said so, also of what is no longer known.
  uint64_t file_lines = 0, content_lines = 0;
};

// kCorrupt: no firn wrote this.
Result<JournalState> read_journal(std::string_view text, std::string_view boot);

// Calls block, and are made one at a time. One run at a time has it (VolumeLock, or the daemon's mutex, sees to that).
class Journal {
 public:
  // Opens or makes the file, reads what is there, and notes the beginning. One that cannot be read is taken for a run
  // that began with the volume.
  static Result<Journal> open(const std::string& path, const std::string& boot, Timestamp now);

  const JournalState& before() const { return before_; }
  // Everything up to `time` is on the disk by now.
  Status note_safe(Timestamp time);
  // Not on the disk when it returns: what a power cut takes of it is copied again. After kMaxFiles of them it does
  // nothing.
  Status note_file(const FileKey& key, InodeId inode);
  // The same, kMaxContents: what is not noted is not shared with what a later run copies.
  Status note_content(const ContentHash& content, InodeId inode);
  // The run has ended, and all of it is on the disk.
  Status note_end();

 private:
  Journal(io::UniqueFd fd, JournalState before) : fd_(std::move(fd)), before_(before) {}
  Status write_line(const std::string& line);
  Status append(const std::string& line);

  static constexpr uint64_t kMaxFiles = 200'000, kMaxContents = 100'000;
  io::UniqueFd fd_;
  JournalState before_;
  uint64_t files_ = 0, contents_ = 0;  // lines of them
};

}  // namespace firn::migrate
