#pragma once
// One loaded model at work: slots, a first-come queue without limit, a prompt cache, and steps (engine/step.h).
//
// Pure and driven by events. The caller passes time; nothing happens between calls:
//   runner.submit(job, now);
//   ... at runner.next_event(): runner.advance(now, events);
// Calls go forward in time, and advance(now) has been called before any other call with that `now`.

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "engine/model_spec.h"
#include "engine/prompt_cache.h"
#include "engine/step.h"

namespace drover::engine {

using JobId = Id<struct JobTag>;

// The hash of the answer's token `index`: what a later prompt that contains the answer will find in the cache.
using AnswerTokens = std::function<TokenHash(std::uint32_t index)>;

struct Job {
  JobId id;
  Sequence prompt;           // at least one token
  std::uint32_t answer = 0;  // tokens to generate; 0: the prompt is only read, as for an embedding
  AnswerTokens token{};      // empty: no later prompt contains the answer
  // So many tokens need not be read, whatever the cache says: for comparison with measurements, and with caches that no
  // engine has.
  std::optional<std::uint32_t> cached{};
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

enum class EngineKind : std::uint8_t {
  llama_cpp,  // slots that remember, the host's memory behind them; passes of adjacent slots
  vllm,       // blocks shared by all; one pass a step
};

struct RunnerSettings {
  EngineKind kind = EngineKind::llama_cpp;
  std::uint32_t slots = 1;
  std::uint32_t context = 4096;  // tokens of each slot
  std::uint32_t batch = 1024;    // tokens of a step, all slots together
  PrefixReuse reuse = PrefixReuse::any;
  std::size_t host_cache = 200'000;  // llama_cpp: tokens; 0: only the slots remember
  std::size_t blocks = 0;            // vllm: in all
  std::uint32_t block_tokens = 16;   // vllm
  bool every_token = true;           // false: of the tokens, only each job's first is told
};

// Cost: O(running jobs) a step that reads a prompt, and as much for all steps between two of those or two ends of jobs
// (they have one closed form), unless every token is told; one cache look-up a job.
class Runner {
 public:
  Runner(StepCosts costs, RunnerSettings settings);

  // Joins the queue, or gets a free slot at once. Prompts longer than the context are the caller's to cut.
  void submit(Job job, Mono now);

  // Forgets a job: a waiter leaves the queue; a running one frees its slot at the end of the present step. No more
  // events of it. False: no such job.
  bool cancel(JobId id, Mono now);

  // Appends all that happened up to `now`, in order of time.
  void advance(Mono now, std::vector<RunnerEvent>& events);
  Mono next_event() const;  // kNever: none without another call

  // Steps that begin from now on take `factor` times as long: others share the card, or time is sped up.
  void set_pace(double factor, Mono now);

  // A slot that nothing ever frees, as a bug of the engine leaves behind.
  void leak_slot() { ++leaked_; }

  // Tokens of a prompt that are in the cache now.
  std::size_t known(std::span<const Piece> prompt) const { return cache_->known(prompt); }
  std::size_t waiting() const { return waiters_.size(); }
  std::size_t running() const;  // with a slot, or on the way to one
  bool idle() const { return waiters_.empty() && running() == 0; }
  const RunnerSettings& settings() const { return settings_; }

 private:
  struct Waiter {
    Job job;
    Mono since;
    Mono enters{};  // once there is a slot for it: may take part in steps that begin no sooner
  };
  enum class State : std::uint8_t { reading, decoding };
  struct Slot {
    State state = State::reading;
    bool cancelled = false;
    bool shifted = false;  // a part of its context is gone
    Job job;
    JobUsage usage;
    std::uint32_t read = 0;     // prompt tokens in the cache
    std::uint32_t reading = 0;  // of those not yet read: taken by the present step
    std::uint64_t context = 0;  // tokens in its part of the cache
    Mono since{};               // took the slot, then: had its first token
  };
  // Steps of one kind one after another: the first costs `first`, each later one `growth` more than the one before.
  struct Stretch {
    Mono begin{};
    Cost first{};
    Cost growth{};
    std::uint32_t steps = 0;  // 0: nothing runs
    std::uint32_t done = 0;   // of these, told
    Mono end(std::uint32_t steps) const;
    std::uint32_t begun(Mono at) const;  // steps that have begun before `at`
  };

  bool slot_free() const;
  void enter(Waiter waiter, Mono now);
  void admit(Mono now);
  void begin(Mono now);
  void plan_reading();
  void plan_decoding();
  Passes passes() const { return settings_.kind == EngineKind::llama_cpp ? Passes::adjacent : Passes::joint; }
  bool alone_in_pass(std::size_t i) const;
  void cut(Mono at);
  bool take_steps(Mono now, std::vector<RunnerEvent>& events);
  void end_stretch(std::vector<RunnerEvent>& events);
  void take_token(Slot& slot, Mono at, std::vector<RunnerEvent>& events);
  void shift(Slot& slot) const;
  void release(std::uint32_t index, Mono now);

  StepCosts costs_;
  RunnerSettings settings_;
  std::unique_ptr<PromptCache> cache_;
  double pace_ = 1;
  std::deque<Waiter> waiters_;   // no slot is free for them
  std::deque<Waiter> arriving_;  // will have one when they enter, in that order
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> active_;  // slots at work, in order of their numbers
  std::size_t leaked_ = 0;             // slots that no job gets any more
  Stretch stretch_;
  Mono wake_ = kNever;                // while nothing runs: the next step begins
  Cost copying_{};                    // to be done before the next step
  std::vector<StepRows> rows_;        // what the next step does; scratch
  std::vector<std::uint32_t> ended_;  // slots whose job has ended; scratch
};

}  // namespace drover::engine
