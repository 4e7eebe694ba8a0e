#pragma once
// One model: the places that can serve it, and the line of requests that wait for one.

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "balance/estimate.h"
#include "balance/events.h"
#include "balance/line.h"
#include "balance/model_habits.h"
#include "balance/policy.h"
#include "balance/request_table.h"
#include "balance/route.h"
#include "base/ids.h"

namespace drover::balance {

// A node that can serve the model, and the runner that would.
struct Place {
  Node* node;
  Runner* runner;
  std::size_t rank = 0;  // Route::rank_of
  double turn = 0;       // Candidate::turn

  bool allowed() const { return rank != Route::kNoPlace; }

  // Of the last look (survey.h).
  std::uint64_t version = 0;    // Node::version then
  Mono valid_until{};           // by time alone
  bool follows_habits = false;  // its prices go by what the model's other nodes told
  bool free_slot = false;       // Survey::Room
  bool loadable = false;
  Prices prices{};
  Tariff tariff{};
};

struct Lane {
  explicit Lane(Tenants& tenants) : line(tenants) {}

  std::string model;
  const Route* route = nullptr;       // never null in a dispatcher
  std::vector<Place> places;          // by node id; after a change of it: places_changed()
  std::vector<Candidate> candidates;  // one for each place, as of its last look
  std::uint64_t habits_then = 0;      // ModelHabits::version at that time
  // How many of the places can be used at all, have a free slot, could load: Survey::Room.
  std::size_t usable = 0;
  std::size_t ready = 0;
  std::size_t with_free_slot = 0;
  std::size_t loadable = 0;
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
