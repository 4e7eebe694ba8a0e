#pragma once
// Compares an answer with the one that a simulated node must give: every token, in its order, once.

#include <memory>
#include <string>
#include <string_view>

#include "load/answer_text.h"
#include "sim/script.h"

namespace drover::load {

// Thread: one answer's.
class SimCheck {
 public:
  // `body`: of the request, as it was sent. `seed`: of the simulated nodes. Error (invalid): they would refuse it.
  static Result<std::unique_ptr<SimCheck>> make(api::Route route, std::string_view body, std::uint64_t seed);

  // The next piece of the answer's text.
  void take(std::string_view text, AnswerText::Kind kind);
  // What is wrong with the text so far; empty: nothing.
  const std::string& fault() const { return fault_; }
  // All tokens have come.
  bool complete() const { return fault_.empty() && next_ == script_.tokens() && rest_.empty(); }

 private:
  SimCheck(sim::Script script, bool hides_thinking);
  void skip_silent();

  sim::Script script_;
  bool hides_thinking_;     // /v1/completions has no place for it
  std::uint32_t next_ = 0;  // token
  std::string rest_;        // of the token before it: what has not come
  AnswerText::Kind kind_ = AnswerText::Kind::content;
  std::string fault_;
};

}  // namespace drover::load
