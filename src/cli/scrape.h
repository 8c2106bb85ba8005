// What GET /v1/metrics answers, read again: for commands that show it to people.
#pragma once

#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"

namespace firn::cli {

// Times at or below `le` seconds; the last `le` is infinite.
struct LatencyBuckets {
  std::vector<std::pair<double, double>> counts;  // le, how many, cumulative

  double total() const { return counts.empty() ? 0 : counts.back().second; }
  // Without what `earlier` has already.
  LatencyBuckets since(const LatencyBuckets& earlier) const;
  // In seconds, between the borders of a bucket by proportion; negative: there is none.
  double quantile(double share) const;
};

class Scrape {
 public:
  using Match = std::initializer_list<std::pair<std::string_view, std::string_view>>;

  // kIo: it is not the text format.
  static Result<Scrape> parse(std::string_view text);

  // The sum of the series of `name` that have all labels of `match`; 0 where there is none.
  double sum(std::string_view name, Match match = {}) const;
  bool has(std::string_view name) const { return series_.contains(name); }
  // The values of `label` among the series of `name`, each once, in order.
  std::vector<std::string> values(std::string_view name, std::string_view label) const;
  // Of the histogram `name`, the series that match taken together.
  LatencyBuckets buckets(const std::string& name, Match match = {}) const;

 private:
  struct Series {
    std::map<std::string, std::string, std::less<>> labels;
    double value = 0;

    bool matches(Match match) const;
  };
  Status add_line(std::string_view line);

  std::map<std::string, std::vector<Series>, std::less<>> series_;
};

}  // namespace firn::cli
