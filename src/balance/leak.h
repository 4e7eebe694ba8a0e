#pragma once
// A slot that has leaked inside a node: an Ollama can lose one for good when a client leaves at a bad moment. With all
// of a model's slots gone it is in memory, takes requests and starts none. An unload of the model frees them.
//
// What tells it: every request that runs there by our count has been without a byte for long, nothing was answered
// meanwhile, the node lists the model, and nothing is being loaded. Long is at least `patience`, and four times as long
// as reading all of their prompts should take. Then its requests are taken back and the model is unloaded, once
// nothing runs there.

#include "base/clock.h"

namespace drover::balance {

struct Request;
struct Runner;

struct LeakSettings {
  Duration patience = std::chrono::minutes(1);  // 0: none is ever found
  Duration pause = std::chrono::minutes(10);    // between two unloads of a model on a node
};

// Does the node write an answer on this runner, besides that of `request`? As far as is known: who has run for long and
// does not say that it waits for its first byte.
bool writes_for_others(const Runner& runner, const Request& request, Mono now);

// The request, which runs, has had no byte yet. True: it waits in vain, since its slot has leaked.
bool waits_in_vain(Request& request, const LeakSettings& settings, Mono now);

}  // namespace drover::balance
