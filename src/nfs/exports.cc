#include "nfs/exports.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace firn::nfs {
namespace {

constexpr unsigned kIpv4Bits = 32, kAddressBits = 128;
constexpr uint16_t kFirstOrdinaryPort = 1024;

template <class Number>
std::optional<Number> parse_number(std::string_view text) {
  Number value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const size_t end = std::min(text.find(separator), text.size());
    if (end > 0) parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

Result<ClientRange> parse_range(std::string_view text) {
  if (text == "*") return ClientRange{.text = "*"};
  const size_t slash = text.find('/');
  const std::string address_text(text.substr(0, slash));
  const std::optional<Address> address = parse_address(address_text);
  if (!address)
    return fail(Code::kInvalid, fmt::format("\"{}\" is neither an IP address nor \"*\" nor \"localhost\"", text));
  const unsigned most = address_text.contains(':') ? kAddressBits : kIpv4Bits;
  std::optional<unsigned> bits = most;
  if (slash != std::string_view::npos) bits = parse_number<unsigned>(text.substr(slash + 1));
  if (!bits || *bits > most)
    return fail(Code::kInvalid, fmt::format("\"{}\": after the slash comes a number of bits, up to {}", text, most));
  return ClientRange{.address = *address, .bits = *bits + (kAddressBits - most), .text = std::string(text)};
}

Result<void> apply_option(std::string_view option, Access& access) {
  const size_t equals = option.find('=');
  if (equals != std::string_view::npos) {
    const std::optional<uint32_t> id = parse_number<uint32_t>(option.substr(equals + 1));
    const std::string_view key = option.substr(0, equals);
    if (id && key == "anonuid") return access.anonymous_uid = *id, Result<void>();
    if (id && key == "anongid") return access.anonymous_gid = *id, Result<void>();
  } else if (option == "rw" || option == "ro") {
    return access.read_only = option == "ro", Result<void>();
  } else if (option == "secure" || option == "insecure") {
    return access.any_port = option == "insecure", Result<void>();
  } else if (option == "root_squash") {
    return access.squash = Squash::kRoot, Result<void>();
  } else if (option == "no_root_squash") {
    return access.squash = Squash::kNone, Result<void>();
  } else if (option == "all_squash") {
    return access.squash = Squash::kAll, Result<void>();
  }
  return fail(Code::kInvalid,
              fmt::format("\"{}\" is no option; there are rw, ro, root_squash, no_root_squash, all_squash, anonuid=N, "
                          "anongid=N, secure, insecure",
                          option));
}

// "localhost" is two ranges.
Result<void> add_client(std::string_view text, std::vector<Access>& clients) {
  Access access;
  const size_t open = text.find('(');
  if (open != std::string_view::npos) {
    if (!text.ends_with(')')) return fail(Code::kInvalid, fmt::format("\"{}\": the parenthesis is not closed", text));
    for (const std::string_view option : split(text.substr(open + 1, text.size() - open - 2), ','))
      TRY(apply_option(option, access));
  }
  const std::string_view who = text.substr(0, open);
  const bool here = who == "localhost";
  for (const std::string_view range : here ? std::vector<std::string_view>{"127.0.0.0/8", "::1"} : std::vector{who}) {
    access.from = TRY(parse_range(range));
    clients.push_back(access);
  }
  return {};
}

Result<Export> parse_export(std::string_view entry) {
  const std::vector<std::string_view> words = split(entry, ' ');
  const std::optional<std::string> path = words.empty() ? std::nullopt : plain_path(words.front());
  if (!path)
    return fail(Code::kInvalid,
                fmt::format("\"{}\" does not begin with the absolute path of a folder in the volume", entry));
  Export result{.id = static_cast<uint32_t>(XXH3_64bits(path->data(), path->size())), .path = *path, .clients = {}};
  for (const std::string_view client : std::span(words).subspan(1)) TRY(add_client(client, result.clients));
  if (result.clients.empty()) TRY(add_client("localhost", result.clients));
  return result;
}

}  // namespace

std::optional<Address> parse_address(const std::string& text) {
  Address address{};
  if (inet_pton(AF_INET6, text.c_str(), address.data()) == 1) return address;
  address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (inet_pton(AF_INET, text.c_str(), address.data() + 12) == 1) return address;
  return std::nullopt;
}

bool ClientRange::matches(const Address& other) const {
  const size_t whole = bits / 8;
  if (std::memcmp(address.data(), other.data(), whole) != 0) return false;
  const unsigned rest = bits % 8;
  return rest == 0 || ((address[whole] ^ other[whole]) >> (8 - rest)) == 0;
}

meta::Credentials Access::credentials(const Caller& caller) const {
  const bool nobody = !caller.known || squash == Squash::kAll;
  if (nobody || (squash == Squash::kRoot && caller.uid == 0))
    return {.uid = anonymous_uid, .gid = anonymous_gid, .groups = {}};
  meta::Credentials who{.uid = caller.uid, .gid = caller.gid, .groups = caller.groups};
  if (squash == Squash::kRoot) {
    // Root's group is as good as root on many a system.
    if (who.gid == 0) who.gid = anonymous_gid;
    std::ranges::replace(who.groups, 0u, anonymous_gid);
  }
  return who;
}

const Access* Export::access_of(const Peer& peer) const {
  for (const Access& access : clients)
    if (access.from.matches(peer.address)) return access.any_port || peer.port < kFirstOrdinaryPort ? &access : nullptr;
  return nullptr;
}

Result<Exports> Exports::parse(const std::vector<std::string>& entries) {
  Exports exports;
  for (const std::string& entry : entries) {
    Export next = TRY(parse_export(entry));
    if (exports.find(next.id))
      return fail(Code::kInvalid, fmt::format("\"{}\" is exported twice; name all its clients in one line", next.path));
    exports.all_.push_back(std::move(next));
  }
  if (entries.empty()) exports.all_.push_back(TRY(parse_export("/")));
  return exports;
}

const Export* Exports::find(uint32_t id) const {
  const auto found = std::ranges::find(all_, id, &Export::id);
  return found == all_.end() ? nullptr : &*found;
}

const Export* Exports::holding(std::string_view path) const {
  const Export* best = nullptr;
  for (const Export& next : all_) {
    const bool all = next.path == "/";
    const bool inside =
        all || (path.starts_with(next.path) && (path.size() == next.path.size() || path[next.path.size()] == '/'));
    if (inside && (!best || next.path.size() > best->path.size())) best = &next;
  }
  return best;
}

std::optional<std::string> plain_path(std::string_view path) {
  if (!path.starts_with('/')) return std::nullopt;
  std::string plain;
  for (const std::string_view name : split(path, '/')) {
    if (name == "." || name == "..") return std::nullopt;
    plain += '/';
    plain += name;
  }
  return plain.empty() ? "/" : plain;
}

}  // namespace firn::nfs
