#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <variant>

#include "base/check.h"
#include "base/metrics.h"

namespace firn::metrics {

struct Registry::Entry {
  using Callback = std::function<double()>;
  std::string name;
  std::string help;
  Labels labels;
  std::variant<Counter, Gauge, Histogram, Callback> metric;

  template <class Metric>
  Entry(std::string n, std::string h, Labels l, std::in_place_type_t<Metric> kind)
      : name(std::move(n)), help(std::move(h)), labels(std::move(l)), metric(kind) {}
};

namespace {

template <class... F>
struct Overload : F... {
  using F::operator()...;
};

// Escaped for a quoted string of both Prometheus' text format and JSON.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += '?';
    } else {
      out += c;
    }
  }
  return out;
}

std::string label_text(const Labels& labels, std::string_view more = {}) {
  std::string out;
  for (const auto& [key, value] : labels)
    out += fmt::format("{}{}=\"{}\"", out.empty() ? "" : ",", key, escaped(value));
  if (!more.empty()) out += fmt::format("{}{}", out.empty() ? "" : ",", more);
  return out.empty() ? out : "{" + out + "}";
}

// JSON has no NaN.
double finite(const std::function<double()>& read) {
  const double value = read ? read() : 0.0;
  return std::isfinite(value) ? value : 0.0;
}

std::string help_text(std::string_view help) {
  std::string out;
  for (const char c : help) out += c == '\n' ? ' ' : c;
  return out;
}

}  // namespace

template <class Metric>
Metric& Registry::find_or_make(std::string name, std::string help, Labels labels) {
  std::lock_guard lock(entries_mutex_);
  for (const auto& entry : entries_) {
    if (entry->name != name) continue;
    CHECK(std::holds_alternative<Metric>(entry->metric));
    if (entry->labels == labels) return std::get<Metric>(entry->metric);
  }
  auto entry = std::make_shared<Entry>(std::move(name), std::move(help), std::move(labels), std::in_place_type<Metric>);
  // Kept in order of name, so that the series of one name stand together as the format demands.
  auto at =
      std::ranges::upper_bound(entries_, entry->name, {}, [](const auto& e) -> const std::string& { return e->name; });
  entries_.insert(at, entry);
  return std::get<Metric>(entry->metric);
}

Counter& Registry::counter(std::string name, std::string help, Labels labels) {
  return find_or_make<Counter>(std::move(name), std::move(help), std::move(labels));
}

Gauge& Registry::gauge(std::string name, std::string help, Labels labels) {
  return find_or_make<Gauge>(std::move(name), std::move(help), std::move(labels));
}

Histogram& Registry::histogram(std::string name, std::string help, Labels labels) {
  return find_or_make<Histogram>(std::move(name), std::move(help), std::move(labels));
}

void Registry::gauge_callback(std::string name, std::string help, std::function<double()> read, Labels labels) {
  auto& slot = find_or_make<Entry::Callback>(std::move(name), std::move(help), std::move(labels));
  std::lock_guard lock(entries_mutex_);
  slot = std::move(read);
}

void Registry::remove_callbacks(std::string_view name_prefix) {
  std::lock_guard lock(entries_mutex_);
  std::erase_if(entries_, [&](const auto& entry) {
    return entry->name.starts_with(name_prefix) && std::holds_alternative<Entry::Callback>(entry->metric);
  });
}

std::string Registry::prometheus() const {
  std::string out;
  std::string_view last_name;
  std::lock_guard lock(entries_mutex_);
  for (const auto& entry : entries_) {
    const bool first = entry->name != last_name;
    last_name = entry->name;
    auto head = [&](std::string_view type) {
      if (first) out += fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n", entry->name, help_text(entry->help), type);
    };
    auto line = [&](std::string_view suffix, std::string_view label, auto value) {
      out += fmt::format("{}{}{} {}\n", entry->name, suffix, label_text(entry->labels, label), value);
    };
    std::visit(Overload{[&](const Counter& counter) { head("counter"), line("", "", counter.value()); },
                        [&](const Gauge& gauge) { head("gauge"), line("", "", gauge.value()); },
                        [&](const Entry::Callback& read) { head("gauge"), line("", "", finite(read)); },
                        [&](const Histogram& histogram) {
                          const Histogram::Summary summary = histogram.summary();
                          head("summary");
                          line("", "quantile=\"0.5\"", summary.p50);
                          line("", "quantile=\"0.99\"", summary.p99);
                          line("", "quantile=\"0.999\"", summary.p999);
                          line("_sum", "", summary.sum);
                          line("_count", "", summary.count);
                        }},
               entry->metric);
  }
  return out;
}

std::string Registry::json() const {
  std::string out = "{";
  std::lock_guard lock(entries_mutex_);
  for (const auto& entry : entries_) {
    out += fmt::format("{}\"{}\":", out.size() > 1 ? "," : "", escaped(entry->name + label_text(entry->labels)));
    std::visit(Overload{[&](const Counter& counter) { out += fmt::to_string(counter.value()); },
                        [&](const Gauge& gauge) { out += fmt::to_string(gauge.value()); },
                        [&](const Entry::Callback& read) { out += fmt::to_string(finite(read)); },
                        [&](const Histogram& histogram) {
                          const Histogram::Summary s = histogram.summary();
                          out += fmt::format(R"({{"count":{},"sum":{},"p50":{},"p99":{},"p999":{},"max":{}}})", s.count,
                                             s.sum, s.p50, s.p99, s.p999, s.max);
                        }},
               entry->metric);
  }
  return out + "}";
}

}  // namespace firn::metrics
