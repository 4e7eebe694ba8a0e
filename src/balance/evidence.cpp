#include "balance/evidence.h"

namespace drover::balance {

std::optional<Evidence> evidence_of(const Outcome& outcome) {
  switch (outcome.kind) {
    case Outcome::Kind::ok: return Evidence::request_served;
    case Outcome::Kind::client_cancelled: return std::nullopt;
    case Outcome::Kind::node_failed:
    case Outcome::Kind::truncated: break;
  }
  switch (outcome.code) {
    case ErrorCode::closed:
    case ErrorCode::reset:
      if (outcome.reused_connection && outcome.kind == Outcome::Kind::node_failed) return std::nullopt;
      return Evidence::request_failed;
    case ErrorCode::connect_refused:
    case ErrorCode::connect_timed_out:
    case ErrorCode::unreachable:
    case ErrorCode::response_timed_out:
    case ErrorCode::protocol:
    case ErrorCode::runner_died: return Evidence::request_failed;

    // A 500 is often about the request: were it counted, one client's odd prompts could eject every node.
    case ErrorCode::refused_by_node:
      return outcome.status > 501 ? std::optional(Evidence::request_failed) : std::nullopt;

    case ErrorCode::server_busy:
    case ErrorCode::slot_leaked:
    case ErrorCode::model_absent:
    case ErrorCode::timed_out:
    case ErrorCode::cancelled:
    case ErrorCode::too_large:
    case ErrorCode::config:
    case ErrorCode::system:
    case ErrorCode::invalid: return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace drover::balance
