#pragma once
// What the end of an attempt says about the health of its node.

#include <optional>

#include "balance/events.h"
#include "balance/health.h"

namespace drover::balance {

// nullopt: nothing. A client that left, a stale pooled connection (fault row 4), a full load queue (row 11), a model
// that was deleted (row 14) and an answer that blames the request (row 13) are no reason to avoid the node.
std::optional<Evidence> evidence_of(const Outcome& outcome);

// Nobody answers there. A load that failed so speaks against the node; other failures of loads lie with the model.
constexpr bool never_reached(ErrorCode code) {
  return code == ErrorCode::connect_refused || code == ErrorCode::connect_timed_out || code == ErrorCode::unreachable;
}

}  // namespace drover::balance
