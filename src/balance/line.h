#pragma once
// The requests that wait for a model, and the order in which they go.
//
// Higher classes of priority go first; of every eight starts one is for a lower class whose oldest request has waited
// longer than `aging`, so that nothing starves. Within a class tenants share by tokens: each has an account of what it
// was served, and the one with the smallest goes next. Who comes back after none of its requests waited is raised to
// the smallest account of the others that ask, or of the last one that did: who asks for less saves nothing up. Of a
// tenant's own requests, the one that came first goes first, unless it is overloaded.
//
// A tenant is overloaded while more of its requests come than start and the oldest one waits far longer than a request
// should. First come, first served would make all of them late then. So those that, when they came, were expected to
// start in time go before those that were not, which get one start of sixteen; as with adaptive LIFO (B. Maurer, Fail
// at Scale, ACM Queue 2015) most are served at once, but whoever waits can be told at the beginning how long.
//
// Sharing is the virtual token counter of Y. Sheng and others, Fairness in Serving Large Language Models (OSDI 2024),
// with its weights: a token of an answer counts for two of a prompt. What runs is on the account with what it is
// expected to take, and with what it took when it ends.

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "balance/fading_rate.h"
#include "balance/line_rules.h"
#include "balance/priority.h"
#include "balance/request_table.h"
#include "balance/tenants.h"
#include "base/clock.h"

namespace drover::balance {

// Over which it is counted how fast a line moves.
inline constexpr Duration kPaceWindow = std::chrono::seconds(30);

// Tokens, weighed.
inline constexpr double kAnswerToken = 2;
inline double served_tokens(double prompt, double answer) { return prompt + kAnswerToken * answer; }

// A tenant in a line.
struct Flow {
  struct Chain {  // by arrival; of equals the one that joined first
    Request* first = nullptr;
    Request* last = nullptr;
    std::size_t size = 0;
    double tokens = 0;
  };
  struct Waiting {  // of one class
    Chain in_time;  // as far as one could say when they came
    Chain late;

    std::size_t size() const { return in_time.size + late.size; }
    double tokens() const { return in_time.tokens + late.tokens; }
    Chain& chain_of(const Request& request) { return request.late ? late : in_time; }
    const Chain& chain_of(const Request& request) const { return request.late ? late : in_time; }
    Request* first() const;  // by arrival, as are the others
    Request* last() const;
  };

  Tenant* tenant = nullptr;
  double served = 0;       // tokens
  double outstanding = 0;  // of those that run, as expected
  std::size_t running = 0;
  std::size_t size = 0;  // of all classes
  std::array<Waiting, kPriorities> waiting{};
  // Its requests that left the line for a slot since one of them waits, and of these the late ones.
  FadingRate pace{kPaceWindow};
  FadingRate late_pace{kPaceWindow};
  // Those that came to it and that left it for a slot, since one waits far too long.
  FadingRate arrivals{kPaceWindow};
  FadingRate starts{kPaceWindow};
  bool overloaded = false;
  unsigned starts_since_late = 0;
  double ahead = 0;  // scratch of Line::first

  void begin_to_wait(Mono now);
  void note_arrival(Mono now, const LineRules& rules);
  bool idle() const { return running == 0 && size == 0; }
  double account() const { return (served + outstanding) / tenant->weight; }
};

class Line {
 public:
  // So many starts of others for one of a lower class that has waited too long.
  static constexpr unsigned kStartsPerAged = 7;
  // So many of an overloaded tenant that are in time for one that is late.
  static constexpr unsigned kStartsPerLate = 15;

  explicit Line(Tenants& tenants);
  ~Line();
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  // How many of them need other options than a node's own defaults.
  std::size_t special_needs() const { return special_needs_; }

  // The first `most` of them in the order in which they go. Holds until anything changes.
  std::span<Request* const> first(std::size_t most, Mono now, const LineRules& rules);
  // Who goes last, as far as one can say: of the lowest class the one that came last. None: nullptr.
  Request* last() const;
  // How many go before it, as things are, and itself.
  std::size_t position(const Request& request) const;
  // Seconds until it starts, by how fast the line has moved; none: it has hardly moved yet. `capacity`: starts a second
  // that the nodes should have room for, which is believed at first; 0: nobody knows.
  std::optional<double> wait(const Request& request, Mono now, double capacity = 0) const;
  // The same of one that would join now.
  std::optional<double> wait_of_next(Tenant& tenant, Priority priority, Mono now, double capacity = 0) const;
  // The highest class in which somebody waits; kPriorities: nobody does.
  std::size_t top() const;
  // When the one that has waited longest came; kNever: nobody waits.
  Mono oldest() const;

  // Whose request it is, what class it has and what it is expected to take. join() or started() follows at once, if
  // anything does.
  void admit(Request& request, Tenant& tenant, Priority priority, double tokens);
  void join(Request& request, Mono now, const LineRules& rules);
  // One that would have joined had no place.
  void turned_away(const Tenant& tenant, Mono now, const LineRules& rules);
  void leave(Request& request);
  // It runs now; it does not wait any more. `waited`: it did.
  void started(Request& request, bool waited, Mono now);
  // It runs no more, and took so many tokens.
  void ended(Request& request, double tokens);

 private:
  Flow* find_flow(const Tenant& tenant) const;  // null: it has none
  Flow& flow_of(Tenant& tenant);
  void raise(Flow& flow) const;
  void note_idle(const Flow& flow);
  void forget_idle();
  // Of those that wait in lower classes than `top`, the one that has waited longest, if that is longer than `aging`.
  Request* aged(std::size_t top, Mono now, Duration aging) const;
  // A place in the order: behind so many of its flow and class, which are to take so many tokens.
  struct Place {
    const Flow* flow;
    std::size_t its_class;
    std::size_t behind;
    double tokens;
    std::size_t late_behind = 0;  // of those, the late ones
    bool late = false;            // of an overloaded flow
  };
  Place place_of(const Request& request) const;
  std::size_t position(const Place& place) const;
  std::optional<double> wait(const Place& place, Mono now, double capacity) const;

  Tenants* tenants_;
  std::vector<std::unique_ptr<Flow>> flows_;  // the first is of those without a name
  std::size_t size_ = 0;
  std::array<std::size_t, kPriorities> class_size_{};
  std::size_t special_needs_ = 0;
  unsigned starts_since_aged_ = 0;
  std::uint64_t joins_ = 0;
  double last_account_ = 0;       // of the last flow that became idle
  FadingRate pace_{kPaceWindow};  // requests that left it for a slot, since somebody waits

  // Scratch, kept for its capacity.
  struct Next {
    double ahead;
    Flow* flow;
    Request* in_time;
    Request* late;
    unsigned since_late;
    Request* request;  // one of the two

    void choose();
  };
  std::vector<Next> heap_;
  std::vector<Request*> picked_;
};

}  // namespace drover::balance
