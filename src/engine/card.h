#pragma once
// What a step of an engine costs on a card, and presets of cards.
//
// The step model: an engine works in steps; each takes one token of every slot that decodes and a batch of prompt
// tokens of those that still read, and costs
//   base + decode(n) + context * (sum of their contexts) + prompt * (prompt tokens) + prompt_context * (pairs),
// pairs being the sum, over the prompt tokens, of the context before each. It was fitted to a real Ollama, and
// predicted the end-to-end times of a mixed load within a few percent (engine_test compares when the data is there).

#include <chrono>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/units.h"
#include "engine/model_spec.h"

namespace drover::engine {

using Cost = std::chrono::duration<double, std::milli>;

struct StepCosts {
  Cost base{};               // of any step
  std::vector<Cost> decode;  // of n slots that decode, at n - 1; beyond the table its last difference goes on
  Cost context{};            // per token of context of a slot that decodes
  Cost prompt{};             // per prompt token
  Cost prompt_context{};     // per pair
};

struct StepWork {
  std::uint32_t decoding = 0;       // slots
  std::uint64_t contexts = 0;       // tokens, summed over those slots
  std::uint64_t prompt_tokens = 0;  // read in this step
  std::uint64_t pairs = 0;
};

// At least a nanosecond, so that virtual time moves.
Duration step_time(const StepCosts& costs, const StepWork& work);

// A card is known by what one model costs on it; other models are scaled from that one.
struct Card {
  std::string_view name;
  Bytes vram;
  Bytes load_bandwidth;    // per second, from storage into its memory
  Duration load_overhead;  // of any load, whatever its size
  StepCosts costs;         // of the reference model:
  Bytes file;
  std::uint64_t parameters = 0;
  Bytes kv_per_token;
};

// Decoding is bound by reading the weights, reading prompts by arithmetic, attention by what a token of context weighs.
StepCosts costs_on(const Card& card, const ModelSpec& model);

// `fast` (80 GB, a data centre's), `slow` (24 GB, years old), `small` (8 GB, a good home computer's), `measured` (the
// two CPU cores of the fit, whose reference is the model it was fitted to).
std::span<const Card> cards();
const Card* card_named(std::string_view name);  // nullptr: there is none

}  // namespace drover::engine
