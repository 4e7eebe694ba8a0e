#pragma once
// The gateway's counters: one shard a worker, so that counting never contends; a scrape adds the shards up.
//
// Label values come from known sets: callers pass names of models and nodes only when the fleet knows them, and beyond
// the bounds below further ones are counted as `other`. What a client sends never becomes a label.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "api/dialect.h"
#include "balance/health.h"
#include "base/clock.h"
#include "observe/counter.h"
#include "observe/outcome.h"

namespace drover::observe {

inline constexpr std::size_t kMaxModelLabels = 256;
inline constexpr std::size_t kMaxNodeLabels = 1024;
inline constexpr std::string_view kOther = "other";

// What is counted per model. Handles are references: stable as long as the Metrics live.
struct ModelSeries {
  explicit ModelSeries(std::uint16_t model_label);
  const std::uint16_t label;  // index into the set of model names
  Histogram duration;
  Histogram queue_wait;
  Histogram load;
  Histogram first_token;   // from the arrival of the request to its first token
  Histogram output_token;  // the mean time of one output token after the first, per request
  // What it took by what was expected, of which a second stands for 1: of the wait for a slot, and of the answer, from
  // the start on the node to its end. By observe_ratio().
  Histogram wait_ratio;
  Histogram answer_ratio;
  Counter prompt_tokens;
  Counter cached_tokens;  // of the prompt's
  Counter completion_tokens;
  Counter reloads_avoided;
  Counter fallbacks;  // from this model
};

void observe_ratio(Histogram& histogram, Duration took, Duration expected);

struct NodeSeries {
  explicit NodeSeries(std::uint16_t node_label) : label(node_label) {}
  const std::uint16_t label;
  std::array<Counter, kAttemptOutcomeCount> attempts;
};

// Names that became label values, in the order in which they came. Any thread.
class LabelSet {
 public:
  explicit LabelSet(std::size_t most);
  // 0, which is `other`, for the empty name and when the set is full.
  std::uint16_t intern(std::string_view name);
  std::vector<std::string> names() const;

 private:
  const std::size_t most_;
  mutable std::mutex mutex_;
  std::map<std::string, std::uint16_t, std::less<>> index_;
  std::vector<std::string> names_;
};

// The numbers of one worker. Thread: the worker's, but for the scrape, which only reads.
class MetricShard {
 public:
  MetricShard(LabelSet& models, LabelSet& nodes);
  ~MetricShard();
  MetricShard(const MetricShard&) = delete;
  MetricShard& operator=(const MetricShard&) = delete;

  // One look-up; do it once a request and keep the reference. "": unknown, counted as `other`.
  ModelSeries& model(std::string_view known_name);
  NodeSeries& node(std::string_view known_name);

  // Each accepted request is counted once at its begin and once at its end; what lies between is in flight.
  void request_began() { accepted.add(); }
  void count(Anomaly anomaly, std::uint64_t times = 1) { anomalies[static_cast<std::size_t>(anomaly)].add(times); }
  void request_ended(const ModelSeries& model, const NodeSeries& node, api::Dialect dialect, int status,
                     Outcome outcome);

  Counter accepted;
  Counter ended;
  std::array<Counter, api::kReasonCount> retries;       // why an attempt was repeated
  std::array<Counter, api::kReasonCount> http_rejects;  // refused before a route was known
  std::array<Counter, kPhaseCount> disconnects;
  std::array<Counter, kCutCauseCount> cuts;
  std::array<Counter, kAnomalyCount> anomalies;
  Counter closed_idle;       // pooled connections that their node closed
  Counter paused;            // nodes not read because their client was slow
  Counter connections_open;  // of clients; a gauge: add and subtract

  // A series of drover_requests_total: which combination, and how often.
  struct RequestCount {
    std::uint16_t model;
    std::uint16_t node;
    api::Dialect dialect;
    int status;
    Outcome outcome;
    std::uint64_t count;
  };
  // For the scrape; any thread.
  std::vector<RequestCount> request_counts() const;
  const ModelSeries* model_at(std::size_t label) const;
  const NodeSeries* node_at(std::size_t label) const;

 private:
  struct Cell {
    std::atomic<std::uint64_t> key{0};  // 0: free
    Counter count;
  };
  // Series by their names. Requests come in runs for one model or node, so the last one found is looked at first.
  template <typename Series>
  class ByName {
   public:
    Series* find(std::string_view name);  // nullptr: unknown
    void add(std::string_view name, Series& series) { series_.emplace(name, &series); }

   private:
    struct Hash {
      using is_transparent = void;
      std::size_t operator()(std::string_view name) const { return std::hash<std::string_view>{}(name); }
    };
    using Map = std::unordered_map<std::string, Series*, Hash, std::equal_to<>>;
    Map series_;
    const typename Map::value_type* last_ = nullptr;
  };
  // A series for each label; null until it is first used.
  template <typename Series, std::size_t most>
  using ByLabel = std::array<std::atomic<Series*>, most + 1>;

  template <typename Series, std::size_t size>
  static Series& series_of(std::string_view name, ByName<Series>& by_name, LabelSet& labels,
                           std::array<std::atomic<Series*>, size>& by_label);
  static constexpr std::size_t kCells = 4096;
  Cell* cell(std::uint64_t key, std::size_t limit);

  LabelSet& model_labels_;
  LabelSet& node_labels_;
  ByName<ModelSeries> models_by_name_;  // the worker's own
  ByName<NodeSeries> nodes_by_name_;
  ByLabel<ModelSeries, kMaxModelLabels> models_{};  // owned
  ByLabel<NodeSeries, kMaxNodeLabels> nodes_{};
  std::unique_ptr<Cell[]> cells_;  // open addressing, never shrinks: the reader needs no lock
  std::size_t used_ = 0;
};

// What is not counted but looked up when somebody scrapes.
struct Gauges {
  struct Node {
    std::string name;
    bool up = false;  // answered its last probe
    balance::Health health = balance::Health::offline;
    NodeCounts counts{};
    struct Gpu {
      double busy;  // part of the time
      std::uint64_t memory_free, memory_total;
    };
    std::optional<Gpu> gpu{};  // all of its GPUs together
  };
  struct Model {
    std::string name;  // as listed
    std::size_t waiting = 0;
  };
  std::vector<Node> nodes;
  std::vector<Model> models;
  std::array<std::uint64_t, kNameLookupCount> name_lookups{};
  std::uint64_t buffered_bytes = 0;
  std::uint64_t log_dropped = 0;
  bool last_reload_ok = true;
  Wall last_reload{};
  std::string version;
  std::string commit;
};

class Metrics {
 public:
  explicit Metrics(std::size_t workers);

  MetricShard& shard(std::size_t worker) { return *shards_[worker]; }
  std::size_t shards() const { return shards_.size(); }

  // The whole page, text/plain; version=0.0.4; charset=utf-8. Any thread; O(series). Series that never counted are left
  // out, but for those without labels.
  std::string scrape(const Gauges& gauges) const;

 private:
  class Scrape;

  LabelSet models_{kMaxModelLabels};
  LabelSet nodes_{kMaxNodeLabels};
  std::vector<std::unique_ptr<MetricShard>> shards_;
};

inline constexpr std::string_view kMetricsContentType = "text/plain; version=0.0.4; charset=utf-8";

}  // namespace drover::observe
