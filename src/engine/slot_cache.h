#pragma once
// The prompt cache of llama.cpp's server: each slot remembers the last sequence it held, and the host's memory those of
// slots that others took. Rules as its log tells them ("selected slot by LCP similarity", "saving idle slot to prompt
// cache", "found better prompt").

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/model_spec.h"
#include "engine/prompt_cache.h"

namespace drover::engine {

// A sequence that was computed once. `checkpoint`: tokens up to the end of its prompt, where a model with a sliding
// window can be set back to.
struct Remembered {
  Sequence sequence;
  std::size_t tokens = 0;
  std::size_t checkpoint = 0;
};

// How many tokens of a prompt of so many need not be read by who holds `known`. At most all but the last: a prompt is
// never answered without reading anything.
std::size_t reusable(const Remembered& known, std::span<const Piece> prompt, std::size_t tokens, PrefixReuse reuse);

// Sequences in the host's memory, oldest forgotten first. Cost: O(sequences + tokens in common) a call.
class HostCache {
 public:
  // `limit`: tokens of all sequences together; 0 remembers nothing.
  explicit HostCache(std::size_t limit) : limit_(limit) {}

  // Copies a sequence here, in place of any that it continues. False: there was nothing to copy, since it is empty, too
  // large, or the beginning of one that is here.
  bool save(const Remembered& sequence);
  // Exchanges `slot` for the sequence that serves `prompt` better: more of the prompt found, and less of the sequence
  // thrown away. False: there is none.
  bool load(Remembered& slot, std::span<const Piece> prompt);
  std::size_t known(std::span<const Piece> prompt, std::size_t tokens, PrefixReuse reuse) const;
  std::size_t tokens() const { return tokens_; }

 private:
  void forget(std::size_t index);

  std::size_t limit_;
  std::size_t tokens_ = 0;
  std::vector<Remembered> sequences_;  // oldest first
};

class SlotCache final : public PromptCache {
 public:
  SlotCache(std::uint32_t slots, PrefixReuse reuse, std::size_t host_tokens);

  std::optional<Placement> place(std::span<const Piece> prompt, std::uint32_t answer) override;
  void release(std::uint32_t slot, Sequence held, std::size_t prompt) override;
  std::size_t known(std::span<const Piece> prompt) const override;

 private:
  struct Slot {
    bool taken = false;
    Remembered memory;
    std::uint64_t last_used = 0;  // the how manieth release; 0: never used
  };
  struct Choice {
    std::uint32_t slot;
    bool similar;  // chosen for what it remembers
  };
  std::optional<Choice> choose(std::span<const Piece> prompt, std::size_t tokens) const;

  std::vector<Slot> slots_;
  PrefixReuse reuse_;
  HostCache host_;
  std::uint64_t releases_ = 0;
};

}  // namespace drover::engine
