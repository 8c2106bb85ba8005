#include "cli/http_settings.h"

#include "io/tcp_address.h"

namespace firn::cli {

using config::Duration;
using config::Flag;
using config::Integer;
using config::Size;
using config::Text;
using config::TextList;

namespace {

constexpr size_t kMaxAddresses = 16;
constexpr int64_t kMillisecond = 1'000'000;
constexpr int64_t kHour = 3'600'000 * kMillisecond;

std::string problem_of_addresses(const std::vector<std::string>& addresses) {
  for (const std::string& text : addresses)
    if (const auto address = io::parse_tcp_address(text, kHttpPort); !address) return address.error().message();
  return "";
}

}  // namespace

void append_schema(HttpSettings& s, config::Schema& schema) {
  schema.insert(
      schema.end(),
      {{"http.listen", TextList{&s.listen, kMaxAddresses, problem_of_addresses},
        "Where HTTP is served over TCP, such as \"127.0.0.1:7734\" or \"[::]:7734\"; the port is 7734 where none is "
        "named. Empty: only on firn.sock. Of another address than this machine's own, tls_certificate and a token "
        "(firn token create) are wanted."},
       {"http.tls_certificate", Text{&s.tls_certificate, {}},
        "The certificate of this machine and those between it and an authority, a PEM file. Read again when it "
        "changes."},
       {"http.tls_key", Text{&s.tls_key, {}}, "Its key, a PEM file without a passphrase."},
       {"http.allow_plaintext", Flag{&s.allow_plaintext},
        "Serve other machines without TLS: whoever sees the network sees every file and token that passes."},
       {"http.allow_anonymous", Flag{&s.allow_anonymous},
        "Serve requests without a token, as user and group 65534 (nobody): they reach what others may."},
       {"http.loopback", Text{&s.loopback, {"owner", "anyone", "token"}},
        "Who on this machine needs no token. owner: processes of the daemon's own user, and root's. anyone: every "
        "process, which then acts as the daemon's user. token: nobody."},
       {"http.announce", Text{&s.announce, {kAnnounceChoices.begin(), kAnnounceChoices.end()}},
        "Tell the local network of the volume by mDNS, through this machine's Avahi: its name, id, address and whether "
        "it has TLS. auto: where http.listen has an address that other machines reach. yes: of any address. no: "
        "never."},
       {"http.connections", Integer{&s.connections, 1, 1 << 20}, "TCP connections at once."},
       {"http.connections_per_address", Integer{&s.connections_per_address, 1, 1 << 20},
        "TCP connections at once from each address but this machine's own."},
       {"http.idle_timeout", Duration{&s.idle_timeout_ns, 100 * kMillisecond, kHour},
        "A connection without a request ends after this."},
       {"http.head_timeout", Duration{&s.head_timeout_ns, 100 * kMillisecond, kHour},
        "For a request's head, and for TLS's handshake."},
       {"http.stall_timeout", Duration{&s.stall_timeout_ns, 100 * kMillisecond, kHour},
        "For each part of a body, either way."},
       {"http.min_rate", Size{&s.min_bytes_per_s, 1, 1 << 30},
        "Bytes a second at which a request's body must come, once stall_timeout has been waited for it in all."},
       {"http.max_body", Size{&s.max_body_bytes, 0, INT64_MAX},
        "The largest body of a request; 0: any. A file may be larger, if it is sent in parts (PATCH). firn put sends "
        "parts of 64 MiB."},
       {"http.drain_timeout", Duration{&s.drain_timeout_ns, kMillisecond, kHour},
        "For requests that are under way when the daemon stops."}});
}

Status check(const HttpSettings& settings) {
  if (settings.tls_certificate.empty() != settings.tls_key.empty())
    return Status(Code::kInvalid, "http.tls_certificate and http.tls_key go together; set both or neither");
  for (const std::string& file : {settings.tls_certificate, settings.tls_key})
    if (!file.empty() && !file.starts_with('/'))
      return Status(Code::kInvalid, file + ": http.tls_certificate and http.tls_key must be absolute paths");
  return {};
}

}  // namespace firn::cli
