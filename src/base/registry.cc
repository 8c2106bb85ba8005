#include <fmt/format.h>

#include <cmath>
#include <map>
#include <variant>

#include "base/check.h"
#include "base/metrics.h"

namespace firn::metrics {

struct Registry::Entry {
  std::string name;
  std::string help;
  Labels labels;
  std::variant<Counter, Gauge, Histogram> metric;

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
double finite(double value) { return std::isfinite(value) ? value : 0.0; }

double seconds(uint64_t nanoseconds) { return static_cast<double>(nanoseconds) / 1e9; }

std::string help_text(std::string_view help) {
  std::string out;
  for (const char c : help) out += c == '\n' ? ' ' : c;
  return out;
}

// All series of one name: the format wants them together.
struct Family {
  std::string head;
  std::string lines;
};

class Exposition {
 public:
  Family& family(const std::string& name, std::string_view help, std::string_view type) {
    Family& family = families_[name];
    if (family.head.empty()) family.head = fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n", name, help_text(help), type);
    return family;
  }

  std::string text() const {
    std::string out;
    for (const auto& [name, family] : families_) out += family.head + family.lines;
    return out;
  }

 private:
  std::map<std::string, Family> families_;
};

void put_histogram(Family& family, const std::string& name, const Labels& labels, const Histogram::Cumulative& seen) {
  for (size_t i = 0; i < seen.below.size(); ++i)
    family.lines +=
        fmt::format("{}_bucket{} {}\n", name,
                    label_text(labels, fmt::format("le=\"{}\"", seconds(uint64_t{1} << (Histogram::kFirstPower + i)))),
                    seen.below[i]);
  family.lines += fmt::format("{}_bucket{} {}\n", name, label_text(labels, "le=\"+Inf\""), seen.count);
  family.lines +=
      fmt::format("{0}_sum{1} {2}\n{0}_count{1} {3}\n", name, label_text(labels), seconds(seen.sum), seen.count);
}

}  // namespace

void Samples::counter(std::string name, std::string help, double value, Labels labels) {
  samples_.push_back({std::move(name), std::move(help), std::move(labels), value, true});
}

void Samples::gauge(std::string name, std::string help, double value, Labels labels) {
  samples_.push_back({std::move(name), std::move(help), std::move(labels), value, false});
}

template <class Metric>
Metric& Registry::find_or_make(std::string name, std::string help, Labels labels) {
  std::lock_guard lock(entries_mutex_);
  for (const auto& entry : entries_) {
    if (entry->name != name) continue;
    CHECK(std::holds_alternative<Metric>(entry->metric));
    if (entry->labels == labels) return std::get<Metric>(entry->metric);
  }
  auto entry = std::make_shared<Entry>(std::move(name), std::move(help), std::move(labels), std::in_place_type<Metric>);
  entries_.push_back(entry);
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

std::string Registry::prometheus(const Samples& more) const {
  Exposition out;
  std::lock_guard lock(entries_mutex_);
  for (const auto& entry : entries_) {
    const auto number = [&](std::string_view type, auto value) {
      out.family(entry->name, entry->help, type).lines +=
          fmt::format("{}{} {}\n", entry->name, label_text(entry->labels), value);
    };
    std::visit(Overload{[&](const Counter& counter) { number("counter", counter.value()); },
                        [&](const Gauge& gauge) { number("gauge", gauge.value()); },
                        [&](const Histogram& histogram) {
                          const Histogram::Cumulative seen = histogram.cumulative();
                          if (seen.count == 0 && !entry->labels.empty()) return;
                          put_histogram(out.family(entry->name, entry->help, "histogram"), entry->name, entry->labels,
                                        seen);
                        }},
               entry->metric);
  }
  for (const Samples::Sample& sample : more.samples_)
    out.family(sample.name, sample.help, sample.only_grows ? "counter" : "gauge").lines +=
        fmt::format("{}{} {}\n", sample.name, label_text(sample.labels), sample.value);
  return out.text();
}

std::string Registry::json(const Samples& more) const {
  std::string out = "{";
  const auto put = [&](const std::string& name, const Labels& labels, const std::string& value) {
    out += fmt::format("{}\"{}\":{}", out.size() > 1 ? "," : "", escaped(name + label_text(labels)), value);
  };
  std::lock_guard lock(entries_mutex_);
  for (const auto& entry : entries_)
    std::visit(
        Overload{[&](const Counter& counter) { put(entry->name, entry->labels, fmt::to_string(counter.value())); },
                 [&](const Gauge& gauge) { put(entry->name, entry->labels, fmt::to_string(gauge.value())); },
                 [&](const Histogram& histogram) {
                   const Histogram::Summary s = histogram.summary();
                   put(entry->name, entry->labels,
                       fmt::format(R"({{"count":{},"sum":{},"p50":{},"p99":{},"p999":{},"max":{}}})", s.count,
                                   seconds(s.sum), seconds(s.p50), seconds(s.p99), seconds(s.p999), seconds(s.max)));
                 }},
        entry->metric);
  for (const Samples::Sample& sample : more.samples_)
    put(sample.name, sample.labels, fmt::to_string(finite(sample.value)));
  return out + "}";
}

}  // namespace firn::metrics
