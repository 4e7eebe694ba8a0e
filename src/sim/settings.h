#pragma once
// Which simulated nodes there are, what they run on and what they hold. Plain data.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "engine/model_spec.h"
#include "engine/runner.h"

namespace drover::sim {

// How a model's template makes the node hand over tool calls: as a line of their own before the last one, or inside it.
enum class ToolShape : std::uint8_t { own_line, last_line };

struct ModelSettings {
  engine::ModelSpec spec;
  ToolShape tool_shape = ToolShape::own_line;
};

// How one machine differs from what its card's preset says: factors.
struct Machine {
  double weights = 1;     // of the time that reading the weights takes, which bounds decoding
  double arithmetic = 1;  // of the time that prompts and attention take
  double loads = 1;       // of the time that a load takes
  double cache = 1;       // of what remembers prompts: llama_cpp's memory of the host (0: none), vllm's blocks
};

struct NodeSettings {
  std::string name;
  std::string card = "fast";          // a preset of engine/card.h
  std::vector<ModelSettings> models;  // its store; names must differ, weights may be shared
  std::uint32_t slots = 4;            // of each runner (OLLAMA_NUM_PARALLEL)
  std::uint32_t context = 0;          // default num_ctx (OLLAMA_CONTEXT_LENGTH); 0: by the card's memory
  std::uint32_t max_loaded = 3;       // runners (OLLAMA_MAX_LOADED_MODELS)
  std::uint32_t max_queue = 512;      // waiting loads (OLLAMA_MAX_QUEUE)
  Duration keep_alive = std::chrono::minutes(5);
  double speedup = 1;  // engine and loads run this many times as fast as they would
  std::string version = "0.34.4";
  engine::EngineKind engine = engine::EngineKind::llama_cpp;
  Machine machine{};
  bool every_token = true;  // false: of an answer's tokens, only the first is told
};

struct Settings {
  std::uint64_t seed = 1;  // decides every answer's text. Nodes of one seed give equal answers to equal requests
  std::vector<NodeSettings> nodes;
};

// Models that simulated nodes can hold, as people know them.
const std::vector<ModelSettings>& known_models();
const ModelSettings* known_model(std::string_view name);  // nullptr: there is none; the tag may be left out

// Three unlike nodes, `sim-fast` (large, holds everything), `sim-slow`, `sim-small`, whose stores overlap.
Settings default_fleet();
// The first `count` nodes of such a fleet, going round: the fourth is again a fast one, under another name.
Settings fleet_of(std::size_t count);

// Every mistake at once would need a file and a line, which only config knows; this is the first one. Error: config.
Result<void> validate(const Settings& settings);

}  // namespace drover::sim
