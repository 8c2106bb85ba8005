// PartSweeper: removes what uploads left that nobody went on with.
#pragma once

#include <cstdint>
#include <string>

#include "io/cancel.h"
#include "io/sync.h"
#include "vfs/volume.h"

namespace firn::cli {

// An upload in parts (cli/part_upload.h) is the file .NAME.firn-part beside its target until it is whole, with an
// attribute that says what it is a part of; first, for a moment, empty and without. One that nobody has changed for the
// lifetime goes.
class PartSweeper {
 public:
  struct Options {
    vfs::Volume& volume;  // outlives stop(); written by this process
    int64_t lifetime_ns = 0;
  };
  explicit PartSweeper(Options options) : options_(options) {}

  // Looks through the volume from now on: a minute from now, or a lifetime, and then daily, or more often for shorter
  // lifetimes. On a reactor.
  void start();
  io::Task<void> stop();

 private:
  io::Task<void> sweep_now_and_then(io::Gate::Entry entry);
  io::Task<Result<void>> sweep();
  io::Task<Result<void>> look_at(std::string path, vfs::Attr attr);
  bool is_old(const vfs::Attr& attr) const;

  const Options options_;
  io::CancelToken stopping_;
  io::Gate gate_;
};

}  // namespace firn::cli
