#pragma once
// Cards: what a step of an engine costs on them, how much they hold, how fast they load.

#include <cstdint>
#include <span>
#include <string_view>

#include "base/clock.h"
#include "base/units.h"
#include "engine/model_spec.h"
#include "engine/step.h"

namespace drover::engine {

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
// two CPU cores of the fit, whose reference is the model it was fitted to), and those that people know (presets.cpp).
std::span<const Card> cards();
const Card* card_named(std::string_view name);  // nullptr: there is none

}  // namespace drover::engine
