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
    case AttemptOutcome::refused: return "refused";
    case AttemptOutcome::connect_timeout: return "connect_timeout";
    case AttemptOutcome::stale: return "stale";
    case AttemptOutcome::reset_pre: return "reset_pre";
    case AttemptOutcome::eof_pre: return "eof_pre";
    case AttemptOutcome::timeout_pre: return "timeout_pre";
    case AttemptOutcome::bad_answer: return "bad_answer";
    case AttemptOutcome::busy: return "busy";
    case AttemptOutcome::client_error: return "4xx";
    case AttemptOutcome::server_error: return "5xx";
    case AttemptOutcome::truncated: return "truncated";
    case AttemptOutcome::cancelled: return "cancelled";
  }
  return "";
}

std::string_view name(Anomaly anomaly) {
  switch (anomaly) {
    case Anomaly::trailing_bytes: return "trailing_bytes";
    case Anomaly::unsolicited: return "unsolicited";
    case Anomaly::content_type: return "content_type";
    case Anomaly::interim: return "interim";
    case Anomaly::first_line: return "first_line";
    case Anomaly::headers: return "headers";
    case Anomaly::content_length: return "content_length";
    case Anomaly::transfer_encoding: return "transfer_encoding";
    case Anomaly::switching_protocols: return "switching_protocols";
    case Anomaly::chunk_size: return "chunk_size";
    case Anomaly::chunk_line: return "chunk_line";
    case Anomaly::chunk_end: return "chunk_end";
    case Anomaly::trailer: return "trailer";
  }
  return "";
}

std::optional<Anomaly> anomaly_named(std::string_view slug) {
  for (std::size_t i = 0; i < kAnomalyCount; ++i) {
    if (name(static_cast<Anomaly>(i)) == slug) return static_cast<Anomaly>(i);
  }
  return std::nullopt;
}

std::string_view name(TrialVerdict verdict) {
  switch (verdict) {
    case TrialVerdict::passed: return "passed";
    case TrialVerdict::failed: return "failed";
    case TrialVerdict::unclear: return "unclear";
  }
  return "";
}

std::string_view name(NameLookup lookup) {
  switch (lookup) {
    case NameLookup::ok: return "ok";
    case NameLookup::moved: return "moved";
    case NameLookup::kept: return "kept";
    case NameLookup::failed: return "failed";
    case NameLookup::rejected: return "rejected";
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
