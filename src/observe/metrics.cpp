#include "observe/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <tuple>

#include "observe/exposition.h"

namespace drover::observe {
namespace {

using std::chrono::milliseconds;
using Seconds = std::chrono::seconds;

// Whole requests and waits: from a small embedding to a long answer of a large model.
constexpr std::array<Duration, 16> kLongBounds = {
    milliseconds(1),   milliseconds(5),   milliseconds(10), milliseconds(25),   milliseconds(50), milliseconds(100),
    milliseconds(250), milliseconds(500), Seconds(1),       milliseconds(2500), Seconds(5),       Seconds(10),
    Seconds(30),       Seconds(60),       Seconds(300),     Seconds(1800)};
// OpenTelemetry's advice for gen_ai.server.time_to_first_token, and longer ones for cold loads.
constexpr std::array<Duration, 18> kFirstTokenBounds = {
    milliseconds(1),    milliseconds(5),   milliseconds(10),   milliseconds(20),  milliseconds(40),  milliseconds(60),
    milliseconds(80),   milliseconds(100), milliseconds(250),  milliseconds(500), milliseconds(750), Seconds(1),
    milliseconds(2500), Seconds(5),        milliseconds(7500), Seconds(10),       Seconds(30),       Seconds(120)};
// OpenTelemetry's advice for gen_ai.server.time_per_output_token, and shorter ones for small models.
constexpr std::array<Duration, 15> kOutputTokenBounds = {
    milliseconds(1),   milliseconds(2),   milliseconds(5),   milliseconds(10),   milliseconds(25),
    milliseconds(50),  milliseconds(75),  milliseconds(100), milliseconds(150),  milliseconds(200),
    milliseconds(300), milliseconds(400), milliseconds(500), milliseconds(1000), milliseconds(2500)};

// Ratios, of which a second stands for 1: as far off in either direction, and what is right within a tenth.
constexpr std::array<Duration, 10> kRatioBounds = {
    milliseconds(250),  milliseconds(500),  milliseconds(670),  milliseconds(800),  milliseconds(900),
    milliseconds(1100), milliseconds(1250), milliseconds(1500), milliseconds(2000), milliseconds(4000)};
constexpr double kLargestRatio = 1e6;

// A series of drover_requests_total in one number that is never 0.
constexpr unsigned kOutcomeBits = 3, kStatusBits = 10, kDialectBits = 2, kNodeBits = 12;

std::uint64_t pack(std::uint16_t model, std::uint16_t node, api::Dialect dialect, int status, Outcome outcome) {
  std::uint64_t key = model;
  key = key << kNodeBits | node;
  key = key << kDialectBits | static_cast<std::uint64_t>(dialect);
  key = key << kStatusBits | static_cast<std::uint64_t>(status);
  key = key << kOutcomeBits | static_cast<std::uint64_t>(outcome);
  return key + 1;
}

MetricShard::RequestCount unpack(std::uint64_t key, std::uint64_t count) {
  --key;
  const auto take = [&](unsigned bits) {
    const std::uint64_t part = key & ((1ULL << bits) - 1);
    key >>= bits;
    return part;
  };
  const auto outcome = static_cast<Outcome>(take(kOutcomeBits));
  const auto status = static_cast<int>(take(kStatusBits));
  const auto dialect = static_cast<api::Dialect>(take(kDialectBits));
  const auto node = static_cast<std::uint16_t>(take(kNodeBits));
  return {static_cast<std::uint16_t>(key), node, dialect, status, outcome, count};
}

std::string_view name(api::Dialect dialect) {
  switch (dialect) {
    case api::Dialect::ollama: return "ollama";
    case api::Dialect::openai: return "openai";
    case api::Dialect::anthropic: return "anthropic";
  }
  return "";
}

std::string code_text(int status) { return status == 0 ? "none" : fmt::format("{}", status); }

}  // namespace

ModelSeries::ModelSeries(std::uint16_t model_label)
    : label(model_label),
      duration(kLongBounds),
      queue_wait(kLongBounds),
      load(kLongBounds),
      first_token(kFirstTokenBounds),
      output_token(kOutputTokenBounds),
      wait_ratio(kRatioBounds),
      answer_ratio(kRatioBounds) {}

void observe_ratio(Histogram& histogram, Duration took, Duration expected) {
  if (expected <= Duration{0}) return;
  const double ratio = std::min(seconds(took) / seconds(expected), kLargestRatio);
  histogram.observe(std::chrono::duration_cast<Duration>(std::chrono::duration<double>(ratio)));
}

LabelSet::LabelSet(std::size_t most) : most_(most), names_{std::string(kOther)} {}

std::uint16_t LabelSet::intern(std::string_view name) {
  if (name.empty()) return 0;
  const std::lock_guard lock(mutex_);
  if (const auto found = index_.find(name); found != index_.end()) return found->second;
  if (names_.size() > most_) return 0;
  const auto label = static_cast<std::uint16_t>(names_.size());
  names_.emplace_back(name);
  index_.emplace(name, label);
  return label;
}

std::vector<std::string> LabelSet::names() const {
  const std::lock_guard lock(mutex_);
  return names_;
}

MetricShard::MetricShard(LabelSet& models, LabelSet& nodes)
    : model_labels_(models), node_labels_(nodes), cells_(std::make_unique<Cell[]>(kCells)) {}

MetricShard::~MetricShard() {
  for (auto& series : models_) delete series.load();
  for (auto& series : nodes_) delete series.load();
}

template <typename Series>
Series* MetricShard::ByName<Series>::find(std::string_view name) {
  if (last_ == nullptr || last_->first != name) {
    const auto found = series_.find(name);
    if (found == series_.end()) return nullptr;
    last_ = &*found;  // elements of this map stay where they are
  }
  return last_->second;
}

template <typename Series, std::size_t size>
Series& MetricShard::series_of(std::string_view name, ByName<Series>& by_name, LabelSet& labels,
                               std::array<std::atomic<Series*>, size>& by_label) {
  if (Series* const known = by_name.find(name)) return *known;
  const std::uint16_t label = labels.intern(name);
  auto& slot = by_label[label];
  if (slot.load(std::memory_order_relaxed) == nullptr) slot.store(new Series(label), std::memory_order_release);
  Series& series = *slot.load(std::memory_order_relaxed);
  // Names beyond the bound are not kept: there could be any number of them.
  if (label != 0 || name.empty()) by_name.add(name, series);
  return series;
}

ModelSeries& MetricShard::model(std::string_view known_name) {
  return series_of(known_name, models_by_name_, model_labels_, models_);
}

NodeSeries& MetricShard::node(std::string_view known_name) {
  return series_of(known_name, nodes_by_name_, node_labels_, nodes_);
}

// Its cell, or a free one that becomes its own; nullptr: no room, when `limit` cells are taken.
MetricShard::Cell* MetricShard::cell(std::uint64_t key, std::size_t limit) {
  std::size_t at = (key * 0x9e3779b97f4a7c15ULL >> 32) % kCells;
  while (true) {
    Cell& candidate = cells_[at];
    const std::uint64_t owner = candidate.key.load(std::memory_order_relaxed);
    if (owner == key) return &candidate;
    if (owner == 0) {
      if (used_ >= limit) return nullptr;
      ++used_;
      candidate.key.store(key, std::memory_order_relaxed);
      return &candidate;
    }
    at = (at + 1) % kCells;
  }
}

void MetricShard::request_ended(const ModelSeries& model, const NodeSeries& node, api::Dialect dialect, int status,
                                Outcome outcome) {
  status = std::clamp(status, 0, 999);
  // A quarter of the cells is kept for series without names, so that every request is counted somewhere. There are few
  // enough of those: their codes are rounded to the hundred.
  constexpr std::size_t kNamed = kCells / 4 * 3;
  Cell* counted = cell(pack(model.label, node.label, dialect, status, outcome), kNamed);
  if (counted == nullptr) counted = cell(pack(0, 0, dialect, status / 100 * 100, outcome), kCells - 1);
  counted->count.add();
  ended.add();
}

std::vector<MetricShard::RequestCount> MetricShard::request_counts() const {
  std::vector<RequestCount> counts;
  for (std::size_t i = 0; i < kCells; ++i) {
    const std::uint64_t key = cells_[i].key.load(std::memory_order_relaxed);
    if (key != 0) counts.push_back(unpack(key, cells_[i].count.value()));
  }
  return counts;
}

const ModelSeries* MetricShard::model_at(std::size_t label) const {
  return models_[label].load(std::memory_order_acquire);
}

const NodeSeries* MetricShard::node_at(std::size_t label) const {
  return nodes_[label].load(std::memory_order_acquire);
}

Metrics::Metrics(std::size_t workers) {
  for (std::size_t i = 0; i < workers; ++i) shards_.push_back(std::make_unique<MetricShard>(models_, nodes_));
}

// One scrape: adds up the shards, family by family.
class Metrics::Scrape {
 public:
  Scrape(const Metrics& metrics, const Gauges& gauges)
      : shards_(metrics.shards_), gauges_(gauges), models_(metrics.models_.names()), nodes_(metrics.nodes_.names()) {}

  std::string text() && {
    single(Metric::build_info, {gauges_.version, gauges_.commit}, 1);
    requests();
    model_histogram(Metric::request_duration, &ModelSeries::duration);
    model_histogram(Metric::queue_wait, &ModelSeries::queue_wait);
    model_histogram(Metric::model_load, &ModelSeries::load);
    model_histogram(Metric::time_to_first_token, &ModelSeries::first_token);
    model_histogram(Metric::time_per_output_token, &ModelSeries::output_token);
    estimates();
    tokens();
    by_model(Metric::reloads_avoided, &ModelSeries::reloads_avoided);
    by_model(Metric::fallbacks, &ModelSeries::fallbacks);
    fleet();
    reasons(Metric::retries, &MetricShard::retries);
    attempts();
    by_name<Anomaly>(Metric::upstream_anomalies, &MetricShard::anomalies);
    single(Metric::upstream_closed_idle, {}, sum(&MetricShard::closed_idle));
    name_lookups();
    reasons(Metric::http_rejects, &MetricShard::http_rejects);
    by_name<Phase>(Metric::client_disconnects, &MetricShard::disconnects);
    by_name<CutCause>(Metric::stream_truncated, &MetricShard::cuts);
    single(Metric::stream_paused, {}, sum(&MetricShard::paused));
    single(Metric::buffered_bytes, {}, gauges_.buffered_bytes);
    single(Metric::connections, {}, sum(&MetricShard::connections_open));
    single(Metric::log_dropped, {}, gauges_.log_dropped);
    single(Metric::config_last_reload_success, {}, gauges_.last_reload_ok ? 1 : 0);
    out_.begin(Metric::config_last_reload_timestamp);
    out_.sample({}, seconds(gauges_.last_reload.time_since_epoch()));
    return std::move(out_).take();
  }

 private:
  std::uint64_t sum(Counter MetricShard::* counter) const {
    std::uint64_t total = 0;
    for (const auto& shard : shards_) total += ((*shard).*counter).value();
    return total;
  }

  void single(Metric metric, std::initializer_list<std::string_view> labels, std::uint64_t value) {
    out_.begin(metric);
    out_.sample(labels, value);
  }

  // A series is written once it has counted something.
  void counted(std::initializer_list<std::string_view> labels, std::uint64_t value) {
    if (value != 0) out_.sample(labels, value);
  }

  void requests() {
    // Ends before begins: a request that ends meanwhile must not make what is in flight negative.
    const std::uint64_t ended = sum(&MetricShard::ended);
    const std::uint64_t accepted = sum(&MetricShard::accepted);
    using Series = std::tuple<std::uint16_t, std::uint16_t, api::Dialect, int, Outcome>;
    std::map<Series, std::uint64_t> totals;
    for (const auto& shard : shards_) {
      for (const auto& row : shard->request_counts()) {
        if (row.model >= models_.size() || row.node >= nodes_.size()) continue;  // named since this scrape began
        totals[{row.model, row.node, row.dialect, row.status, row.outcome}] += row.count;
      }
    }
    single(Metric::requests_accepted, {}, accepted);
    out_.begin(Metric::requests);
    for (const auto& [series, count] : totals) {
      const auto& [model, node, dialect, status, outcome] = series;
      counted({models_[model], nodes_[node], name(dialect), code_text(status), observe::name(outcome)}, count);
    }
    single(Metric::requests_in_flight, {}, accepted - std::min(ended, accepted));
  }

  void model_histogram(Metric metric, Histogram ModelSeries::* member) {
    out_.begin(metric);
    for (std::size_t label = 0; label < models_.size(); ++label) histogram({models_[label]}, label, member);
  }

  // One series: what the shards have seen of the model, if they have seen anything.
  void histogram(std::initializer_list<std::string_view> labels, std::size_t model, Histogram ModelSeries::* member) {
    std::vector<std::uint64_t> counts;
    std::vector<double> bounds;
    std::uint64_t sum_ns = 0;
    for (const auto& shard : shards_) {
      const ModelSeries* series = shard->model_at(model);
      if (series == nullptr) continue;
      const Histogram& histogram = series->*member;
      if (bounds.empty()) {
        for (const Duration bound : histogram.bounds()) bounds.push_back(seconds(bound));
        counts.resize(bounds.size() + 1);
      }
      for (std::size_t i = 0; i < counts.size(); ++i) counts[i] += histogram.count(i);
      sum_ns += histogram.sum_ns();
    }
    const bool seen = std::any_of(counts.begin(), counts.end(), [](std::uint64_t count) { return count != 0; });
    if (seen) out_.histogram(labels, bounds, counts, static_cast<double>(sum_ns) * 1e-9);
  }

  void estimates() {
    out_.begin(Metric::estimate_ratio);
    for (std::size_t label = 0; label < models_.size(); ++label) {
      histogram({models_[label], "wait"}, label, &ModelSeries::wait_ratio);
      histogram({models_[label], "answer"}, label, &ModelSeries::answer_ratio);
    }
  }

  void tokens() {
    out_.begin(Metric::tokens);
    for (std::size_t label = 0; label < models_.size(); ++label) {
      std::uint64_t prompt = 0, cached = 0, completion = 0;
      for (const auto& shard : shards_) {
        const ModelSeries* series = shard->model_at(label);
        if (series == nullptr) continue;
        prompt += series->prompt_tokens.value();
        cached += series->cached_tokens.value();
        completion += series->completion_tokens.value();
      }
      counted({models_[label], "prompt"}, prompt);
      counted({models_[label], "cached"}, cached);
      counted({models_[label], "completion"}, completion);
    }
  }

  void by_model(Metric metric, Counter ModelSeries::* counter) {
    out_.begin(metric);
    for (std::size_t label = 0; label < models_.size(); ++label) {
      std::uint64_t total = 0;
      for (const auto& shard : shards_) {
        if (const ModelSeries* series = shard->model_at(label)) total += (series->*counter).value();
      }
      counted({models_[label]}, total);
    }
  }

  void fleet() {
    using balance::Health;
    out_.begin(Metric::queue_depth);
    for (const auto& model : gauges_.models) out_.sample({model.name}, std::uint64_t{model.waiting});
    out_.begin(Metric::node_up);
    for (const auto& node : gauges_.nodes) out_.sample({node.name}, std::uint64_t{node.up ? 1U : 0U});
    out_.begin(Metric::node_health);
    for (const auto& node : gauges_.nodes) {
      for (const Health state : {Health::stable, Health::degraded, Health::offline, Health::recovering}) {
        out_.sample({node.name, balance::name(state)}, std::uint64_t{node.health == state ? 1U : 0U});
      }
    }
    out_.begin(Metric::node_gpu_busy);
    for (const auto& node : gauges_.nodes) {
      if (node.gpu) out_.sample({node.name}, node.gpu->busy);
    }
    out_.begin(Metric::node_gpu_memory_free);
    for (const auto& node : gauges_.nodes) {
      if (node.gpu) out_.sample({node.name}, node.gpu->memory_free);
    }
    out_.begin(Metric::node_gpu_memory);
    for (const auto& node : gauges_.nodes) {
      if (node.gpu) out_.sample({node.name}, node.gpu->memory_total);
    }
    out_.begin(Metric::model_loads);
    for (const auto& node : gauges_.nodes) {
      counted({node.name, "ok"}, node.counts.loads);
      counted({node.name, "failed"}, node.counts.failed_loads);
    }
    out_.begin(Metric::model_evictions);
    for (const auto& node : gauges_.nodes) counted({node.name}, node.counts.evictions);
    out_.begin(Metric::leaked_slots);
    for (const auto& node : gauges_.nodes) counted({node.name}, node.counts.leaks);
    out_.begin(Metric::node_trials);
    for (const auto& node : gauges_.nodes) {
      for (std::size_t i = 0; i < kTrialVerdictCount; ++i) {
        counted({node.name, observe::name(static_cast<TrialVerdict>(i))}, node.counts.trials[i]);
      }
    }
  }

  void reasons(Metric metric, std::array<Counter, api::kReasonCount> MetricShard::* member) {
    out_.begin(metric);
    for (std::size_t i = 0; i < api::kReasonCount; ++i) {
      std::uint64_t total = 0;
      for (const auto& shard : shards_) total += ((*shard).*member)[i].value();
      counted({api::slug(static_cast<api::Reason>(i))}, total);
    }
  }

  void attempts() {
    out_.begin(Metric::upstream_attempts);
    for (std::size_t label = 0; label < nodes_.size(); ++label) {
      for (std::size_t i = 0; i < kAttemptOutcomeCount; ++i) {
        std::uint64_t total = 0;
        for (const auto& shard : shards_) {
          if (const NodeSeries* series = shard->node_at(label)) total += series->attempts[i].value();
        }
        counted({nodes_[label], observe::name(static_cast<AttemptOutcome>(i))}, total);
      }
    }
  }

  // One series for each value of an enum.
  template <typename Label, std::size_t count>
  void by_name(Metric metric, std::array<Counter, count> MetricShard::* member) {
    out_.begin(metric);
    for (std::size_t i = 0; i < count; ++i) {
      std::uint64_t total = 0;
      for (const auto& shard : shards_) total += ((*shard).*member)[i].value();
      counted({observe::name(static_cast<Label>(i))}, total);
    }
  }

  void name_lookups() {
    out_.begin(Metric::name_lookups);
    for (std::size_t i = 0; i < kNameLookupCount; ++i) {
      counted({observe::name(static_cast<NameLookup>(i))}, gauges_.name_lookups[i]);
    }
  }

  const std::vector<std::unique_ptr<MetricShard>>& shards_;
  const Gauges& gauges_;
  const std::vector<std::string> models_, nodes_;  // label values by index
  Exposition out_;
};

std::string Metrics::scrape(const Gauges& gauges) const { return Scrape(*this, gauges).text(); }

}  // namespace drover::observe
