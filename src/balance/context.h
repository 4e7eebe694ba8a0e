#pragma once
// The context of a runner: how many tokens each of its slots has, and whether that is enough for a request which says
// how many it wants (`num_ctx`). A node loads a model anew for any other number than the runner has, more or less; so a
// request goes to a runner that has enough, and is made to say what keeps it.

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "balance/events.h"

namespace drover::balance {

// What is known of one runner's. `loaded`: the options that it was loaded with, as far as that was our doing; those of
// others are taken for the node's own, but for the context, which the node tells.
class RunnerContext {
 public:
  // Of each slot, as the node last said; 0: it has not.
  std::uint64_t tokens() const { return tokens_; }

  // A load begins: the node has yet to say what it gave.
  void begin_load() { before_load_ = std::exchange(tokens_, 0); }
  // The node refused it, and what it had before is there still.
  void load_refused() { tokens_ = before_load_; }
  // The node says that it has so many; 0: it does not say.
  void saw(std::uint64_t tokens, const std::optional<LoadNeed>& loaded);

  // Would it do as it is for a request with such a need?
  bool suffices(const std::optional<LoadNeed>& loaded, LoadNeed wanted, ContextRule rule) const;
  // What the request then says and gets.
  ContextFit fit(const std::optional<LoadNeed>& loaded, LoadNeed wanted, ContextRule rule) const;
  // What a load for it asks for: the node's own context where that is known to be enough, since others want that too.
  LoadNeed to_load(LoadNeed wanted, ContextRule rule) const;

 private:
  std::uint64_t bounded(std::uint64_t context) const { return most_ == 0 ? context : std::min(context, most_); }
  // What one that was loaded like this has, or will have, as far as that is known.
  std::uint64_t has(const std::optional<LoadNeed>& loaded) const;

  std::uint64_t tokens_ = 0;
  std::uint64_t before_load_ = 0;
  std::uint64_t own_ = 0;   // what it has when a load asks for nothing; 0: not seen yet
  std::uint64_t most_ = 0;  // what it got when a load asked for more: the model has no more; 0: not seen
};

}  // namespace drover::balance
