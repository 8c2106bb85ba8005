// What is migrated to: the volume's side of each entry.
#pragma once

#include <memory>
#include <string>

#include "migrate/notes.h"
#include "migrate/options.h"
#include "migrate/sharing.h"
#include "migrate/source.h"
#include "vfs/volume.h"

namespace firn::migrate {

using vfs::Attr;

// Thread-safe. An entry that is passed by reference outlives the call, and is one caller's.
class Target {
 public:
  Target(const Parts& parts, const Options& options, Progress& progress, Notes notes)
      : parts_(parts),
        options_(options),
        progress_(progress),
        notes_(std::move(notes)),
        sharing_(parts, progress, notes_) {}

  Sharing& sharing() { return sharing_; }

  io::Task<Result<Attr>> lookup(InodeId parent, std::string name);
  io::Task<Result<Attr>> getattr(InodeId inode) { return parts_.volume.getattr(inode); }
  // A folder of that path; what is missing of it is made when `make`.
  io::Task<Result<InodeId>> find_folder(std::string path, bool make);

  // Makes what `entry` is, whole: whoever sees the name sees content and attributes. kExists: the name is taken.
  // kWouldBlock: the source changed while it was read, twice.
  io::Task<Result<Attr>> make(InodeId parent, std::string name, SourceEntry& entry);
  // The same in place of what has the name, at once.
  io::Task<Result<Attr>> replace(InodeId parent, std::string name, SourceEntry& entry);
  io::Task<Result<Attr>> make_folder(InodeId parent, std::string name, const SourceStat& stat, Attributes xattrs);
  // Another name for a file that is there, in place of what has it when `replacing`.
  io::Task<Result<void>> link(InodeId inode, InodeId parent, std::string name, bool replacing);
  io::Task<Result<void>> unlink(InodeId parent, std::string name);

  // Whether the bytes are the same.
  io::Task<Result<bool>> same_content(const Attr& there, const SourceEntry& entry);
  io::Task<Result<std::string>> readlink(InodeId inode) { return parts_.volume.readlink(inode); }

  // What differs besides content, in words; empty: nothing.
  io::Task<Result<std::string>> difference(const Attr& there, const SourceStat& stat, Attributes xattrs);
  // Makes mode, owner, extended attributes (and times, where `times`) what the source's are.
  io::Task<Result<void>> bring_up_to_date(const Attr& there, const SourceStat& stat, Attributes xattrs, bool times);
  // A folder's, once all that is in it is there.
  io::Task<Result<void>> set_times(InodeId folder, const SourceStat& stat);

 private:
  // Filled under no name; what has one is whole.
  io::Task<Result<Attr>> make_large(InodeId parent, std::string name, SourceEntry& entry);
  // `hasher`: null where equal contents are not looked for.
  io::Task<Result<void>> fill(vfs::Handle* handle, SourceEntry& entry, ContentHasher* hasher);
  io::Task<Result<void>> copy_extent(vfs::Handle* handle, SourceEntry& entry, Extent extent, ContentHasher* hasher);
  io::Task<Result<Attr>> complete(const vfs::Opened& opened, SourceEntry& entry);
  io::Task<Result<void>> load(SourceEntry& entry);
  io::Task<Result<void>> compare_pieces(vfs::Handle* handle, const SourceEntry& entry, bool* same);
  io::Task<Result<Attributes>> xattrs_of(const Attr& there);

  const Parts& parts_;
  const Options& options_;
  Progress& progress_;
  const Notes notes_;
  Sharing sharing_;
};

}  // namespace firn::migrate
