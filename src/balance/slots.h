#pragma once
// How many requests of one model a node really runs at once: OLLAMA_NUM_PARALLEL, unless the model's family forces it
// to one. A request beyond that waits inside the node, unseen, without bound. Nothing says the number outright, but the
// durations in a final frame show whether that request waited: total - load - prompt_eval - eval.

#include <cstdint>
#include <optional>

#include "base/clock.h"

namespace drover::balance {

struct SlotSetting {
  std::optional<unsigned> fixed;  // as configured; nothing is learned then
  unsigned start = 1;             // automatic: the first value, unless a poll gave a hint
  unsigned most = 16;             // automatic: the upper bound; 1 to 1024
};

// The durations of a node's final frame, as it reports them.
struct NodeDurations {
  Duration total{};
  Duration load{};
  Duration prompt_eval{};
  Duration eval{};
  std::uint64_t prompt_tokens = 0;
  std::uint64_t cached_tokens = 0;
  std::uint64_t eval_tokens = 0;
};

// One answer, with the circumstances that it was started in.
struct SlotSample {
  NodeDurations durations;
  bool at_limit = false;     // with it, as many were in flight as there were slots
  bool others_wait = false;  // somebody waits for this model: one more slot would be used
};

// Raises by one after as many unhindered answers in a row as there are slots; lowers by one when an answer had waited
// inside the node, and then does not try the higher value again for a while.
class SlotEstimate {
 public:
  explicit SlotEstimate(const SlotSetting& setting);

  unsigned slots() const { return slots_; }
  bool automatic() const { return !setting_.fixed; }

  // A setting that changed: keeps what was learned where it fits the new bounds.
  void configure(const SlotSetting& setting);
  // What the node itself says (its agent, llama-server's /props): believed until an answer shows otherwise.
  void hint(unsigned slots);
  void observe(const SlotSample& sample, Mono now);

  // Did the request wait inside the node? The rest of the durations is tokenizing, templates, transport: it grows with
  // the request, so small means below 250 ms plus a tenth of the total.
  static bool waited(const NodeDurations& durations);

 private:
  SlotSetting setting_;
  unsigned slots_;
  unsigned unhindered_ = 0;  // in a row, at the limit
  std::optional<unsigned> hint_;
  unsigned ceiling_;      // found to be the most
  Mono ceiling_until_{};  // after which one more is tried again
};

}  // namespace drover::balance
