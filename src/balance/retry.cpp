#include "balance/retry.h"

#include <algorithm>

namespace drover::balance {

std::string_view name(Retry retry) {
  switch (retry) {
    case Retry::no: return "no";
    case Retry::same_node: return "same_node";
    case Retry::other_node: return "other_node";
    case Retry::requeue: return "requeue";
  }
  return "";
}

Retry retry_after(const Error& error, const Attempt& attempt) {
  const bool over = attempt.sent_to_client > Bytes{0} || !attempt.replayable || !attempt.deadline_left ||
                    attempt.number >= attempt.limit;
  if (error.side != Side::upstream || over) return Retry::no;

  const bool repeatable = attempt.route == RouteKind::inference;
  switch (error.code) {
    case ErrorCode::connect_refused:
    case ErrorCode::connect_timed_out:
    case ErrorCode::unreachable: return Retry::requeue;  // it never reached the node

    case ErrorCode::closed:
    case ErrorCode::reset:
      if (!repeatable) return Retry::no;
      return attempt.reused_connection ? Retry::same_node : Retry::requeue;

    case ErrorCode::slot_leaked:  // it was never begun
    case ErrorCode::server_busy: return repeatable ? Retry::requeue : Retry::no;
    case ErrorCode::model_absent: return repeatable ? Retry::other_node : Retry::no;
    case ErrorCode::runner_died: return repeatable && attempt.runner_deaths <= 1 ? Retry::other_node : Retry::no;

    case ErrorCode::response_timed_out:  // the node may have run the model
    case ErrorCode::protocol:            // junk now, junk again
    case ErrorCode::refused_by_node:     // it would answer the same
    case ErrorCode::timed_out:
    case ErrorCode::cancelled:
    case ErrorCode::too_large:
    case ErrorCode::config:
    case ErrorCode::system:
    case ErrorCode::invalid: return Retry::no;
  }
  return Retry::no;
}

}  // namespace drover::balance
