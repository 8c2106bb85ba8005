// What is to become of one entry, and makes it so.
#pragma once

#include <map>
#include <string>

#include "migrate/hard_links.h"
#include "migrate/report.h"
#include "migrate/target.h"

namespace firn::migrate {

struct Placed {
  Outcome outcome = Outcome::kCopied;
  std::string reason = {};
  InodeId inode = {};  // what the name names now; 0: nothing, or something else
};

// Where an entry goes.
struct Place {
  InodeId folder;       // 0: not there, in a dry run
  bool is_new = false;  // nothing is in it that this run did not put there
};

// Thread-safe.
class Placement {
 public:
  // What is in the volume's bigger files since `doubtful_since` may have been damaged by a power cut. `earlier`: what
  // earlier runs made of files with several names.
  Placement(Target& target, const Options& options, std::optional<Timestamp> doubtful_since,
            std::map<FileKey, InodeId> earlier)
      : target_(target), options_(options), doubtful_since_(doubtful_since), earlier_(std::move(earlier)) {}

  // A failure is the entry's, or (kNoSpace, kQuotaExceeded, kReadOnly, kInterrupted) the end of the whole migration.
  // kWouldBlock: the entry changed while it was read.
  io::Task<Result<Placed>> place(Place place, SourceEntry& entry);
  // The same for a folder; `inode` is 0 where what is in it cannot be copied either.
  io::Task<Result<Placed>> place_folder(Place place, std::string name, const SourceStat& stat, Attributes xattrs);

 private:
  io::Task<Result<Placed>> place_one(Place place, SourceEntry& entry);
  io::Task<Result<Placed>> place_link(Place place, SourceEntry& entry, InodeId inode);
  // What an earlier run made of the entry's other names, where this one is not there yet: brought up to date.
  io::Task<Result<std::optional<InodeId>>> made_earlier(Place place, SourceEntry& entry);
  io::Task<Result<Placed>> reconcile(Place place, SourceEntry& entry, Attr there);
  // `other`: the file that the name is to name, too, instead of one of its own.
  io::Task<Result<Placed>> resolve(Place place, SourceEntry& entry, Attr there, bool damaged, InodeId other);
  io::Task<Result<Placed>> rename_beside(Place place, SourceEntry& entry, InodeId other);
  io::Task<Result<Placed>> verify(SourceEntry& entry, Attr there);
  // Whether `there` is what the entry would become, attributes aside. `damaged`: it was ours, and a power cut took
  // something of it.
  io::Task<Result<bool>> is_same(const Attr& there, SourceEntry& entry, bool* damaged);
  io::Task<Result<Placed>> keep(const Attr& there, const SourceStat& stat, Attributes xattrs, bool times);

  bool copies() const { return options_.mode == Mode::kCopy; }

  Target& target_;
  const Options& options_;
  const std::optional<Timestamp> doubtful_since_;
  const std::map<FileKey, InodeId> earlier_;
  HardLinks links_;
};

}  // namespace firn::migrate
