#pragma once
// How requests and attempts end, in the words of metrics and access log.

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace drover::observe {

// Each accepted request ends as exactly one of these.
enum class Outcome : std::uint8_t {
  ok,         // the node's whole answer was delivered, its own refusals included
  refused,    // by the gateway, before a node was asked
  failed,     // no node could answer
  cancelled,  // the client left
  truncated,  // the answer began and was cut
};
inline constexpr std::size_t kOutcomeCount = 5;
std::string_view name(Outcome outcome);

// What the request was doing when its client left (rows 78 to 82 of the fault matrix).
enum class Phase : std::uint8_t { reading, queued, connecting, waiting, streaming, stalled_reader };
inline constexpr std::size_t kPhaseCount = 6;
std::string_view name(Phase phase);

// How one attempt on one node ended.
enum class AttemptOutcome : std::uint8_t {
  ok,
  refused_by_node,  // an answer of 4xx or 5xx
  connect_failed,
  failed,     // before the first byte
  truncated,  // after it
  cancelled,
};
inline constexpr std::size_t kAttemptOutcomeCount = 6;
std::string_view name(AttemptOutcome outcome);

// Why a stream was cut after its first byte.
enum class CutCause : std::uint8_t { closed, reset, stalled, protocol, no_terminator, deadline, shutdown };
inline constexpr std::size_t kCutCauseCount = 7;
std::string_view name(CutCause cause);

}  // namespace drover::observe
