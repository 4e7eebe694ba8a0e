#include "load/sim_check.h"

#include <fmt/format.h>

#include <algorithm>

namespace drover::load {
namespace {

constexpr std::size_t kShown = 40;  // bytes of what is wrong

Error refused(const sim::Failure& failure) { return Error{ErrorCode::invalid, Side::gateway, failure.message}; }

}  // namespace

Result<std::unique_ptr<SimCheck>> SimCheck::make(api::Route route, std::string_view body, std::uint64_t seed) {
  auto request = sim::read_request(route, body);
  if (!request) return refused(request.error());
  if (const auto failure = sim::read_options(*request)) return refused(*failure);
  const sim::ModelSettings* model = sim::known_model(request->model);
  if (model == nullptr) {
    return Error{ErrorCode::invalid, Side::gateway, fmt::format("no simulated node has a model '{}'", request->model)};
  }
  const std::string prompt = sim::render_prompt(*request);
  sim::Script script(seed, *model, *request, prompt, request->num_predict.value_or(1));
  return std::unique_ptr<SimCheck>(new SimCheck(std::move(script), route == api::Route::completions));
}

SimCheck::SimCheck(sim::Script script, bool hides_thinking)
    : script_(std::move(script)), hides_thinking_(hides_thinking) {
  skip_silent();
}

// Tokens that no client sees.
void SimCheck::skip_silent() {
  while (next_ < script_.tokens()) {
    const sim::Piece piece = script_.piece(next_);
    if (!(hides_thinking_ ? piece.content : piece.text()).empty()) return;
    ++next_;
  }
}

void SimCheck::take(std::string_view text, AnswerText::Kind kind) {
  while (!text.empty() && fault_.empty()) {
    if (rest_.empty()) {
      if (next_ == script_.tokens()) {
        fault_ = fmt::format("{:?} behind the last token", text.substr(0, kShown));
        return;
      }
      const sim::Piece piece = script_.piece(next_++);
      kind_ = piece.content.empty() ? AnswerText::Kind::thinking : AnswerText::Kind::content;
      rest_ = piece.text();
    }
    const std::size_t size = std::min(rest_.size(), text.size());
    if (kind != kind_ || text.substr(0, size) != std::string_view(rest_).substr(0, size)) {
      fault_ = fmt::format("token {} is {:?}; expected {:?}", next_ - 1, text.substr(0, kShown), rest_);
      return;
    }
    text.remove_prefix(size);
    rest_.erase(0, size);
    if (rest_.empty()) skip_silent();
  }
}

}  // namespace drover::load
