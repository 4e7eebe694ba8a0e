#pragma once
// How many requests of one model a node really runs at once: OLLAMA_NUM_PARALLEL, unless the model's family forces it
// to one. A request beyond that waits inside the node, unseen, without bound, until another one ends. Nothing says the
// number outright, but what the durations of a final frame leave unexplained (total - load - prompt_eval - eval) shows
// whether that request had waited for a slot.
//
// A long rest alone proves nothing: a prompt also waits, for seconds on a slow machine, for the step that the runner is
// in. But a request without a slot began no sooner than another one ended, and the ends are known here. Judged so, each
// of 136 recorded requests of a real Ollama with four slots fell on the right side or was left undecided.

#include <cstdint>
#include <optional>

#include "base/clock.h"

namespace drover::balance {

struct SlotSetting {
  std::optional<unsigned> fixed{};  // as configured; nothing is learned then
  unsigned start = 1;               // automatic: the first value, unless a poll gave a hint
  unsigned most = 16;               // automatic: the upper bound; 1 to 1024
};

// The durations of a node's final frame, as it reports them.
struct NodeDurations {
  Duration total{};
  Duration load{};
  Duration prompt_eval{};
  Duration eval{};
  std::uint64_t prompt_tokens = 0;
  std::optional<std::uint64_t> cached_tokens{};  // of the prompt's; newer nodes tell
  std::uint64_t eval_tokens = 0;
};

// One answer, with the circumstances of its start.
struct SlotSample {
  NodeDurations durations;
  unsigned in_flight = 1;               // when it started, itself included
  std::optional<Duration> first_end{};  // from its start to the first end of another one there; none while it ran
  bool others_wait = false;             // somebody waits for this model: one more slot would be used
};

enum class SlotVerdict : std::uint8_t {
  unhindered,  // it ran at once
  hindered,    // it waited until another one ended
  undecided,   // another one ended too soon to tell
};
SlotVerdict judge(const SlotSample& sample);

// Raises by one after as many unhindered answers at the limit as there are slots, if more are wanted; lowers by one
// after two hindered ones in a row, and then does not try the higher value again for ten minutes.
class SlotEstimate {
 public:
  explicit SlotEstimate(const SlotSetting& setting);

  unsigned slots() const { return slots_; }
  bool automatic() const { return !setting_.fixed; }

  // A setting that changed: keeps what was learned where it fits the new bounds.
  void configure(const SlotSetting& setting);
  // What the node itself says (its agent, llama-server's /props): believed until answers show otherwise.
  void hint(unsigned slots);
  void observe(const SlotSample& sample, Mono now);

 private:
  unsigned clamped(unsigned slots) const;

  SlotSetting setting_;
  unsigned slots_;
  std::optional<unsigned> hint_;
  unsigned unhindered_ = 0;  // in a row, at the limit
  unsigned hindered_ = 0;    // in a row
  unsigned ceiling_ = 0;     // found to be the most, until
  Mono ceiling_until_{};
};

}  // namespace drover::balance
