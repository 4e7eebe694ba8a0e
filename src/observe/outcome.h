#pragma once
// How requests and attempts end, in the words of metrics and access log.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
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
  refused,  // no connection: refused, or no way there
  connect_timeout,
  stale,         // a pooled connection turned out closed; asked again over a new one, and no evidence against the node
  reset_pre,     // reset before the first byte of the answer
  eof_pre,       // closed before it
  timeout_pre,   // nothing came in time
  bad_answer,    // what came was no answer of the API's
  busy,          // its load queue is full
  client_error,  // an answer of 4xx
  server_error,  // an answer of 5xx
  truncated,     // cut after the first byte
  cancelled,
};
inline constexpr std::size_t kAttemptOutcomeCount = 13;
std::string_view name(AttemptOutcome outcome);

// What nodes send that the protocol does not have there, or that a healthy node does not send. From `first_line` on the
// names are the reasons of `http/` (response_head.h, chunked.h).
enum class Anomaly : std::uint8_t {
  trailing_bytes,  // behind a whole answer: the connection is not used again
  unsolicited,     // on an idle connection: closed
  content_type,    // not the API's
  interim,         // each head of 1xx
  first_line,
  headers,
  content_length,
  transfer_encoding,
  switching_protocols,
  chunk_size,
  chunk_line,
  chunk_end,
  trailer,
};
inline constexpr std::size_t kAnomalyCount = 13;
std::string_view name(Anomaly anomaly);
// The anomaly with this name.
std::optional<Anomaly> anomaly_named(std::string_view slug);

// How a look-up of a node's name ended.
enum class NameLookup : std::uint8_t {
  ok,
  moved,     // it has another address now
  kept,      // it failed; the last address is still used
  failed,    // and there is none
  rejected,  // the address is none that a node may have
};
inline constexpr std::size_t kNameLookupCount = 5;
std::string_view name(NameLookup lookup);

// What a trial of a node showed.
enum class TrialVerdict : std::uint8_t {
  passed,
  failed,
  unclear,  // it was too busy to answer in time, or no longer has the model
};
inline constexpr std::size_t kTrialVerdictCount = 3;
std::string_view name(TrialVerdict verdict);

// What the gateway did with a node beside serving requests, ever.
struct NodeCounts {
  std::uint64_t loads = 0;
  std::uint64_t failed_loads = 0;
  std::uint64_t evictions = 0;  // models unloaded to make room for another
  std::uint64_t leaks = 0;      // models unloaded for a leaked slot
  std::array<std::uint64_t, kTrialVerdictCount> trials{};
};

// Why a stream was cut after its first byte.
enum class CutCause : std::uint8_t { closed, reset, stalled, protocol, no_terminator, deadline, shutdown };
inline constexpr std::size_t kCutCauseCount = 7;
std::string_view name(CutCause cause);

}  // namespace drover::observe
