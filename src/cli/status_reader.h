#pragma once
// What people want to know of the document that gateway::status_json writes (gateway/status.h). It may come over the
// network, so nothing is believed of its shape: what is missing or of another type counts as nothing.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "cli/table.h"

namespace drover::cli {

inline constexpr std::string_view kNone = "-";
inline constexpr std::string_view kNoNodes = "No nodes. Name one: 'drover up --node URL', or `nodes:` in drover.yaml.";
inline constexpr std::string_view kSimulated = "Simulated nodes make their answers up. Name real ones with --node URL.";

// The elements of the array `key`, the member `key`. They live as long as the document.
std::vector<const Json*> elements(const Json& object, std::string_view key);
const Json& part(const Json& object, std::string_view key);
// The same elements in the same order, but those that `urgent` holds for before the others.
std::vector<const Json*> urgent_first(const std::vector<const Json*>& elements,
                                      const std::function<bool(const Json&)>& urgent);
// A count: a whole number, none below zero, and none so large that adding them up could overflow.
std::int64_t count_at(const Json& object, std::string_view key);

// `registry.ollama.ai/library/llama3.2:latest` as people write it: `llama3.2`.
std::string short_model(std::string_view key);

// ---- of a node -----------------------------------------------------------------------------------------------------

std::string name_of(const Json& node);   // says so if it is simulated
bool is_up(const Json& node);            // can get requests
Piece health_of(const Json& node);       // `stable`, `offline`
Piece health_and_why(const Json& node);  // `stable`, `offline (does not answer)`
// What it loads, and for how long it has: `qwen3:8b`, `loading for 12s`.
std::optional<std::pair<std::string, std::string>> loading_of(const Json& node);
// What is in its memory or on the way there, in a few words.
std::string models_text(const Json& node);
bool has_simulated(const std::vector<const Json*>& nodes);

struct SlotUse {
  std::int64_t used = 0;
  std::int64_t slots = 0;  // of the models in use; 0: none is
  bool automatic = false;
};
SlotUse slots_of(const Json& node);
std::string slots_text(const SlotUse& use);  // `2/4`, `0/1 auto`

// Its runners that are worth a line: in memory, or with requests (our own count is ahead of what the node last said).
std::vector<const Json*> runners_in_use(const Json& node);
std::string models_of(const Json& runner);
// `100% GPU`, `48%/52% CPU/GPU`: as `ollama ps` has it.
std::string processor_text(const Json& runner);

// ---- of all --------------------------------------------------------------------------------------------------------

// Since the gateway started.
struct Requests {
  std::int64_t accepted = 0;
  std::int64_t open = 0;
  std::vector<std::pair<std::string_view, std::int64_t>> ended;  // by outcome
};
Requests requests_of(const Json& status);
// `1,200 ok, 4 refused`: without the zeros, but for `ok`.
std::vector<Piece> outcome_pieces(const Requests& requests);
std::string outcome_text(const Requests& requests);

// Requests a second since `before`, which was `between` seconds ago; nullopt when there is none.
std::optional<double> request_rate(const Json& now, const Json* before, double between);

std::string queue_text(const Json& status);    // `3 waiting, 9 in flight`
std::string retries_text(const Json& status);  // `0 of 3 retries in use`
std::string tenants_text(const Json& status);  // `alice 3 waiting (weight 2), bob 1 waiting (weight 1)`
// A line for each model that has requests, those that wait first. Without titles.
Table model_table(const Json& status, const Style& style);

}  // namespace drover::cli
