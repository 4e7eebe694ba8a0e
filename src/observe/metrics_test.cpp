// Counting, adding up and writing down.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <set>
#include <thread>

#include "base/ascii.h"
#include "observe/exposition.h"
#include "observe/metric_table.h"
#include "observe/metrics.h"

namespace drover::observe {
namespace {

using namespace std::chrono_literals;

// A strict reader of Prometheus' text format: what it takes, Prometheus takes. Samples by their series' text.
struct Page {
  std::map<std::string, std::string> types;
  std::map<std::string, double> samples;
  std::string fault;
};

std::string family_of(const Page& page, std::string series) {
  std::string name = series.substr(0, series.find('{'));
  for (const std::string suffix : {"_bucket", "_sum", "_count"}) {
    if (!name.ends_with(suffix)) continue;
    const std::string base = name.substr(0, name.size() - suffix.size());
    if (const auto found = page.types.find(base); found != page.types.end() && found->second == "histogram")
      return base;
  }
  return name;
}

Page read_page(const std::string& text) {
  static const std::regex kHelp(R"(# HELP ([a-z_:][a-z0-9_:]*) ((?:[^\\]|\\\\|\\n)+))");
  static const std::regex kType(R"(# TYPE ([a-z_:][a-z0-9_:]*) (counter|gauge|histogram))");
  static const std::regex kSample(
      R"(([a-z_:][a-z0-9_:]*(?:\{[a-z_]+="(?:[^\\"\n]|\\\\|\\"|\\n)*"(?:,[a-z_]+="(?:[^\\"\n]|\\\\|\\"|\\n)*")*\})?) ([-+.e0-9]+|NaN|[+-]Inf))");
  Page page;
  if (!text.ends_with('\n')) page.fault = "no newline at the end";
  std::string help, current;
  std::size_t begin = 0;
  while (begin < text.size() && page.fault.empty()) {
    const auto end = text.find('\n', begin);
    const std::string line = text.substr(begin, end - begin);
    begin = end + 1;
    std::smatch match;
    if (std::regex_match(line, match, kHelp)) {
      help = match[1];
    } else if (std::regex_match(line, match, kType)) {
      if (help != match[1]) page.fault = "TYPE without its HELP: " + line;
      if (!page.types.emplace(match[1], match[2]).second) page.fault = "family twice: " + line;
      current = match[1];
    } else if (std::regex_match(line, match, kSample)) {
      if (family_of(page, match[1]) != current) page.fault = "sample outside its family: " + line;
      if (!page.samples.emplace(match[1], std::stod(match[2])).second) page.fault = "series twice: " + line;
    } else {
      page.fault = "not understood: " + line;
    }
  }
  return page;
}

Page scrape(const Metrics& metrics, const Gauges& gauges = {}) {
  Page page = read_page(metrics.scrape(gauges));
  EXPECT_EQ(page.fault, "");
  return page;
}

TEST(MetricTable, keeps_to_the_conventions) {
  std::set<std::string_view> names;
  for (const MetricSpec& metric : metric_table()) {
    EXPECT_TRUE(names.insert(metric.name).second) << metric.name;
    EXPECT_TRUE(metric.name.starts_with("drover_")) << metric.name;
    EXPECT_EQ(metric.name.ends_with("_total"), metric.kind == MetricKind::counter) << metric.name;
    const bool has_unit = metric.name.ends_with("_seconds") || metric.name.ends_with("_ratio");
    if (metric.kind == MetricKind::histogram) EXPECT_TRUE(has_unit) << metric.name;
    EXPECT_TRUE(metric.help.ends_with('.')) << metric.name;
    EXPECT_EQ(&spec(metric.metric), &metric);
  }
}

TEST(Scrape, of_nothing_has_every_family_and_only_samples_without_names) {
  const Page page = scrape(Metrics(2));
  EXPECT_EQ(page.types.size(), kMetricCount);
  EXPECT_EQ(page.samples.at("drover_requests_in_flight"), 0);
  EXPECT_EQ(page.samples.at("drover_build_info{version=\"\",commit=\"\"}"), 1);
  EXPECT_EQ(page.samples.size(), 10U);
}

TEST(Scrape, adds_up_the_shards) {
  Metrics metrics(2);
  for (std::size_t worker = 0; worker < 2; ++worker) {
    MetricShard& shard = metrics.shard(worker);
    ModelSeries& model = shard.model("qwen3:8b");
    NodeSeries& node = shard.node("gpu-1");
    shard.request_began();
    shard.request_began();
    shard.request_ended(model, node, api::Dialect::openai, 200, Outcome::ok);
    model.prompt_tokens.add(10);
    model.first_token.observe(50ms);
    node.attempts[static_cast<std::size_t>(AttemptOutcome::ok)].add();
    shard.retries[static_cast<std::size_t>(api::Reason::upstream_reset)].add();
    shard.disconnects[static_cast<std::size_t>(Phase::queued)].add(worker);
    shard.cuts[static_cast<std::size_t>(CutCause::reset)].add();
    shard.connections_open.add(3);
    shard.connections_open.subtract();
  }
  const Page page = scrape(metrics);
  const auto value = [&](const std::string& series) {
    const auto found = page.samples.find(series);
    return found == page.samples.end() ? -1 : found->second;
  };
  EXPECT_EQ(value(R"(drover_requests_total{model="qwen3:8b",node="gpu-1",dialect="openai",code="200",outcome="ok"})"),
            2);
  EXPECT_EQ(value("drover_requests_accepted_total"), 4);
  EXPECT_EQ(value("drover_requests_in_flight"), 2);
  EXPECT_EQ(value(R"(drover_tokens_total{model="qwen3:8b",direction="prompt"})"), 20);
  EXPECT_EQ(value(R"(drover_time_to_first_token_seconds_bucket{model="qwen3:8b",le="0.04"})"), 0);
  EXPECT_EQ(value(R"(drover_time_to_first_token_seconds_bucket{model="qwen3:8b",le="0.06"})"), 2);
  EXPECT_EQ(value(R"(drover_time_to_first_token_seconds_bucket{model="qwen3:8b",le="+Inf"})"), 2);
  EXPECT_DOUBLE_EQ(value(R"(drover_time_to_first_token_seconds_sum{model="qwen3:8b"})"), 0.1);
  EXPECT_EQ(value(R"(drover_time_to_first_token_seconds_count{model="qwen3:8b"})"), 2);
  EXPECT_EQ(value(R"(drover_upstream_attempts_total{node="gpu-1",outcome="ok"})"), 2);
  EXPECT_EQ(value(R"(drover_retries_total{reason="upstream_reset"})"), 2);
  EXPECT_EQ(value(R"(drover_client_disconnects_total{phase="queued"})"), 1);
  EXPECT_EQ(value(R"(drover_stream_truncated_total{cause="reset"})"), 2);
  EXPECT_EQ(value("drover_connections_open"), 4);
}

TEST(Scrape, shows_how_far_off_estimates_were) {
  Metrics metrics(1);
  ModelSeries& model = metrics.shard(0).model("a");
  observe_ratio(model.wait_ratio, 3s, 2s);
  observe_ratio(model.wait_ratio, 0s, 2s);
  observe_ratio(model.answer_ratio, 2s, 2s);
  observe_ratio(model.answer_ratio, 2s, 0s);  // nothing was expected
  observe_ratio(model.answer_ratio, 9000h, 1ns);
  const Page page = scrape(metrics);
  const auto at_most = [&](std::string_view part, std::string_view bound) {
    return page.samples.at(
        fmt::format("drover_estimate_ratio_bucket{{model=\"a\",part=\"{}\",le=\"{}\"}}", part, bound));
  };
  EXPECT_EQ(at_most("wait", "0.25"), 1);
  EXPECT_EQ(at_most("wait", "1.25"), 1);
  EXPECT_EQ(at_most("wait", "1.5"), 2);
  EXPECT_EQ(at_most("answer", "0.9"), 0);
  EXPECT_EQ(at_most("answer", "1.1"), 1);
  EXPECT_EQ(at_most("answer", "4"), 1);
  EXPECT_EQ(at_most("answer", "+Inf"), 2);
}

TEST(Scrape, shows_the_gauges_it_is_given) {
  Gauges gauges;
  gauges.version = "0.1.0";
  gauges.commit = "abc";
  gauges.nodes = {{"gpu-1", true, balance::Health::stable}, {"gpu-2", false, balance::Health::offline}};
  gauges.models = {{"m:1", 3}};
  gauges.buffered_bytes = 4096;
  gauges.log_dropped = 2;
  gauges.last_reload_ok = false;
  gauges.last_reload = Wall{1500ms};
  const Page page = scrape(Metrics(1), gauges);
  EXPECT_EQ(page.samples.at(R"(drover_build_info{version="0.1.0",commit="abc"})"), 1);
  EXPECT_EQ(page.samples.at(R"(drover_node_up{node="gpu-2"})"), 0);
  EXPECT_EQ(page.samples.at(R"(drover_node_health{node="gpu-1",state="stable"})"), 1);
  EXPECT_EQ(page.samples.at(R"(drover_node_health{node="gpu-1",state="offline"})"), 0);
  EXPECT_EQ(page.samples.at(R"(drover_queue_depth{model="m:1"})"), 3);
  EXPECT_EQ(page.samples.at("drover_buffered_bytes"), 4096);
  EXPECT_EQ(page.samples.at("drover_log_dropped_total"), 2);
  EXPECT_EQ(page.samples.at("drover_config_last_reload_success"), 0);
  EXPECT_EQ(page.samples.at("drover_config_last_reload_timestamp_seconds"), 1.5);
}

TEST(Scrape, escapes_label_values) {
  Gauges gauges;
  gauges.nodes = {{"a\"b\\c\nd", true, balance::Health::stable}};
  EXPECT_EQ(scrape(Metrics(1), gauges).samples.at(R"(drover_node_up{node="a\"b\\c\nd"})"), 1);
}

TEST(Labels, beyond_the_bound_are_other_and_no_request_is_lost) {
  Metrics metrics(1);
  MetricShard& shard = metrics.shard(0);
  constexpr std::uint64_t kModels = 5000;
  for (std::uint64_t i = 0; i < kModels; ++i) {
    ModelSeries& model = shard.model(fmt::format("m{}:1", i));
    NodeSeries& node = shard.node(fmt::format("n{}", i));
    shard.request_began();
    shard.request_ended(model, node, api::Dialect::ollama, static_cast<int>(200 + i % 400), Outcome::ok);
  }
  const Page page = scrape(metrics);
  double total = 0;
  std::set<std::string> models;
  for (const auto& [series, value] : page.samples) {
    if (!series.starts_with("drover_requests_total")) continue;
    total += value;
    models.insert(series.substr(0, series.find(',')));
  }
  EXPECT_EQ(total, kModels);
  EXPECT_LE(models.size(), kMaxModelLabels + 1);
  EXPECT_TRUE(models.contains("drover_requests_total{model=\"other\""));
  EXPECT_EQ(page.samples.at("drover_requests_in_flight"), 0);
}

TEST(Labels, that_are_unknown_are_other) {
  Metrics metrics(1);
  MetricShard& shard = metrics.shard(0);
  shard.request_began();
  shard.request_ended(shard.model(""), shard.node(""), api::Dialect::ollama, 0, Outcome::cancelled);
  EXPECT_EQ(
      scrape(metrics).samples.at(
          R"(drover_requests_total{model="other",node="other",dialect="ollama",code="none",outcome="cancelled"})"),
      1);
}

TEST(Histogram, counts_at_the_bound_below_it_and_beyond_the_last) {
  constexpr std::array<Duration, 2> kBounds = {10ms, 20ms};
  Histogram histogram(kBounds);
  for (const Duration seen : {Duration(-1ms), Duration(10ms), Duration(10ms + 1ns), Duration(20ms), Duration(1h)}) {
    histogram.observe(seen);
  }
  EXPECT_EQ(histogram.count(0), 2U);
  EXPECT_EQ(histogram.count(1), 2U);
  EXPECT_EQ(histogram.count(2), 1U);
}

// For ThreadSanitizer: a scrape beside workers that count and meet new models.
TEST(Scrape, may_run_while_workers_count) {
  constexpr std::size_t kWorkers = 2;
  constexpr int kRequests = 3000;
  Metrics metrics(kWorkers);
  std::vector<std::thread> workers;
  for (std::size_t worker = 0; worker < kWorkers; ++worker) {
    workers.emplace_back([&shard = metrics.shard(worker)] {
      for (int i = 0; i < kRequests; ++i) {
        ModelSeries& model = shard.model(fmt::format("m{}:1", i % 300));
        shard.request_began();
        model.duration.observe(std::chrono::milliseconds(i));
        shard.request_ended(model, shard.node("n"), api::Dialect::ollama, 200, Outcome::ok);
      }
    });
  }
  for (int i = 0; i < 20; ++i) EXPECT_EQ(read_page(metrics.scrape({})).fault, "");
  for (auto& worker : workers) worker.join();
  const Page page = scrape(metrics);
  EXPECT_EQ(page.samples.at("drover_requests_accepted_total"), kWorkers * kRequests);
  EXPECT_EQ(page.samples.at("drover_requests_in_flight"), 0);
}

}  // namespace
}  // namespace drover::observe
