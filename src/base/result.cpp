#include "base/result.h"

namespace drover {

std::string_view name(ErrorCode code) {
  switch (code) {
    case ErrorCode::cancelled: return "cancelled";
    case ErrorCode::timed_out: return "timed_out";
    case ErrorCode::closed: return "closed";
    case ErrorCode::reset: return "reset";
    case ErrorCode::connect_refused: return "connect_refused";
    case ErrorCode::connect_timed_out: return "connect_timed_out";
    case ErrorCode::unreachable: return "unreachable";
    case ErrorCode::response_timed_out: return "response_timed_out";
    case ErrorCode::protocol: return "protocol";
    case ErrorCode::too_large: return "too_large";
    case ErrorCode::server_busy: return "server_busy";
    case ErrorCode::model_absent: return "model_absent";
    case ErrorCode::runner_died: return "runner_died";
    case ErrorCode::slot_leaked: return "slot_leaked";
    case ErrorCode::refused_by_node: return "refused_by_node";
    case ErrorCode::config: return "config";
    case ErrorCode::system: return "system";
    case ErrorCode::invalid: return "invalid";
  }
  return "unknown";
}

std::string_view name(Side side) {
  switch (side) {
    case Side::client: return "client";
    case Side::upstream: return "upstream";
    case Side::gateway: return "gateway";
  }
  return "unknown";
}

}  // namespace drover
