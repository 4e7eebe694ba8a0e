#pragma once
// Reads a node's answer as it passes: when the first token came, whether the end was the node's own, what it cost.

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "api/route.h"
#include "base/clock.h"
#include "base/units.h"

namespace drover::api {

// How the answer is cut into messages.
enum class Framing : std::uint8_t { ndjson, sse, single };

// By the media type of the node's head; parameters such as charset are ignored.
Framing framing_of(std::string_view content_type);

// What the node reports at the end; absent what it did not say. OpenAI's usage fills the three counts.
struct AnswerMetrics {
  std::optional<std::uint64_t> prompt_tokens;  // cached ones included
  std::optional<std::uint64_t> cached_tokens;  // of those, found in the prompt cache
  std::optional<std::uint64_t> eval_tokens;    // generated
  std::optional<Duration> total;
  std::optional<Duration> load;
  std::optional<Duration> prompt_eval;
  std::optional<Duration> eval;
  friend bool operator==(const AnswerMetrics&, const AnswerMetrics&) = default;
};

// How an answer ended whose framing ended properly. One that was cut is truncated whatever was seen before, unless its
// terminator was: then all that matters had come.
enum class Verdict : std::uint8_t {
  complete,        // the terminator was seen: only then may the client get a clean end
  truncated,       // ended without it
  failed_in_band,  // the node said so in its stream
  done_false,      // one JSON object that says itself it is not done (a generation that broke off)
};

// Thread: one request's. Cost: about 30 ns for a line that is not the last. Memory: fixed; nothing of the answer is
// kept.
class AnswerTap {
 public:
  AnswerTap(Route route, Framing framing);

  // The next bytes of the answer's body, cut anywhere.
  void feed(std::string_view piece);

  bool first_token_seen() const { return messages_ > 0; }
  bool terminator_seen() const { return terminator_; }
  bool error_seen() const { return error_; }
  // Lines or events that carried a piece of the answer: about one token each.
  std::uint64_t messages() const { return messages_; }
  const AnswerMetrics& metrics() const { return metrics_; }
  // Between two lines or events: only here may an error frame follow.
  bool at_boundary() const;
  Verdict verdict() const;

 private:
  std::uint64_t messages_ = 0;
  bool terminator_ = false;
  bool error_ = false;
  AnswerMetrics metrics_;
};

}  // namespace drover::api
