#pragma once
// Reads a node's answer as it passes: when the first token came, whether the end was the node's own, what it cost.

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "api/json_reader.h"
#include "api/route.h"
#include "base/clock.h"
#include "base/pooled.h"

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

// How an answer ended whose framing ended properly. One that was cut is truncated, unless its terminator had come: then
// it was whole.
enum class Verdict : std::uint8_t {
  complete,        // the terminator was seen: only then may the client get a clean end
  truncated,       // ended without it
  failed_in_band,  // the node said so in its stream
  done_false,      // one JSON object that says itself it is not done (a generation that broke off)
};

// Thread: one request's. Cost: some 20 ns for an ordinary line, 100 for an ordinary end; whatever is not ordinary, or
// split between pieces, is read as JSON. Memory: about 200 bytes, and 600 more within such a line; nothing of the
// answer is kept, so no line is too long.
class AnswerTap final : private JsonListener {
 public:
  AnswerTap(Route route, Framing framing) : route_(route), framing_(framing) {}

  // The next bytes of the answer's body, cut anywhere. `last`: the body is known to end behind them.
  void feed(std::string_view piece, bool last = false);

  // A line or event has passed that carries a piece of the answer, or the one object has begun. Never for an error, nor
  // for the answer of a command.
  bool first_token_seen() const { return messages_ > 0; }
  bool terminator_seen() const { return terminator_; }
  bool error_seen() const { return error_ || (crash_ && !terminator_); }
  // Lines or events that carried a piece of the answer: about one token each.
  std::uint64_t messages() const { return messages_; }
  const AnswerMetrics& metrics() const { return metrics_; }
  // Between two lines or events: only here may an error frame follow. Elsewhere end the line (and event) first.
  bool at_boundary() const;
  Verdict verdict() const;

 private:
  // Containers of interest in an answer.
  enum class Context : std::uint8_t { outside, document, usage, usage_details, choices, choice };
  enum class Key : std::uint8_t {
    other,
    done,
    error,
    model,
    choices,
    finish_reason,
    usage,
    usage_details,
    prompt_tokens,
    cached_tokens,
    eval_tokens,
    total,
    load,
    prompt_eval,
    eval,
  };
  struct Frame {
    Context context = Context::outside;
    Key key = Key::other;
  };
  // What one message says of itself; counted when it is whole.
  struct Message {
    bool done = false;
    bool not_done = false;
    bool error = false;
    bool nameless = false;  // `"model":""`: how a crash of the runner looks on OpenAI's routes
    bool has_choices = false;
    bool finished = false;
    AnswerMetrics metrics;
  };

  // What is needed while a message is read as JSON, which few are.
  struct Reading {
    JsonReader reader;
    std::size_t depth = 0;
    std::array<Frame, 4> frames;
    Message message;
  };

  bool opened(JsonKind kind) override;
  void closed() override { --reading_->depth; }
  bool key(const JsonText& key, Span span) override;
  void value(const JsonValue& value) override;

  static Key find_key(Context context, std::string_view text);
  static bool note_metric(Key key, std::optional<std::uint64_t> count, AnswerMetrics& metrics);
  Frame& frame() { return reading_->frames[reading_->depth]; }
  bool is_ordinary(std::string_view line) const;
  bool take_ordinary_end(std::string_view message);
  void line_part(std::string_view part);
  void line_ended();
  void payload(std::string_view part);
  void message_ended();

  Route route_;
  Framing framing_;
  Pooled<Reading> reading_;  // null between messages

  bool line_open_ = false;      // bytes of a line have come, its end has not
  bool line_was_empty_ = true;  // the last whole line: an event ends with an empty one
  std::uint8_t prefix_ = 0;     // bytes of `data:` seen in this line
  bool is_data_ = true;         // so far; false for comments and other fields
  std::array<char, 6> head_{};  // of the payload of an event
  std::uint8_t head_size_ = 0;

  std::uint64_t messages_ = 0;
  bool terminator_ = false;
  bool error_ = false;
  bool crash_ = false;
  bool done_false_ = false;
  AnswerMetrics metrics_;
};

}  // namespace drover::api
