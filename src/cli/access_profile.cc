#include "cli/access_profile.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>

namespace firn::cli {
namespace {

template <class Number>
Number number_of(std::string_view text) {
  Number value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// The next `key=value` of `rest`, which it takes off; a value in quotes is given without them. False: there is none.
bool take_field(std::string_view& rest, std::string_view& key, std::string_view& value) {
  while (rest.starts_with(' ')) rest.remove_prefix(1);
  const size_t equals = rest.find('=');
  if (equals == std::string_view::npos) return false;
  key = rest.substr(0, equals);
  rest.remove_prefix(equals + 1);
  size_t end = 0;
  if (rest.starts_with('"')) {
    rest.remove_prefix(1);
    while (end < rest.size() && rest[end] != '"') end += rest[end] == '\\' ? 2 : 1;
    if (end >= rest.size()) return false;
    value = rest.substr(0, end);
    rest.remove_prefix(end + 1);
    return true;
  }
  end = std::min(rest.find(' '), rest.size());
  value = rest.substr(0, end);
  rest.remove_prefix(end);
  return true;
}

template <class Key>
void add_to(std::map<Key, AccessSum>& sums, const Key& key, const AccessLine& line, size_t most) {
  if (sums.size() < most || sums.contains(key)) sums[key].add(line);
}

template <class Key>
std::vector<std::pair<Key, AccessSum>> longest(const std::map<Key, AccessSum>& sums, size_t limit) {
  std::vector<std::pair<Key, AccessSum>> all(sums.begin(), sums.end());
  std::ranges::sort(all, std::greater(), [](const auto& one) { return one.second.us; });
  all.resize(std::min(all.size(), limit));
  return all;
}

}  // namespace

std::optional<AccessLine> parse_access_line(std::string_view text) {
  const size_t time_end = text.find(' ');
  if (text.starts_with('#') || time_end == std::string_view::npos) return std::nullopt;
  AccessLine line;
  std::string_view rest = text.substr(time_end), key, value;
  while (take_field(rest, key, value)) {
    if (key == "door") line.door = value;
    if (key == "op") line.op = value;
    if (key == "inode") line.inode = number_of<uint64_t>(value);
    if (key == "name") line.name = value;
    if (key == "path") line.path = value;
    if (key == "bytes") line.bytes = number_of<uint64_t>(value);
    if (key == "pid") line.pid = number_of<uint32_t>(value);
    if (key == "client") line.client = value;
    if (key == "result") line.result = value;
    if (key == "us") line.us = std::strtod(std::string(value).c_str(), nullptr);
  }
  if (line.op.empty() || line.result.empty()) return std::nullopt;
  return line;
}

uint64_t dropped_in(std::string_view line) {
  constexpr std::string_view kDropped = "# dropped ";
  return line.starts_with(kDropped) ? number_of<uint64_t>(line.substr(kDropped.size())) : 0;
}

void AccessSum::add(const AccessLine& line) {
  ++count;
  if (line.result != "OK") ++errors;
  bytes += line.bytes;
  us += line.us;
  longest_us = std::max(longest_us, line.us);
}

uint32_t AccessProfile::process_of(uint32_t thread) {
  if (!options_.process_of || thread == 0) return thread;
  const auto [known, added] = process_of_thread_.try_emplace(thread, thread);
  if (added) known->second = options_.process_of(thread);
  return known->second;
}

void AccessProfile::add(std::string_view text) {
  dropped_ += dropped_in(text);
  const std::optional<AccessLine> line = parse_access_line(text);
  if (!line || (!options_.door.empty() && line->door != options_.door)) return;
  all_.add(*line);
  doors_[line->door].add(*line);
  operations_[{line->door, line->op}].add(*line);
  if (line->pid) processes_[process_of(*line->pid)].add(*line);
  if (!line->client.empty()) add_to(clients_, line->client, *line, kMostTargets);
  const AccessTarget target{line->inode, line->name, line->path};
  if (target != AccessTarget()) add_to(targets_, target, *line, kMostTargets);
}

std::vector<std::pair<std::string, AccessSum>> AccessProfile::doors() const { return longest(doors_, doors_.size()); }

std::vector<std::pair<std::string, AccessSum>> AccessProfile::clients(size_t limit) const {
  return longest(clients_, limit);
}

std::vector<std::pair<AccessOperation, AccessSum>> AccessProfile::operations(size_t limit) const {
  return longest(operations_, limit);
}

std::vector<std::pair<AccessTarget, AccessSum>> AccessProfile::targets(size_t limit) const {
  return longest(targets_, limit);
}

std::vector<std::pair<uint32_t, AccessSum>> AccessProfile::processes(size_t limit) const {
  return longest(processes_, limit);
}

}  // namespace firn::cli
