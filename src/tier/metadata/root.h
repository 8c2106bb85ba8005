// A root: which tables make up the metadata at a moment, from where on the log goes over them, and what earlier roots
// left to be removed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "tier/metadata/envelope.h"

namespace firn::tier {

inline constexpr uint64_t kMaxRootBytes = 256 << 20;
inline constexpr uint64_t kMaxTableBytes = 1ULL << 30;  // of its object; the store's own limit

struct TableRef {
  std::string name;
  std::string identity;
  uint64_t epoch = 0;
  uint64_t number = 0;
  uint64_t bytes = 0;
  uint64_t checksum = 0;
  friend bool operator==(const TableRef&, const TableRef&) = default;
};

struct Root {
  std::string volume;  // the volume's id
  Bytes16 database{};  // the local database that it was taken from
  int64_t seconds = 0;
  uint64_t first_log = 1;
  uint64_t log_epoch = 0;  // in force at first_log (log_end.h); 0: not known
  std::string manifest;    // of the checkpoint; empty: an empty database
  std::vector<TableRef> tables;
  uint64_t tables_made = 0;

  struct Past {
    uint64_t number = 0;
    uint64_t first_log = 0;
    int64_t replaced = 0;
    friend bool operator==(const Past&, const Past&) = default;
  };
  struct Dropped {
    uint64_t epoch = 0;
    uint64_t number = 0;
    uint64_t root = 0;
    friend bool operator==(const Dropped&, const Dropped&) = default;
  };
  struct Fence {
    uint64_t number = 0;
    int64_t seconds = 0;
    friend bool operator==(const Fence&, const Fence&) = default;
  };
  struct Sweep {
    uint64_t epoch = 0;
    uint64_t first = 0;
    int64_t seconds = 0;
    friend bool operator==(const Sweep&, const Sweep&) = default;
  };
  std::vector<Past> past;
  std::vector<Dropped> dropped;
  uint64_t first_kept_log = 1;
  std::vector<Fence> fences;
  std::vector<uint64_t> signposts;
  std::vector<Sweep> sweeps;
  uint64_t first_pin = 1, first_kept_pin = 1;
  uint64_t lease_ms = 0;  // of the writer: TakeOverOptions::lease_ns

  friend bool operator==(const Root&, const Root&) = default;
};

std::string encode_root(const Root& root);
// kCorrupt: what no firn wrote.
Result<Root> decode_root(std::string_view bytes);

}  // namespace firn::tier
