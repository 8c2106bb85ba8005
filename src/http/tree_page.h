// http::TreePage: one page of a listing, of a folder or of all that is below it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "http/message.h"
#include "vfs/volume.h"

namespace firn::http {

struct TreeEntry {
  std::string path;  // below the listed folder: "a", or "a/b"
  vfs::Listed listed;
  bool unreadable = false;  // a folder that is listed without what is in it: whoever asks may not, or it lies too deep
};

// Which page is asked for.
struct PageQuestion {
  size_t limit = 0;
  std::string after;  // the path of the entry that the page before ended with; empty: the first page
};
// By the query's "limit" and "after". kInvalid.
Result<PageQuestion> page_question(const Request& request);
// The "after" of the page that follows one which ends with `path`.
std::string next_after(const std::string& path);

// Lists folders before what is in them, and the entries of each in byte order of their names. Holds a few entries of
// each folder from the listed one to where it is.
class TreePage {
 public:
  struct Options {
    vfs::Volume& volume;
    meta::Credentials who;
    bool recursive = false;
    size_t limit = 1000;
  };
  explicit TreePage(Options options) : options_(std::move(options)) {}

  // Up to `limit` entries after `after`, a path below the folder (empty: from the start), which need not be there any
  // more; `take` gets each. False: that was the end. The caller has checked that the folder may be read.
  io::Task<Result<bool>> list(InodeId folder, std::string after, std::function<void(const TreeEntry&)> take);

 private:
  struct Level {
    InodeId folder;
    std::string path;                // empty: the listed folder itself; or it ends in a slash
    std::string after;               // the last name that was taken
    std::vector<vfs::Listed> ahead;  // read, and not taken yet: the next one is the last
    bool at_end = false;             // nothing comes behind `ahead`
  };
  io::Task<Result<void>> resume(InodeId folder, std::string after);
  io::Task<Result<void>> refill(Level& level);
  io::Task<bool> may_enter(InodeId folder, std::string_view path) const;

  const Options options_;
  std::vector<Level> levels_;
};

}  // namespace firn::http
