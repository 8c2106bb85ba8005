#include "cli/scrape.h"

#include <gtest/gtest.h>

#include "base/metrics.h"
#include "cli/rates.h"

namespace firn::cli {
namespace {

Scrape scrape_of(const metrics::Registry& registry, const metrics::Samples& samples = {}) {
  Result<Scrape> scrape = Scrape::parse(registry.prometheus(samples));
  EXPECT_TRUE(scrape) << scrape.error().to_string();
  return *std::move(scrape);
}

TEST(Scrape, ReadsWhatTheRegistryWrites) {
  metrics::Registry registry;
  registry.counter("firn_a_total", "A.", {{"op", "x\"y\\z"}, {"door", "a b"}}).add(3);
  registry.counter("firn_a_total", "A.", {{"op", "b"}, {"door", "c"}}).add(4);
  registry.gauge("firn_b", "B.").set(-2);
  const Scrape scrape = scrape_of(registry);
  EXPECT_EQ(scrape.sum("firn_a_total"), 7);
  EXPECT_EQ(scrape.sum("firn_a_total", {{"op", "x\"y\\z"}}), 3);
  EXPECT_EQ(scrape.sum("firn_a_total", {{"op", "b"}, {"door", "no"}}), 0);
  EXPECT_EQ(scrape.sum("firn_b"), -2);
  EXPECT_EQ(scrape.sum("firn_c"), 0);
  EXPECT_EQ(scrape.values("firn_a_total", "door"), (std::vector<std::string>{"a b", "c"}));
}

TEST(Scrape, RefusesWhatIsNoMetric) {
  for (const char* text : {"{\"a\":1}\n", "<html>\n", "firn_a{op=\"x\n", "firn_a{op=\"x\"\n", "firn_a\n"})
    EXPECT_FALSE(Scrape::parse(text)) << text;
  EXPECT_TRUE(Scrape::parse(""));
}

TEST(Scrape, QuantilesOfADifference) {
  metrics::Registry registry;
  metrics::Histogram& histogram = registry.histogram("firn_t_seconds", "T.");
  histogram.record(5'000'000'000);
  const Scrape before = scrape_of(registry);
  EXPECT_LT(before.buckets("firn_t_seconds").since(before.buckets("firn_t_seconds")).quantile(0.5), 0);
  for (int i = 0; i < 100; ++i) histogram.record(1'000'000);
  const LatencyBuckets since = scrape_of(registry).buckets("firn_t_seconds").since(before.buckets("firn_t_seconds"));
  EXPECT_EQ(since.total(), 100);
  EXPECT_GT(since.quantile(0.99), 0.0005);
  EXPECT_LT(since.quantile(0.99), 0.0011);
}

TEST(Rates, TellOperationsTiersAndCaches) {
  metrics::Registry registry;
  metrics::Counter& writes = registry.counter("firn_nfs_calls_total", "C.", {{"procedure", "WRITE"}});
  registry.counter("firn_nfs_calls_total", "C.", {{"procedure", "READ"}}).add(9);
  metrics::Counter& hits = registry.counter("firn_meta_cache_hits_total", "H.", {{"cache", "names"}});
  metrics::Samples samples;
  samples.gauge("firn_tier_up", "U.", 0, {{"tier", "nas"}});
  samples.counter("firn_reactor_busy_seconds_total", "B.", 5, {{"reactor", "0"}});
  const Scrape before = scrape_of(registry, samples);
  writes.add(10);
  hits.add(3);
  registry.counter("firn_meta_cache_misses_total", "M.", {{"cache", "names"}}).add(1);
  metrics::Samples later;
  later.gauge("firn_tier_up", "U.", 0, {{"tier", "nas"}});
  later.counter("firn_reactor_busy_seconds_total", "B.", 6, {{"reactor", "0"}});
  const Rates rates = rates_between(before, scrape_of(registry, later), 2);
  ASSERT_EQ(rates.operations.size(), 1u) << "what did not happen is not told";
  EXPECT_EQ(rates.operations[0].operation, "WRITE");
  EXPECT_EQ(rates.operations[0].per_s, 5);
  EXPECT_LT(rates.operations[0].p99_s, 0);
  ASSERT_EQ(rates.tiers.size(), 1u);
  EXPECT_FALSE(rates.tiers[0].up);
  EXPECT_EQ(rates.caches[0].hit_share, 0.75);
  EXPECT_EQ(rates.reactors, std::vector<double>{0.5});
  EXPECT_NE(table_of(rates).find("tier nas"), std::string::npos);
}

TEST(Rates, ADaemonThatBeganAnewCountsFromZero) {
  metrics::Registry old_one, new_one;
  old_one.counter("firn_kv_commits_total", "C.").add(100);
  new_one.counter("firn_kv_commits_total", "C.").add(1);
  EXPECT_EQ(rates_between(scrape_of(old_one), scrape_of(new_one), 1).commits_per_s, 0);
}

}  // namespace
}  // namespace firn::cli
