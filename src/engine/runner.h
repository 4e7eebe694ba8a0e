#pragma once
// One loaded model at work: slots, a first-come queue without limit, a prompt cache, and steps (engine/card.h).
//
// Pure and driven by events. The caller passes time; nothing happens between calls:
//   runner.submit(job, now);
//   ... at runner.next_event(): for (const RunnerEvent& event : runner.advance(now)) ...

#include <cstdint>
#include <deque>
#include <functional>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "engine/card.h"
#include "engine/prompt_cache.h"

namespace drover::engine {

using JobId = Id<struct JobTag>;

// The hash of the answer's token `index`: what a later prompt that contains the answer will find in the cache.
using AnswerTokens = std::function<TokenHash(std::uint32_t index)>;

struct Job {
  JobId id;
  std::vector<TokenHash> prompt;  // at least one token
  std::uint32_t answer = 0;       // tokens to generate; 0: the prompt is only read, as for an embedding
  AnswerTokens token;             // may be empty if `answer` is 0
};

// What a job cost, as far as an engine can tell.
struct JobUsage {
  std::uint32_t prompt = 0;  // tokens, cached ones included
  std::uint32_t cached = 0;
  std::uint32_t answer = 0;
  Duration waited{};       // for a slot
  Duration prompt_time{};  // from slot to first token: wall time of the steps, whoever else was in them
  Duration answer_time{};  // from first token to last
};

struct RunnerEvent {
  enum class Kind : std::uint8_t { token, finished };
  Kind kind;
  JobId job;
  Mono at;
  std::uint32_t index = 0;  // token: counted from 0
  JobUsage usage{};         // finished
};

struct RunnerSettings {
  std::uint32_t slots = 1;
  std::uint32_t context = 4096;  // tokens of each slot
  std::uint32_t batch = 1024;    // prompt tokens a step, all slots together
  PrefixReuse reuse = PrefixReuse::any;
  std::size_t host_cache = 200'000;  // tokens; 0: only the slots remember
};

// Cost: O(slots) a step, plus one cache look-up a job.
class Runner {
 public:
  Runner(StepCosts costs, RunnerSettings settings);

  // Joins the queue, or a free slot at once. Prompts longer than the context are the caller's to cut. advance(now) must
  // have been called: time does not run backwards.
  void submit(Job job, Mono now);

  // Forgets a job: a waiter leaves the queue; a running one frees its slot at the end of the present step. No more
  // events of it. False: no such job.
  bool cancel(JobId id);

  // All that happened up to `now`, in order of time.
  std::vector<RunnerEvent> advance(Mono now);
  Mono next_event() const { return step_end_; }

  // Steps that begin from now on take `factor` times as long: others share the card, or time is sped up.
  void set_pace(double factor) { pace_ = factor; }

  // A slot that nothing ever frees, as a bug of the engine leaves behind.
  void leak_slot() { ++leaked_; }

  std::size_t waiting() const { return waiters_.size(); }
  std::size_t running() const;
  bool idle() const { return waiters_.empty() && running() == 0; }
  const RunnerSettings& settings() const { return settings_; }

 private:
  struct Waiter {
    Job job;
    Mono since;
  };
  enum class State : std::uint8_t { idle, reading, decoding };
  struct Slot {
    State state = State::idle;
    bool cancelled = false;
    Job job;
    JobUsage usage;
    std::size_t read = 0;     // prompt tokens in the cache
    std::size_t reading = 0;  // of those not yet read: taken by the present step
    Mono since{};             // took the slot, then: had its first token
    Mono last_used{};
    std::vector<TokenHash> tokens;  // what its part of the cache holds
  };

  void begin_step(Mono now);
  void end_step(std::vector<RunnerEvent>& events);
  void admit(Mono now);
  Slot* free_slot(const Job& job);
  void start(Slot& slot, Waiter waiter, Mono now);
  void emit_token(Slot& slot, std::vector<RunnerEvent>& events);
  void finish(Slot& slot, std::vector<RunnerEvent>& events);
  void shift(Slot& slot) const;

  StepCosts costs_;
  RunnerSettings settings_;
  double pace_ = 1;
  std::deque<Waiter> waiters_;
  std::vector<Slot> slots_;
  std::size_t leaked_ = 0;  // slots that no job gets any more
  HostCache host_;
  Mono step_end_ = kNever;  // of the step in work
};

}  // namespace drover::engine
