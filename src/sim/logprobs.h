#pragma once
// How sure a model was of each token, for clients that ask: made up, but the same whenever the token is.

#include <span>
#include <string>

namespace drover::sim {

// A JSON array with an entry a token, each with the `top` likeliest ones. Empty without tokens.
std::string go_logprobs(std::span<const std::string> tokens, std::size_t top);

}  // namespace drover::sim
