#pragma once
// The decisions of late, so that each can be explained: what the candidates were, what was chosen, and what came of it.
// A ring of records of a fixed size; a new one replaces the oldest. What is written down is what the decision had at
// hand; what its numbers mean together is worked out by who reads them.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "balance/estimate.h"
#include "balance/events.h"
#include "balance/policy.h"
#include "balance/route.h"
#include "base/clock.h"

namespace drover::balance {

// A candidate as the decision saw it.
struct Option {
  NodeId node;
  Readiness readiness;
  unsigned slots;
  unsigned in_flight;
  double weight;
  // Of policies that estimate:
  Prices prices;  // what the place asked of any request
  double cached;  // bytes of the prompt, found there
  double ahead;   // seconds of work that were promised the place before

  Estimate estimate(const Work& work) const { return balance::estimate(prices, work, cached, ahead); }
};

// One submission of a request: an attempt on a node, if it came to that.
struct DecisionRecord {
  static constexpr std::size_t kOptions = 8;
  static constexpr std::size_t kLongestText = 128;  // what is longer is cut

  enum class State : std::uint8_t {
    waiting,
    running,
    ended,
    left,     // its client, while it waited
    refused,  // by the scheduler
  };

  // A text that costs no allocation.
  class Text {
   public:
    void assign(std::string_view text) {
      size_ = std::min(text.size(), kLongestText);
      std::copy_n(text.data(), size_, text_.begin());
    }
    std::string_view view() const { return {text_.data(), size_}; }

   private:
    std::size_t size_ = 0;
    std::array<char, kLongestText> text_;
  };

  RequestId request;
  Text name;  // Submission::name
  Text model;
  State state;
  PolicyKind policy;
  bool estimates;  // the policy decides by costs
  RetryKind retry;
  Mono arrival;
  Mono submitted;
  Work work;    // of the request, as it was expected
  double goal;  // seconds until its first token

  // As of the decision, or of the last look while it waits: all candidates, or the best of many.
  Mono looked_at;
  std::uint8_t written;  // so many of `options`
  std::size_t usable;    // so many candidates there were
  std::array<Option, kOptions> options;

  std::optional<Queued> queued;  // what it was told when it began to wait
  Why why;                       // it was refused
  NodeId node;                   // it runs there, or did
  Reason reason;                 // why there
  Mono started;
  Mono ended;  // in whatever way
  Outcome outcome;
  std::optional<NodeDurations> durations;  // as its node says

  // What becomes of it.
  void wait(const Queued& told) {
    state = State::waiting;
    queued = told;
  }
  void start(NodeId on, Reason why_there, Mono now) {
    state = State::running;
    node = on;
    reason = why_there;
    started = now;
  }
  void refuse(Why why_not, Mono now) {
    state = State::refused;
    why = why_not;
    ended = now;
  }
  void leave(Mono now) {
    state = State::left;
    ended = now;
  }
  void end(const Outcome& how, const std::optional<NodeDurations>& took, Mono now) {
    state = State::ended;
    outcome = how;
    durations = took;
    ended = now;
  }

  std::span<const Option> seen() const { return {options.data(), written}; }
  // The one where it got a slot; null: it got none.
  const Option* chosen() const;
};
std::string_view name(DecisionRecord::State state);

// Looks for the decisions about one request; goes on where it stopped.
struct DecisionSearch {
  std::string name;                     // Submission::name; empty: of the one that came last
  std::vector<DecisionRecord> found{};  // the last one first
  std::size_t remembered = 0;           // decisions in all
  std::uint64_t next = 0;               // the number of the record to look at next; 0: that of the last one
};

class DecisionLog {
 public:
  // `size`: so many decisions are remembered; 0: none.
  explicit DecisionLog(std::size_t size) { resize(size); }
  // Forgets all, if it is another size.
  void resize(std::size_t size);

  // A record for this submission, to be filled, and its number. Null: it is not written down, since as many have been
  // within this second as are remembered: they would push one another out before anybody could ask.
  DecisionRecord* open(const Submission& submission, const Route& route, std::uint64_t& number);
  // Null for 0, and for what is not remembered any more.
  DecisionRecord* find(std::uint64_t number) { return remembers(number) ? &records_[place_of(number)] : nullptr; }
  // Looks at up to `most` records. False: it is over.
  bool look(DecisionSearch& search, std::size_t most) const;

 private:
  bool remembers(std::uint64_t number) const { return number > forgotten_ && number + size_ > last_; }
  std::size_t place_of(std::uint64_t number) const { return (number - forgotten_ - 1) % size_; }

  std::size_t size_ = 0;
  std::uint64_t forgotten_ = 0;          // so many numbers are of earlier sizes
  std::uint64_t last_ = 0;               // the number of the last record, from 1
  Mono second_{};                        // it began then, and
  std::size_t opened_ = 0;               // so many were opened in it
  std::vector<DecisionRecord> records_;  // a ring
};

}  // namespace drover::balance
