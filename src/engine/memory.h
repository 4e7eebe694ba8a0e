#pragma once
// What fits on a card, who goes when it does not, and how long a load takes: Ollama's rules, without its log lines.

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/clock.h"
#include "base/units.h"
#include "engine/card.h"

namespace drover::engine {

// The weights, and a cache of 16-bit keys and values for the context of each slot.
Bytes size_in_memory(const ModelSpec& model, std::uint32_t context, std::uint32_t slots);

// A card takes a model whole if its estimate is at most 80 % of what is free.
bool fits(Bytes size, Bytes free);

// The part of a model of that size that `free` holds. The rest stays in the host's memory, and its layers run there.
Bytes placed(Bytes size, Bytes free);

// How much longer the steps of a model take of which only a part is on the card. 1 when all of it is.
double slowdown(Bytes size, Bytes on_card);

// Tokens of context that llama.cpp's server keeps in the host's memory (8 GiB by default).
std::size_t host_cache_tokens(const ModelSpec& model);

Duration load_time(const Card& card, const ModelSpec& model);

// The context that Ollama gives each slot when nobody says: by the memory of the card, at most what the model knows.
std::uint32_t default_context(Bytes vram, const ModelSpec& model);

struct Resident {
  std::string_view weights;  // views what the caller holds
  Duration keep_alive;
  bool idle = true;
};

// Who must go: an idle one with the shortest keep-alive, then the lowest weights; if all are busy, the same of those,
// which has to be waited for. Its index; nullopt when nobody is there.
std::optional<std::size_t> pick_victim(std::span<const Resident> residents);

}  // namespace drover::engine
