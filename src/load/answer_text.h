#pragma once
// The text that a model wrote, out of the messages of its answer.

#include <functional>
#include <string>
#include <string_view>

#include "api/answer_tap.h"
#include "base/units.h"

namespace drover::load {

// Thread: one answer's. Each message is kept until it is whole, up to kMaxMessage.
class AnswerText {
 public:
  static constexpr Bytes kMaxMessage = 16_MiB;
  enum class Kind : std::uint8_t { content, thinking };
  using Sink = std::function<void(std::string_view text, Kind kind)>;

  // What each message brings goes to `sink`: of one message thinking before content.
  AnswerText(api::Framing framing, Sink sink) : framing_(framing), sink_(std::move(sink)) {}

  // The next bytes of the body, cut anywhere.
  void feed(std::string_view piece);
  // The body is over.
  void finish();
  // A message was no JSON, or too long: its text is missing.
  bool damaged() const { return damaged_; }

 private:
  void message(std::string_view text);

  api::Framing framing_;
  Sink sink_;
  std::string unfinished_;  // a message that has not come whole
  bool damaged_ = false;
};

}  // namespace drover::load
