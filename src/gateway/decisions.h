#pragma once
// What the scheduler decided about a request, and what came of it, as JSON for `drover why` and scripts.

#include "balance/decision_log.h"
#include "base/json.h"
#include "gateway/published.h"

namespace drover::gateway {

// Keys are stable: scripts read them. Durations in seconds; decisions in the order in which they were made, one for
// each attempt. `now`, `wall`: the same moment.
Json decisions_json(const balance::DecisionSearch& about, const Published& published, Mono now, Wall wall);

}  // namespace drover::gateway
