#include "observe/outcome.h"

namespace drover::observe {

std::string_view name(Outcome outcome) {
  switch (outcome) {
    case Outcome::ok: return "ok";
    case Outcome::refused: return "refused";
    case Outcome::failed: return "failed";
    case Outcome::cancelled: return "cancelled";
    case Outcome::truncated: return "truncated";
  }
  return "";
}

std::string_view name(Phase phase) {
  switch (phase) {
    case Phase::reading: return "reading";
    case Phase::queued: return "queued";
    case Phase::connecting: return "connecting";
    case Phase::waiting: return "waiting";
    case Phase::streaming: return "streaming";
    case Phase::stalled_reader: return "stalled_reader";
  }
  return "";
}

std::string_view name(AttemptOutcome outcome) {
  switch (outcome) {
    case AttemptOutcome::ok: return "ok";
    case AttemptOutcome::refused_by_node: return "refused_by_node";
    case AttemptOutcome::connect_failed: return "connect_failed";
    case AttemptOutcome::failed: return "failed";
    case AttemptOutcome::truncated: return "truncated";
    case AttemptOutcome::cancelled: return "cancelled";
  }
  return "";
}

std::string_view name(CutCause cause) {
  switch (cause) {
    case CutCause::closed: return "closed";
    case CutCause::reset: return "reset";
    case CutCause::stalled: return "stalled";
    case CutCause::protocol: return "protocol";
    case CutCause::no_terminator: return "no_terminator";
    case CutCause::deadline: return "deadline";
    case CutCause::shutdown: return "shutdown";
  }
  return "";
}

}  // namespace drover::observe
