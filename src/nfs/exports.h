// Exports: which parts of the volume which clients may reach, and as whom.
//
//   export  = path *( blank client )            no client: the machine that firn runs on
//   client  = address [ "/" bits ] [ options ]  or "*" [ options ] or "localhost" [ options ]
//   options = "(" option *( "," option ) ")"    exports(5)'s words: rw ro root_squash no_root_squash all_squash
//                                               anonuid=N anongid=N secure insecure
//
// The first client that an address matches is the one that counts.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "meta/types.h"
#include "nfs/rpc_call.h"

namespace firn::nfs {

// An IPv6 address; IPv4's are mapped into it (::ffff:a.b.c.d).
using Address = std::array<uint8_t, 16>;

// Numeric. nullopt: it is none.
std::optional<Address> parse_address(const std::string& text);

struct Peer {
  Address address{};
  uint16_t port = 0;
  std::string name;  // for the log
};

struct ClientRange {
  Address address{};
  unsigned bits = 0;  // of `address` that must match
  std::string text;   // as it was written, without options
  bool matches(const Address& other) const;
};

enum class Squash : uint8_t { kNone, kRoot, kAll };

inline constexpr uint32_t kNobody = 65534;

struct Access {
  ClientRange from;
  bool read_only = false;
  bool any_port = false;  // "insecure": also from ports that every user of the client may use
  Squash squash = Squash::kRoot;
  uint32_t anonymous_uid = kNobody;
  uint32_t anonymous_gid = kNobody;

  // Whom the volume is to take the caller for.
  meta::Credentials credentials(const Caller& caller) const;
};

struct Export {
  uint32_t id = 0;   // of the path; the same after a restart
  std::string path;  // absolute, "/" for all of the volume; without "." and ".." and a slash at its end
  std::vector<Access> clients;

  // Null: nobody there may use it.
  const Access* access_of(const Peer& peer) const;
};

class Exports {
 public:
  // kInvalid, with a sentence for people. No entry: "/" for the machine itself.
  static Result<Exports> parse(const std::vector<std::string>& entries);

  const std::vector<Export>& all() const { return all_; }
  const Export* find(uint32_t id) const;
  // The export that holds `path`, the deepest one; null: there is none.
  const Export* holding(std::string_view path) const;

 private:
  std::vector<Export> all_;
};

// "/a//b/" is "/a/b". nullopt: it is not absolute, or has "." or ".." in it.
std::optional<std::string> plain_path(std::string_view path);

}  // namespace firn::nfs
