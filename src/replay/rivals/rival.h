#pragma once
// Other routers' rules, from their published descriptions, one file each.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "balance/slots.h"
#include "base/clock.h"
#include "base/random.h"

namespace drover::replay {

// A node as such a router sees it.
struct Backend {
  std::size_t node;
  unsigned slots = 1;
  unsigned in_flight = 0;    // what the router has sent there and not had back, all models together
  std::uint64_t memory = 0;  // tokens that the slots of a model hold together
};

struct Call {
  std::size_t request;
  std::size_t model;
  std::span<const std::uint64_t> prefix{};  // prompt_blocks.h; valid during the call
  std::uint64_t bytes = 0;                  // of the prompt
  std::optional<std::size_t> program{};     // that asks, where its requests say so
  Mono arrived{};
};
inline constexpr double kBytesPerToken = 4;  // what routers without a tokenizer take text for

// What a router learns when an answer has ended.
struct Answered {
  std::size_t request;
  std::size_t node;
  balance::NodeDurations durations;
  Mono now;
};

// Thread: one.
class Rival {
 public:
  virtual ~Rival() = default;
  // One of `backends`, by index: never empty, in order of their numbers. nullopt: none has room, so it waits; only
  // those that have a buffer.
  virtual std::optional<std::size_t> pick(const Call& call, std::span<const Backend> backends, Mono now,
                                          Random& random) = 0;
  // The first token has come: the prompt is read.
  virtual void first_token(std::size_t /*request*/, std::size_t /*node*/) {}
  virtual void ended(const Answered& /*answer*/) {}
  // One that waited was sent away.
  virtual void refused(std::size_t /*request*/) {}

  struct Buffer {
    std::size_t most = 0;  // requests that wait; one more is refused
    Duration longest{};    // who waits longer is refused
    Duration again{};      // so often are they asked for, though nothing has ended; 0: never
  };
  virtual Buffer buffer() const { return {}; }
};

std::span<const std::string_view> rival_names();
std::unique_ptr<Rival> make_rival(std::string_view name);  // nullptr: there is none

// One a file.
std::unique_ptr<Rival> make_random();
std::unique_ptr<Rival> make_round_robin();
std::unique_ptr<Rival> make_least_connections();
std::unique_ptr<Rival> make_peak_ewma();
std::unique_ptr<Rival> make_paddler();
std::unique_ptr<Rival> make_sglang();
std::unique_ptr<Rival> make_llm_d();
std::unique_ptr<Rival> make_llm_d_scores();
std::unique_ptr<Rival> make_aibrix();
std::unique_ptr<Rival> make_progress_ttl();

}  // namespace drover::replay
