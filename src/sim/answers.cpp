#include "sim/answers.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "api/go_json.h"
#include "sim/go_object.h"
#include "sim/logprobs.h"
#include "sim/openai_answers.h"

namespace drover::sim {
namespace {

using api::Route;

std::string go_calls(const std::vector<ToolCall>& calls) {
  if (calls.empty()) return {};
  std::string text = "[";
  for (std::size_t i = 0; i < calls.size(); ++i) {
    if (i > 0) text += ',';
    const std::string function = GoObject()
                                     .number("index", static_cast<std::int64_t>(i))
                                     .text("name", calls[i].name)
                                     .raw("arguments", go_json(calls[i].arguments))
                                     .str();
    text += GoObject().text_if("id", calls[i].id).raw("function", function).str();
  }
  return text + ']';
}

void add_figures(GoObject& object, const Ending& ending) {
  if (!ending.done) return;
  object.number_if("total_duration", ending.total.count()).number_if("load_duration", ending.load.count());
  if (ending.usage.prompt == 0) return;
  object.number_if("prompt_eval_count", ending.usage.prompt)
      .number("prompt_eval_cached_count", ending.usage.cached)
      .number_if("prompt_eval_duration", ending.usage.prompt_time.count())
      .number_if("eval_count", ending.usage.answer)
      .number_if("eval_duration", ending.usage.answer_time.count());
}

std::string context_text(const Work& work, std::uint32_t tokens) {
  if (work.context.empty()) return {};
  std::string text = "[";
  const auto add = [&](std::int64_t number) {
    if (text.size() > 1) text += ',';
    text += fmt::format("{}", number);
  };
  for (const std::int64_t number : work.context) add(number);
  for (std::uint32_t i = 0; i < tokens; ++i) {
    add(token_number(token_hash(work.script->piece(i).text())));
  }
  return text + ']';
}

// Both native routes of generation: they differ in where the text stands.
class NativeWriter final : public AnswerWriter {
 public:
  explicit NativeWriter(const Request& request) : request_(request) {}

  std::string piece(const Piece& piece, Wall now) override {
    if (piece.text().empty()) return {};
    return object({.text = piece, .logprobs = logprobs(std::span(&piece.text(), 1))}, now) + '\n';
  }
  std::string calls(const std::vector<ToolCall>& calls, Wall now) override {
    return object({.calls = go_calls(calls)}, now) + '\n';
  }
  std::string last(const Ending& ending, const Work& work, Wall now) override {
    const bool with_calls = work.ask.model->tool_shape == ToolShape::last_line;
    return object({.calls = with_calls ? go_calls(work.script->calls()) : std::string(),
                   .ending = ending,
                   .context = context(ending, work)},
                  now) +
           '\n';
  }
  std::string error(std::string_view message) override { return GoObject().text("error", message).str() + '\n'; }
  std::string whole(const Ending& ending, const Work& work, Wall now) override {
    if (work.load_only) return command("load", now);
    const Script& script = *work.script;
    const bool all = ending.done && ending.tokens == script.tokens();
    return object({.text = {script.thinking(ending.tokens), script.content(ending.tokens)},
                   .calls = all ? go_calls(script.calls()) : std::string(),
                   .ending = ending,
                   .context = context(ending, work),
                   .logprobs = logprobs(script.texts(ending.tokens))},
                  now);
  }
  // The answer to a load or unload.
  std::string command(std::string_view reason, Wall now) const { return object({.ending = {.reason = reason}}, now); }

 private:
  struct Line {
    Piece text{};
    std::string calls{};
    Ending ending{.done = false};
    std::string context{};
    std::string logprobs{};
  };

  std::string object(const Line& line, Wall now) const {
    GoObject object;
    object.text("model", request_.model).text("created_at", api::go_time(now));
    if (request_.is_chat()) {
      object.raw("message", GoObject()
                                .text("role", "assistant")
                                .text("content", line.text.content)
                                .text_if("thinking", line.text.thinking)
                                .raw_if("tool_calls", line.calls)
                                .str());
    } else {
      object.text("response", line.text.content).text_if("thinking", line.text.thinking);
    }
    object.flag("done", line.ending.done);
    if (line.ending.done) object.text_if("done_reason", line.ending.reason);
    if (request_.is_chat()) object.raw_if("logprobs", line.logprobs);
    object.raw_if("context", line.context);
    add_figures(object, line.ending);
    if (!request_.is_chat()) object.raw_if("logprobs", line.logprobs);
    return object.str();
  }

  std::string context(const Ending& ending, const Work& work) const {
    return ending.done && !request_.is_chat() ? context_text(work, ending.tokens) : std::string();
  }
  std::string logprobs(std::span<const std::string> tokens) const {
    return request_.logprobs ? go_logprobs(tokens, request_.top_logprobs) : std::string();
  }

  const Request& request_;
};

void append_float64(std::string& out, double value) {
  if (value != 0 && std::abs(value) < 1e-6) return api::append_go_float(out, static_cast<float>(value));
  char text[512];
  const auto end = std::to_chars(std::begin(text), std::end(text), value, std::chars_format::fixed);
  out.append(text, end.ptr);
}

class EmbedWriter final : public AnswerWriter {
 public:
  explicit EmbedWriter(const Request& request) : request_(request) {}

  std::string piece(const Piece&, Wall) override { return {}; }
  std::string calls(const std::vector<ToolCall>&, Wall) override { return {}; }
  std::string last(const Ending&, const Work&, Wall) override { return {}; }
  std::string error(std::string_view) override { return {}; }
  std::string whole(const Ending& ending, const Work& work, Wall) override {
    if (request_.route == Route::embeddings) {
      std::string vector = "[";
      if (!work.vectors.empty()) {
        for (const float each : work.vectors.front()) {
          if (vector.size() > 1) vector += ',';
          append_float64(vector, static_cast<double>(each));
        }
      }
      return GoObject().raw("embedding", vector + ']').str();
    }
    std::string vectors = "[";
    for (const auto& each : work.vectors) {
      if (vectors.size() > 1) vectors += ',';
      vectors += go_vector(each);
    }
    GoObject object;
    object.text("model", request_.model).raw("embeddings", vectors + ']');
    if (!work.load_only) {
      object.number_if("total_duration", ending.total.count())
          .number_if("load_duration", ending.load.count())
          .number_if("prompt_eval_count", ending.usage.prompt);
    }
    return object.str();
  }

 private:
  const Request& request_;
};

}  // namespace

std::string go_json(const Json& json) {
  if (json.is_string()) return api::go_string(json.get_ref<const std::string&>());
  if (json.is_object()) {
    GoObject object;
    for (const auto& [key, value] : json.items()) object.raw(key, go_json(value));
    return object.str();
  }
  if (!json.is_array()) return to_text(json);
  std::string text = "[";
  for (const Json& each : json) {
    if (text.size() > 1) text += ',';
    text += go_json(each);
  }
  return text + ']';
}

std::string go_vector(const std::vector<float>& vector) {
  std::string text = "[";
  for (const float each : vector) {
    if (text.size() > 1) text += ',';
    api::append_go_float(text, each);
  }
  return text + ']';
}

std::unique_ptr<AnswerWriter> make_writer(const Request& request, std::uint64_t id) {
  switch (request.route) {
    case Route::generate:
    case Route::chat: return std::make_unique<NativeWriter>(request);
    case Route::chat_completions: return make_chat_writer(request, id);
    case Route::completions: return make_completion_writer(request, id);
    case Route::openai_embeddings: return make_embedding_writer(request);
    default: return std::make_unique<EmbedWriter>(request);
  }
}

std::string unload_answer(const Request& request, Wall now) { return NativeWriter(request).command("unload", now); }

std::string debug_answer(const Request& request, const std::string& rendered, Wall now) {
  GoObject object;
  object.text("model", request.model).text("created_at", api::go_time(now));
  if (request.is_chat()) {
    object.raw("message", R"({"role":"","content":""})");
  } else {
    object.text("response", "");
  }
  object.flag("done", false);
  GoObject info;
  info.text("rendered_template", rendered).number_if("image_count", static_cast<std::int64_t>(request.images));
  return object.raw("_debug_info", info.str()).str();
}

ErrorAnswer error_answer(Route route, const Failure& failure, bool streamed) {
  if (api::dialect(route) == api::Dialect::openai) {
    const std::string_view type = failure.status == 400   ? "invalid_request_error"
                                  : failure.status == 404 ? "not_found_error"
                                                          : "api_error";
    const std::string error =
        GoObject().text("message", failure.message).text("type", type).raw("param", "null").raw("code", "null").str();
    const std::string body = GoObject().raw("error", error).str();
    if (failure.early) return {std::string(kJson), body};
    return {std::string(kBareJson), body + '\n'};
  }
  return {std::string(streamed ? kBareJson : kJson), GoObject().text("error", failure.message).str()};
}

}  // namespace drover::sim
