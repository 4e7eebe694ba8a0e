#pragma once
// What a parser of heads says of the bytes it was given.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace drover::http {

// Why a head was refused. The connection it came on cannot be trusted to be in step any more: answer once and close.
struct Reject {
  int status = 400;         // of the answer: 4xx or 5xx to a client; 502 when a node sent the head
  std::string_view reason;  // slug of a fixed list (see each parser): the metric label and log field; static text
  std::string detail;       // what was seen and expected, peer bytes escaped and cut short: fit for a log line
};

struct [[nodiscard]] ParseOutcome {
  enum class State : std::uint8_t { more, complete, rejected };

  State state = State::more;
  std::size_t consumed = 0;  // complete: bytes of the head, from the start of what was given
  Reject reject;             // rejected: why

  static ParseOutcome more() { return {}; }
  static ParseOutcome complete(std::size_t bytes) {
    return {.state = State::complete, .consumed = bytes, .reject = {}};
  }
  static ParseOutcome rejected(int status, std::string_view reason, std::string detail) {
    return {.state = State::rejected, .consumed = 0, .reject = {status, reason, std::move(detail)}};
  }
};

}  // namespace drover::http
