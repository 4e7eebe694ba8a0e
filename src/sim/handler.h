#pragma once
// What a node's handlers decide before anything is generated: which model, whether it can, how long the prompt is.

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "sim/node.h"
#include "sim/request.h"
#include "sim/script.h"
#include "sim/store.h"

namespace drover::sim {

// An unload command: answered at once.
struct Unload {
  const ModelSettings* model;
};

// Work for the node: an ask, and what will be said when it is done.
struct Work {
  Ask ask;                               // its id is the caller's to set
  bool load_only = false;                // a command: `load` is the answer
  std::shared_ptr<const Script> script;  // of a generation; the ask's tokens come from it
  std::vector<std::vector<float>> vectors;
  std::vector<std::int64_t> context;  // the numbers that generate returns, prompt and answer
  std::optional<Failure> refusal;     // what the runner answers as soon as it is loaded
  std::string rendered;               // the prompt, for _debug_render_only
};

using Decision = std::variant<Failure, Unload, Work>;

// `request` gets its options read. `seed` is that of the settings.
Decision decide(Request& request, const Store& store, const Node& node, std::uint64_t seed);

}  // namespace drover::sim
