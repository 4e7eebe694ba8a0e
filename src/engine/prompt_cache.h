#pragma once
// What an engine remembers of the prompts it has read, and where the next one goes. Two engines' ways: slot_cache.h
// (llama.cpp, and so Ollama) and block_cache.h (vLLM).

#include <cstdint>
#include <optional>
#include <span>

#include "engine/sequence.h"

namespace drover::engine {

struct Placement {
  std::uint32_t slot = 0;    // its number, below the number of slots
  std::uint32_t cached = 0;  // tokens of the prompt that need not be read; never all of it
  std::uint64_t copied = 0;  // tokens of context that were copied to the host's memory for it
};

class PromptCache {
 public:
  virtual ~PromptCache() = default;

  // A slot for a prompt of at least one token, taken until `release`. `answer`: tokens that may follow. nullopt: none
  // now.
  virtual std::optional<Placement> place(std::span<const Piece> prompt, std::uint32_t answer) = 0;

  // Gives the slot back; of slots that become free at one time, in order of their numbers. `held`: the prompt as far as
  // it was read, and the answer. `prompt`: tokens of the former.
  virtual void release(std::uint32_t slot, Sequence held, std::size_t prompt) = 0;

  // Tokens of a prompt that need not be read if it is placed now. Who asks changes nothing.
  virtual std::size_t known(std::span<const Piece> prompt) const = 0;
};

}  // namespace drover::engine
