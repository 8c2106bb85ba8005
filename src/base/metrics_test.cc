#include "base/metrics.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <thread>

namespace firn::metrics {
namespace {

TEST(Metrics, CountsFromManyThreads) {
  Registry registry;
  Counter& counter = registry.counter("firn_t_total", "Tests.");
  Histogram& histogram = registry.histogram("firn_t_ns", "Time.");
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&] {
      for (uint64_t i = 0; i < 20'000; ++i) counter.add(), histogram.record(i);
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(counter.value(), 160'000u);
  EXPECT_EQ(histogram.summary().count, 160'000u);
  EXPECT_EQ(histogram.summary().max, 19'999u);
}

TEST(Metrics, QuantilesAreCloseToTheTruth) {
  Histogram histogram;
  for (uint64_t v = 1; v <= 100'000; ++v) histogram.record(v * 1000);
  const Histogram::Summary s = histogram.summary();
  EXPECT_NEAR(static_cast<double>(s.p50), 50e6, 50e6 * 0.035);
  EXPECT_NEAR(static_cast<double>(s.p99), 99e6, 99e6 * 0.035);
  EXPECT_NEAR(static_cast<double>(s.p999), 99.9e6, 99.9e6 * 0.035);
  EXPECT_EQ(s.max, 100'000'000u);
  EXPECT_EQ(s.sum, 5'000'050'000'000u);
}

TEST(Metrics, HistogramHoldsExtremes) {
  Histogram histogram;
  EXPECT_EQ(histogram.summary().p99, 0u) << "empty";
  for (uint64_t v = 0; v < 16; ++v) histogram.record(v);
  EXPECT_EQ(histogram.summary().p50, 7u) << "small values are exact";
  histogram.record(UINT64_MAX);
  EXPECT_EQ(histogram.summary().max, Histogram::kMaxValue);
  EXPECT_LE(histogram.summary().p999, Histogram::kMaxValue);
}

TEST(Metrics, TheSameNameAndLabelsAreOneMetric) {
  Registry registry;
  EXPECT_EQ(&registry.counter("c", "h"), &registry.counter("c", "h"));
  EXPECT_NE(&registry.counter("c", "h", {{"op", "a"}}), &registry.counter("c", "h", {{"op", "b"}}));
  EXPECT_DEATH(registry.gauge("c", "h"), "internal error");
}

TEST(Metrics, PrometheusText) {
  Registry registry;
  registry.counter("firn_ops_total", "Operations.", {{"op", "create"}}).add(3);
  registry.gauge("firn_open", "Open\nfiles.").set(-2);
  registry.counter("firn_ops_total", "Operations.", {{"op", "a\"b\\c\n"}}).add(1);
  Samples samples;
  samples.gauge("firn_asked", "Asked.", 1.5);
  samples.counter("firn_ops_total", "Operations.", 7, {{"op", "z"}});
  EXPECT_EQ(registry.prometheus(samples),
            "# HELP firn_asked Asked.\n# TYPE firn_asked gauge\nfirn_asked 1.5\n"
            "# HELP firn_open Open files.\n# TYPE firn_open gauge\nfirn_open -2\n"
            "# HELP firn_ops_total Operations.\n# TYPE firn_ops_total counter\n"
            "firn_ops_total{op=\"create\"} 3\nfirn_ops_total{op=\"a\\\"b\\\\c\\n\"} 1\nfirn_ops_total{op=\"z\"} 7\n");
}

TEST(Metrics, HistogramsAreCumulativeAndInSeconds) {
  Registry registry;
  Histogram& histogram = registry.histogram("firn_time_seconds", "Time.");
  for (const uint64_t ns : {100u, 511u, 512u, 1023u, 1024u, 3'000'000u}) histogram.record(ns);
  histogram.record(Histogram::kMaxValue);
  registry.histogram("firn_time_seconds", "Time.", {{"op", "never"}});
  const std::string text = registry.prometheus();
  EXPECT_EQ(text.find("never"), std::string::npos);
  for (const char* line :
       {"# TYPE firn_time_seconds histogram\n", "firn_time_seconds_bucket{le=\"5.12e-07\"} 2\n",
        "firn_time_seconds_bucket{le=\"1.024e-06\"} 4\n", "firn_time_seconds_bucket{le=\"2.048e-06\"} 5\n",
        "firn_time_seconds_bucket{le=\"0.002097152\"} 5\n", "firn_time_seconds_bucket{le=\"0.004194304\"} 6\n",
        "firn_time_seconds_bucket{le=\"68.719476736\"} 6\n", "firn_time_seconds_bucket{le=\"+Inf\"} 7\n",
        "firn_time_seconds_count 7\n"})
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
}

TEST(Metrics, JsonParses) {
  Registry registry;
  registry.counter("ops", "h", {{"op", "x\"y"}}).add(3);
  registry.histogram("t_seconds", "h").record(5'000'000'000);
  Samples samples;
  samples.gauge("nan", "h", 0.0 / 0.0);
  const auto json = nlohmann::json::parse(registry.json(samples));
  EXPECT_EQ(json.at("ops{op=\"x\\\"y\"}"), 3);
  EXPECT_NEAR(json.at("t_seconds").at("p50").get<double>(), 5, 0.2);
  EXPECT_EQ(json.at("nan"), 0);
}

}  // namespace
}  // namespace firn::metrics
