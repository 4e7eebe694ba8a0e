#pragma once
// One model: the places that can serve it, and the line of requests that wait for one.

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "balance/estimate.h"
#include "balance/events.h"
#include "balance/model_habits.h"
#include "balance/policy.h"
#include "balance/request_table.h"
#include "balance/route.h"
#include "base/ids.h"

namespace drover::balance {

// Requests by arrival; of equals the one that joined first. The order of classes and tenants will come in here.
class Line {
 public:
  Request* first() const { return first_; }
  Request* last() const { return last_; }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  // How many of them need other options than a node's own defaults.
  std::size_t special_needs() const { return special_needs_; }

  // Returns the position, from 1. Cost: O(1) for the newest; a requeued request is looked for a place from the front,
  // since it is old.
  std::size_t join(Request& request);
  void leave(Request& request);

 private:
  Request* first_ = nullptr;
  Request* last_ = nullptr;
  std::size_t size_ = 0;
  std::size_t special_needs_ = 0;
};

// A node that can serve the model, and the runner that would.
struct Place {
  Node* node;
  Runner* runner;
  std::size_t rank = 0;  // Route::rank_of
  double turn = 0;       // Candidate::turn

  bool allowed() const { return rank != Route::kNoPlace; }

  // Of the last look (survey.h).
  std::uint64_t version = 0;  // Node::version then
  Mono valid_until{};         // by time alone
  std::uint64_t habits = 0;   // ModelHabits::version then, if prices go by them; else 0
  bool free_slot = false;     // Survey::Room
  bool loadable = false;
  Prices prices{};
};

struct Lane {
  std::string model;
  const Route* route = nullptr;       // never null in a dispatcher
  std::vector<Place> places;          // by node id; after a change of it: places_changed()
  std::vector<Candidate> candidates;  // one for each place, as of its last look
  Line line;
  std::size_t running = 0;
  unsigned loads = 0;              // under way
  Request* claimant = nullptr;     // the one of its line that claims a runner
  std::optional<NodeId> previous;  // PickContext::previous
  ModelHabits habits;

  // A node that takes part has one.
  Place& place_on(const Node& node);
  // Would a runner that was loaded like this do for a request with such a need?
  bool suffices(const Runner& runner, const std::optional<LoadNeed>& loaded, LoadNeed wanted) const;
  // All that was seen of them must be looked at anew.
  void places_changed();
  // Names of the same weights share a cache, and others do not.
  std::uint64_t salt() const;
};

}  // namespace drover::balance
