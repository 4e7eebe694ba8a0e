#include "api/model_refusal.h"

#include <fmt/format.h>

#include "api/model_name.h"

namespace drover::api {
namespace {

// As Go's %q: the names that come here are printable, so only quotes and backslashes need an escape.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

bool says_model_required(Route route) {
  return route == Route::chat || route == Route::embeddings || route == Route::show || route == Route::chat_completions;
}

}  // namespace

std::optional<Refusal> refuse_unroutable(Route route, const Understood& body) {
  // OpenAI's layer checks these before it looks at the model.
  if (route == Route::chat_completions && body.messages.absent_or_empty()) {
    return Refusal{Reason::json, 400, "[] is too short - 'messages'"};
  }
  if (route == Route::openai_embeddings && body.input.absent_or_empty())
    return Refusal{Reason::json, 400, "invalid input"};
  if (!body.model.empty()) return std::nullopt;
  if (says_model_required(route)) return Refusal{Reason::invalid_model, 400, "model is required"};
  return Refusal{Reason::model_not_found, 404, "model '' not found"};
}

Refusal model_not_found(Route route, std::string_view name) {
  if (source_of(name) == ModelSource::conflict) {
    return Refusal{Reason::invalid_model, 400, "use either :local or :cloud, not both: " + quoted(name)};
  }
  const auto parsed = parse_model_name(name);
  if (!parsed) return Refusal{Reason::invalid_model, 400, "invalid model name"};
  std::string message;
  switch (route) {
    case Route::embed:
    case Route::embeddings:
    case Route::openai_embeddings:
      message = fmt::format("model {} not found, try pulling it first", quoted(name));
      break;
    case Route::show:
    case Route::model: message = fmt::format("model '{}' not found", parsed->display()); break;
    default: message = fmt::format("model '{}' not found", name);
  }
  return Refusal{Reason::model_not_found, 404, std::move(message)};
}

Refusal cloud_refused() { return refuse(Reason::cloud_model, "ollama cloud is disabled: remote model is unavailable"); }

}  // namespace drover::api
