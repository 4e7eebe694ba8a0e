#pragma once
// What a replay adds up to.

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "load/goal.h"
#include "replay/fairness.h"
#include "replay/stage.h"
#include "replay/summary.h"

namespace drover::replay {

struct Figures {
  std::uint64_t requests = 0;  // all that fit some node
  std::uint64_t ok = 0;
  std::uint64_t refused = 0;
  std::uint64_t left_out = 0;  // that fit none
  Summary first_token;         // from arrival
  Summary per_token;           // of answers of two tokens or more: between two, at the mean
  Summary end_to_end;          // from arrival
  Summary waited;              // from arrival to the first token, but for the reading of the prompt: queues and loads
  std::optional<Summary> told{};     // of requests that were told how long they would wait and started while more came:
                                     // how far off, as a share of the wait, or of a second where that is more
  std::optional<Summary> program{};  // from the first question to the last answer
  double good = 0;                   // share of all requests that were answered within the goal
  double tokens_per_s = 0;           // of answers
  double span = 0;                   // seconds from the first arrival to the last end
  std::uint64_t loads = 0;
  std::uint64_t evictions = 0;
  // Of all prompt tokens that were read, the share that a cache had. None: the workload does not say what prompts have
  // in common.
  struct Reuse {
    double cached = 0;
    double pooled = 0;    // PooledCache
    double infinite = 0;  // InfiniteCache
    // Without what all prompts begin with, which every cache has at once.
    double cached_beyond = 0;
    double pooled_beyond = 0;
  };
  std::optional<Reuse> reuse{};
  std::optional<Fairness> fairness{};  // where the workload has several tenants
};

// Of requests and programs; the rest is the run's.
Figures add_up(std::span<const Request> requests, std::uint64_t lost, const std::vector<Workload::Program>& programs,
               const load::Goal& goal);

// A figure by name, for tables, comparisons and scripts.
struct Figure {
  std::string_view name;
  double (*of)(const Figures&);  // NaN: there is none
};
std::span<const Figure> figures();

Json to_json(const Figures& figures);

}  // namespace drover::replay
