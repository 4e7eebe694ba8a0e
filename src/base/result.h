#pragma once
// Expected failures are values. A function that can fail returns Result<T>; nobody may ignore one by accident.

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace drover {

// What went wrong, as far as code must decide on it (may we retry? what does the client get?).
enum class ErrorCode : std::uint8_t {
  cancelled,           // the flow was cancelled: its client left, or shutdown
  timed_out,           // a deadline passed
  closed,              // the peer closed the stream (FIN) where bytes were expected
  reset,               // the peer reset the stream (RST) or the transport failed
  connect_refused,     // nobody listens there
  connect_timed_out,   // no answer to our SYN
  unreachable,         // no route, or the name does not resolve
  response_timed_out,  // the node took our request and stays silent
  protocol,            // the peer broke the protocol: framing, syntax, wrong content
  too_large,           // a bound of ours was passed
  server_busy,         // node: its load queue is full
  model_absent,        // node: 404 for a model it was believed to hold
  runner_died,         // node: 500 whose text says that the runner died or ran out of memory
  slot_leaked,         // node: it starts nothing although it has a slot free
  refused_by_node,     // node: any other 4xx or 5xx; would answer the same again
  config,              // a setting is wrong
  system,              // an operating system call failed
  invalid,             // any other bad input
};

std::string_view name(ErrorCode code);

// Who failed. Decides retries, and whether a node's health suffers.
enum class Side : std::uint8_t { client, upstream, gateway };

std::string_view name(Side side);

struct Error {
  ErrorCode code;
  Side side = Side::gateway;
  std::string detail;  // what happened, where, what to do; for the log and the operator, never for secrets
};

template <typename T>
struct [[nodiscard]] Result : std::expected<T, Error> {
  using std::expected<T, Error>::expected;
  Result(Error error) : std::expected<T, Error>(std::unexpected(std::move(error))) {}
};

}  // namespace drover
