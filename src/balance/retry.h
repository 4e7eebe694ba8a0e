#pragma once
// May a failed attempt be repeated, and where? Rule R of the fault matrix, in one pure function.

#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "base/units.h"

namespace drover::balance {

enum class Retry : std::uint8_t {
  no,
  same_node,   // a pooled connection had gone stale: once more over a fresh one; the slot is kept
  other_node,  // submit with RetryKind::budgeted and this node excluded
  requeue,     // the node was lost, busy loading, or began nothing: submit with RetryKind::lost_node at the old arrival
               // time
};
std::string_view name(Retry retry);

enum class RouteKind : std::uint8_t {
  inference,  // or reading: a second run does no harm
  write,      // pull, delete, ...: only what never reached a node may be sent again
};

struct Attempt {
  unsigned number = 1;             // of this attempt, from 1
  unsigned limit = 3;              // SchedulerSettings::attempts
  Bytes sent_to_client{};          // of the answer; one byte ends all retries
  bool reused_connection = false;  // it failed on a pooled connection before the node answered anything
  bool replayable = true;          // the whole request is still held
  unsigned runner_deaths = 0;      // attempts of this request that ended in runner_died, this one included
  RouteKind route = RouteKind::inference;
  bool deadline_left = true;
};

// A failed node is left out of the next choice, so there is no wait before an attempt: it goes to another node, or over
// a new connection.
Retry retry_after(const Error& error, const Attempt& attempt);

}  // namespace drover::balance
