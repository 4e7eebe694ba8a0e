#include "load/answer_text.h"

#include "base/ascii.h"
#include "base/json.h"

namespace drover::load {
namespace {

constexpr std::string_view kEvent = "data:";

// Where the dialects put what a model says: Ollama's answer itself or its message; OpenAI's choice, its message or its
// delta.
std::string_view content_in(const Json& part) {
  if (const auto response = text_at(part, "response"); !response.empty()) return response;
  if (const auto text = text_at(part, "text"); !text.empty()) return text;
  return text_at(part, "content");
}

std::string_view thinking_in(const Json& part) {
  const auto thinking = text_at(part, "thinking");
  return thinking.empty() ? text_at(part, "reasoning") : thinking;
}

}  // namespace

void AnswerText::feed(std::string_view piece) {
  if (framing_ != api::Framing::single) {
    for (auto end = piece.find('\n'); end != std::string_view::npos; end = piece.find('\n')) {
      if (unfinished_.empty()) {
        message(piece.substr(0, end));
      } else {
        unfinished_ += piece.substr(0, end);
        message(unfinished_);
        unfinished_.clear();
      }
      piece.remove_prefix(end + 1);
    }
  }
  if (unfinished_.size() + piece.size() > kMaxMessage.value) {
    damaged_ = true;
  } else {
    unfinished_ += piece;
  }
}

void AnswerText::finish() { message(std::exchange(unfinished_, {})); }

void AnswerText::message(std::string_view text) {
  text = ascii::trim(text, " \t\r\n");
  if (framing_ == api::Framing::sse) {
    if (!text.starts_with(kEvent)) return;
    text = ascii::trim(text.substr(kEvent.size()));
    if (text == "[DONE]") return;
  }
  if (text.empty()) return;
  const auto document = parse_json(text);
  if (!document) {
    damaged_ = true;
    return;
  }
  const Json* part = &*document;
  if (const Json* choices = member(*part, "choices")) {
    if (!choices->is_array() || choices->empty()) return;
    part = &choices->front();
  }
  for (const std::string_view inner : {"message", "delta"}) {
    if (const Json* found = member(*part, inner)) part = found;
  }
  if (const auto thinking = thinking_in(*part); !thinking.empty()) sink_(thinking, Kind::thinking);
  if (const auto content = content_in(*part); !content.empty()) sink_(content, Kind::content);
}

}  // namespace drover::load
