#pragma once
// Prompts of a size, since no trace has the text of its own.

#include <cstdint>
#include <string>

#include "traces/request.h"

namespace drover::load {

// Common English words of at most six letters, one a token: to a simulated node exactly, to real models nearly. Prompts
// that begin with the same blocks of a trace begin with the same words, so that prompt caches find what they found
// then; one without blocks has nothing in common with any other number's. Equal arguments give equal texts.
std::string prompt_text(const traces::Request& request, std::uint64_t number, std::uint64_t seed);

}  // namespace drover::load
