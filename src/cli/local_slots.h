#pragma once
// How many slots an Ollama on this machine gives each model: its environment says so.

#include <optional>

#include "net/endpoint.h"

namespace drover::cli {

// OLLAMA_NUM_PARALLEL of the process `ollama` that listens on this endpoint, 1 if it is not set. nullopt: not on this
// machine, not an `ollama`, or not ours to look at. Reads /proc: some milliseconds.
std::optional<unsigned> local_slots(const net::Endpoint& endpoint);

}  // namespace drover::cli
