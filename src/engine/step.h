#pragma once
// What a step of an engine costs.
//
// An engine works in steps: each takes one token of every sequence that decodes and a batch of prompt tokens of those
// that still read. A step is made of passes over the weights. A pass has one row for each of its tokens and costs
//   weights(rows) + attention, summed over its sequences.
// weights() is a roofline (Williams, Waterman, Patterson: Roofline, CACM 2009): with few rows it is bound by the memory
// that the weights are read from (a table), with many by arithmetic (a line). Attention is bound by the context that is
// looked back at: once for the one row of a sequence that decodes, once a tile of rows for a prompt.
// Fitted and compared with a real engine: calibrate/, docs/engine.md.

#include <chrono>
#include <cstdint>
#include <span>
#include <vector>

#include "base/clock.h"

namespace drover::engine {

using Cost = std::chrono::duration<double, std::milli>;

struct StepCosts {
  std::vector<Cost> few_rows{};  // weights() of n rows, at n - 1
  Cost many_rows{};              // of more: this, and for each row `row`; no less than the last of the table
  Cost row{};
  // A pair is a row and a token of context it looks back at. Its cost depends on how many rows of its sequence the pass
  // has: one; fewer than kTile; more. One row whose pass has no other sequence costs more for the first kSplit tokens,
  // since fewer heads that look at the same keys come one after another then.
  Cost pair_alone{};
  Cost pair_one{};
  Cost pair_few{};
  Cost pair_tiled{};
  Cost handover{};  // from the arrival of a request to the step that begins to read its prompt, if nothing else runs
  Cost copy{};      // of a token of context from a slot to the host's memory. The way back is short: no new memory
};

// Rows of a sequence from which llama.cpp's attention reads the context once a tile (GGML_FA_TILE_Q).
inline constexpr std::uint32_t kTile = 64;
// Tokens of context from which llama.cpp's attention divides them, and no longer the heads, between its threads, if the
// pass has one sequence alone.
inline constexpr std::uint32_t kSplit = 512;

// How a step is divided into passes.
enum class Passes : std::uint8_t {
  // As llama.cpp does whose slots have a part of the cache each: a pass takes slots of adjacent numbers and equally
  // many
  // rows of each; what remains makes further passes.
  adjacent,
  // As engines do that keep the cache in blocks: one pass for all.
  joint,
};

// What a step does for one sequence.
struct StepRows {
  std::uint32_t slot = 0;
  std::uint32_t rows = 0;     // its new tokens
  std::uint64_t context = 0;  // tokens before those
};

// `rows`: in the order in which the step takes them; used up. `most`: rows of a pass. Cost: O(sequences * passes).
Cost step_cost(const StepCosts& costs, Passes passes, std::uint32_t most, std::span<StepRows> rows);

Cost weights_cost(const StepCosts& costs, std::uint32_t rows);

Duration to_duration(Cost cost);  // to the nearest nanosecond

}  // namespace drover::engine
