#include "cli/scrape.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <set>

namespace firn::cli {
namespace {

Status malformed(std::string_view line) {
  return Status(Code::kIo, "the daemon's metrics do not parse: " + std::string(line.substr(0, 80)));
}

// Reads `name="value"`, with its escapes, from the beginning of `rest`; false: that is not what is there.
bool take_label(std::string_view& rest, std::string& name, std::string& value) {
  const size_t quote = rest.find("=\"");
  if (quote == std::string_view::npos) return false;
  name = rest.substr(0, quote);
  value.clear();
  for (size_t i = quote + 2; i < rest.size(); ++i) {
    if (rest[i] == '"') {
      rest.remove_prefix(i + 1);
      if (rest.starts_with(',')) rest.remove_prefix(1);
      return true;
    }
    if (rest[i] == '\\' && i + 1 < rest.size()) ++i;
    value += rest[i];
  }
  return false;
}

double number_of(const std::string& text) { return text == "+Inf" ? INFINITY : std::strtod(text.c_str(), nullptr); }

}  // namespace

LatencyBuckets LatencyBuckets::since(const LatencyBuckets& earlier) const {
  LatencyBuckets difference = *this;
  if (earlier.counts.size() != counts.size()) return difference;
  for (size_t i = 0; i < counts.size(); ++i) difference.counts[i].second -= earlier.counts[i].second;
  return difference;
}

double LatencyBuckets::quantile(double share) const {
  const double rank = total() * share;
  if (total() <= 0) return -1;
  double low = 0, below = 0;
  for (const auto& [le, count] : counts) {
    if (count >= rank && count > below)
      return std::isinf(le) ? low : low + (le - low) * (rank - below) / (count - below);
    low = le;
    below = count;
  }
  return low;
}

bool Scrape::Series::matches(Match match) const {
  return std::ranges::all_of(match, [&](const auto& wanted) {
    const auto at = labels.find(wanted.first);
    return at != labels.end() && at->second == wanted.second;
  });
}

Status Scrape::add_line(std::string_view line) {
  const size_t name_end = line.find_first_of("{ ");
  if (name_end == std::string_view::npos || name_end == 0) return malformed(line);
  Series series;
  std::string_view rest = line.substr(name_end);
  if (rest.starts_with('{')) {
    rest.remove_prefix(1);
    while (!rest.starts_with('}')) {
      std::string label, value;
      if (!take_label(rest, label, value)) return malformed(line);
      series.labels.insert_or_assign(std::move(label), std::move(value));
    }
    rest.remove_prefix(1);
  }
  if (!rest.starts_with(' ')) return malformed(line);
  series.value = number_of(std::string(rest.substr(1)));
  series_[std::string(line.substr(0, name_end))].push_back(std::move(series));
  return {};
}

Result<Scrape> Scrape::parse(std::string_view text) {
  Scrape scrape;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (!line.empty() && line[0] != '#') TRY(scrape.add_line(line));
  }
  return scrape;
}

double Scrape::sum(std::string_view name, Match match) const {
  double sum = 0;
  if (const auto at = series_.find(name); at != series_.end())
    for (const Series& series : at->second)
      if (series.matches(match)) sum += series.value;
  return sum;
}

std::vector<std::string> Scrape::values(std::string_view name, std::string_view label) const {
  std::set<std::string> found;
  if (const auto at = series_.find(name); at != series_.end())
    for (const Series& series : at->second)
      if (const auto value = series.labels.find(label); value != series.labels.end()) found.insert(value->second);
  return {found.begin(), found.end()};
}

LatencyBuckets Scrape::buckets(const std::string& name, Match match) const {
  std::map<double, double> counts;
  if (const auto at = series_.find(name + "_bucket"); at != series_.end())
    for (const Series& series : at->second)
      if (const auto le = series.labels.find("le"); le != series.labels.end() && series.matches(match))
        counts[number_of(le->second)] += series.value;
  return {{counts.begin(), counts.end()}};
}

}  // namespace firn::cli
