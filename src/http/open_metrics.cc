#include "http/open_metrics.h"

#include <algorithm>
#include <cstdlib>

namespace firn::http {
namespace {

constexpr std::string_view kTotal = "_total";

std::string_view next_part(std::string_view& rest, char separator) {
  const size_t end = std::min(rest.find(separator), rest.size());
  const std::string_view part = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return part;
}

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
  return text;
}

// How much `accept` wants it, from 0 to 1; -1: it does not name it.
double weight_of(std::string_view accept, std::string_view type) {
  double weight = -1;
  while (!accept.empty()) {
    std::string_view range = next_part(accept, ',');
    if (trimmed(next_part(range, ';')) != type) continue;
    double q = 1;
    while (!range.empty())
      if (const std::string_view parameter = trimmed(next_part(range, ';')); parameter.starts_with("q="))
        q = std::strtod(std::string(parameter.substr(2)).c_str(), nullptr);
    weight = std::max(weight, q);
  }
  return weight;
}

}  // namespace

std::string open_metrics_of(std::string_view prometheus) {
  std::string out;
  out.reserve(prometheus.size());
  while (!prometheus.empty()) {
    const std::string_view line = next_part(prometheus, '\n');
    std::string_view rest = line;
    const std::string_view mark = next_part(rest, ' '), keyword = next_part(rest, ' '), name = next_part(rest, ' ');
    const bool describes = mark == "#" && (keyword == "HELP" || keyword == "TYPE");
    if (describes) {
      const bool counts = name.ends_with(kTotal);
      out.append("# ").append(keyword).append(" ").append(counts ? name.substr(0, name.size() - kTotal.size()) : name);
      out += ' ';
      for (const char c : rest) {  // quotes are escaped here, and are not there
        if (c == '"') out += '\\';
        out += c;
      }
    } else {
      out.append(line);
    }
    out += '\n';
  }
  return out + "# EOF\n";
}

bool wants_open_metrics(std::string_view accept) {
  const double wanted = weight_of(accept, "application/openmetrics-text");
  return wanted > 0 && wanted >= weight_of(accept, "text/plain");
}

}  // namespace firn::http
