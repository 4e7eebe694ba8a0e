#include "sim/openai_answers.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>

#include "sim/go_object.h"
#include "sim/logprobs.h"

namespace drover::sim {
namespace {

constexpr std::string_view kDone = "data: [DONE]\n\n";
constexpr std::uint64_t kIds = 999;

std::string event(const std::string& json) { return "data: " + json + "\n\n"; }

std::int64_t unix_seconds(Wall now) {
  return std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
}

std::string usage_text(const engine::JobUsage& usage) {
  GoObject object;
  object.number("prompt_tokens", usage.prompt);
  if (usage.prompt > 0) {
    object.raw("prompt_tokens_details", GoObject().number("cached_tokens", usage.cached).str());
  }
  return object.number("completion_tokens", usage.answer).number("total_tokens", usage.prompt + usage.answer).str();
}

std::string calls_text(const std::vector<ToolCall>& calls) {
  if (calls.empty()) return {};
  std::string text = "[";
  for (std::size_t i = 0; i < calls.size(); ++i) {
    if (i > 0) text += ',';
    const std::string function =
        GoObject().text("name", calls[i].name).text("arguments", go_json(calls[i].arguments)).str();
    text += GoObject()
                .text("id", calls[i].id)
                .number("index", static_cast<std::int64_t>(i))
                .text("type", "function")
                .raw("function", function)
                .str();
  }
  return text + ']';
}

class ChatWriter final : public AnswerWriter {
 public:
  ChatWriter(const Request& request, std::uint64_t id)
      : request_(request), id_(fmt::format("chatcmpl-{}", id % kIds)) {}

  std::string_view stream_type() const override { return kEvents; }
  std::string_view whole_type() const override { return kBareJson; }

  std::string piece(const Piece& piece, Wall now) override {
    if (piece.text().empty()) return {};
    GoObject object = begin_delta();
    object.text("content", piece.content).text_if("reasoning", piece.thinking);
    return event(delta(object, "null", now, logprobs(std::span(&piece.text(), 1))));
  }
  std::string calls(const std::vector<ToolCall>& calls, Wall now) override {
    called_ = true;
    return event(delta(begin_delta().text("content", "").raw("tool_calls", calls_text(calls)), "null", now));
  }
  std::string last(const Ending& ending, const Work& work, Wall now) override {
    std::string text;
    if (!work.script->calls().empty() && work.ask.model->tool_shape == ToolShape::last_line) {
      text += calls(work.script->calls(), now);
    }
    const std::string_view reason = called_ && ending.reason == "stop" ? "tool_calls" : ending.reason;
    text += event(delta(GoObject(), go_json(Json(reason)), now));
    if (request_.include_usage) {
      text +=
          event(head("chat.completion.chunk", now).raw("choices", "[]").raw("usage", usage_text(ending.usage)).str());
    }
    text += kDone;
    return text;
  }
  // The text is lost: only an event that names no model tells.
  std::string error(std::string_view) override {
    return event(GoObject()
                     .text("id", id_)
                     .text("object", "chat.completion.chunk")
                     .number("created", created_.value_or(0))
                     .text("model", "")
                     .text("system_fingerprint", "fp_ollama")
                     .raw("choices", R"([{"index":0,"delta":{"content":""},"finish_reason":null}])")
                     .str());
  }
  std::string whole(const Ending& ending, const Work& work, Wall now) override {
    const bool all = ending.tokens == work.script->tokens();
    const auto& calls = work.script->calls();
    GoObject message;
    message.text("role", "assistant")
        .text("content", work.script->content(ending.tokens))
        .text_if("reasoning", work.script->thinking(ending.tokens))
        .raw_if("tool_calls", all ? calls_text(calls) : std::string());
    const std::string_view reason = !calls.empty() && ending.reason == "stop" ? "tool_calls" : ending.reason;
    const std::string choice = GoObject()
                                   .number("index", 0)
                                   .raw("message", message.str())
                                   .raw("finish_reason", ending.done ? go_json(Json(reason)) : "null")
                                   .raw_if("logprobs", logprobs(work.script->texts(ending.tokens)))
                                   .str();
    return head("chat.completion", now)
               .raw("choices", '[' + choice + ']')
               .raw("usage", usage_text(ending.usage))
               .str() +
           '\n';
  }

 private:
  std::string logprobs(std::span<const std::string> tokens) const {
    if (!request_.logprobs || tokens.empty()) return {};
    return GoObject().raw("content", go_logprobs(tokens, request_.top_logprobs)).str();
  }
  GoObject begin_delta() {
    GoObject object;
    if (!std::exchange(begun_, true)) object.text("role", "assistant");
    return object;
  }
  std::string delta(const GoObject& object, std::string_view finish, Wall now, const std::string& likely = {}) {
    const std::string choice = GoObject()
                                   .number("index", 0)
                                   .raw("delta", object.str())
                                   .raw("finish_reason", finish)
                                   .raw_if("logprobs", likely)
                                   .str();
    return head("chat.completion.chunk", now).raw("choices", '[' + choice + ']').str();
  }
  // One `created` for the whole stream.
  GoObject head(std::string_view kind, Wall now) {
    if (!created_) created_ = unix_seconds(now);
    GoObject object;
    object.text("id", id_)
        .text("object", kind)
        .number("created", *created_)
        .text("model", request_.model)
        .text("system_fingerprint", "fp_ollama");
    return object;
  }

  const Request& request_;
  std::string id_;
  std::optional<std::int64_t> created_;
  bool begun_ = false;
  bool called_ = false;
};

class CompletionWriter final : public AnswerWriter {
 public:
  CompletionWriter(const Request& request, std::uint64_t id)
      : request_(request), id_(fmt::format("cmpl-{}", id % kIds)) {}

  std::string_view stream_type() const override { return kEvents; }
  std::string_view whole_type() const override { return kBareJson; }

  std::string piece(const Piece& piece, Wall now) override {
    return piece.content.empty() ? std::string() : event(object(piece.content, "null", request_.model, now));
  }
  std::string calls(const std::vector<ToolCall>&, Wall) override { return {}; }
  std::string last(const Ending& ending, const Work&, Wall now) override {
    std::string text = event(object("", go_json(Json(ending.reason)), request_.model, now));
    if (request_.include_usage) {
      text += event(chunk("[]", request_.model, now).raw("usage", usage_text(ending.usage)).str());
    }
    text += kDone;
    return text;
  }
  std::string error(std::string_view) override { return event(object("", "null", "", created_)); }
  std::string whole(const Ending& ending, const Work& work, Wall now) override {
    const std::string text = work.load_only ? std::string() : work.script->content(ending.tokens);
    const std::string_view reason = work.load_only ? "load" : ending.reason;
    const std::string choice = GoObject()
                                   .text("text", text)
                                   .number("index", 0)
                                   .raw("finish_reason", ending.done ? go_json(Json(reason)) : "null")
                                   .str();
    return head(now)
               .text("model", request_.model)
               .text("system_fingerprint", "fp_ollama")
               .raw("choices", '[' + choice + ']')
               .raw("usage", usage_text(ending.usage))
               .str() +
           '\n';
  }

 private:
  std::string object(std::string_view text, std::string_view finish, std::string_view model, Wall now) {
    const std::string choice = GoObject().text("text", text).number("index", 0).raw("finish_reason", finish).str();
    GoObject object = chunk('[' + choice + ']', model, now);
    if (request_.include_usage) object.raw("usage", usage_text({}));
    return object.str();
  }
  GoObject head(Wall now) {
    created_ = now;
    GoObject object;
    object.text("id", id_).text("object", "text_completion").number("created", unix_seconds(now));
    return object;
  }
  // Of a stream, where the members stand in another order than in a whole answer.
  GoObject chunk(std::string_view choices, std::string_view model, Wall now) {
    GoObject object = head(now);
    object.raw("choices", choices).text("model", model).text("system_fingerprint", "fp_ollama");
    return object;
  }

  const Request& request_;
  std::string id_;
  Wall created_{};
};

// Little-endian float32 in base64.
std::string base64_of(const std::vector<float>& vector) {
  static_assert(std::endian::native == std::endian::little);
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes(vector.size() * sizeof(float), '\0');
  if (!vector.empty()) std::memcpy(bytes.data(), vector.data(), bytes.size());
  std::string text;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    std::uint32_t group = 0;
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - at);
    for (std::size_t i = 0; i < 3; ++i) {
      group = group << 8 | (i < count ? static_cast<unsigned char>(bytes[at + i]) : 0U);
    }
    for (std::size_t i = 0; i < 4; ++i) text += i <= count ? kDigits[group >> (18 - 6 * i) & 63] : '=';
  }
  return text;
}

class EmbeddingWriter final : public AnswerWriter {
 public:
  explicit EmbeddingWriter(const Request& request) : request_(request) {}

  std::string_view whole_type() const override { return kBareJson; }
  std::string piece(const Piece&, Wall) override { return {}; }
  std::string calls(const std::vector<ToolCall>&, Wall) override { return {}; }
  std::string last(const Ending&, const Work&, Wall) override { return {}; }
  std::string error(std::string_view) override { return {}; }
  std::string whole(const Ending& ending, const Work& work, Wall) override {
    std::string data = "[";
    for (std::size_t i = 0; i < work.vectors.size(); ++i) {
      if (i > 0) data += ',';
      const std::string vector =
          request_.base64 ? go_json(Json(base64_of(work.vectors[i]))) : go_vector(work.vectors[i]);
      data += GoObject()
                  .text("object", "embedding")
                  .raw("embedding", vector)
                  .number("index", static_cast<std::int64_t>(i))
                  .str();
    }
    const std::string usage =
        GoObject().number("prompt_tokens", ending.usage.prompt).number("total_tokens", ending.usage.prompt).str();
    return GoObject()
               .text("object", "list")
               .raw("data", data + ']')
               .text("model", request_.model)
               .raw("usage", usage)
               .str() +
           '\n';
  }

 private:
  const Request& request_;
};

}  // namespace

std::unique_ptr<AnswerWriter> make_chat_writer(const Request& request, std::uint64_t id) {
  return std::make_unique<ChatWriter>(request, id);
}
std::unique_ptr<AnswerWriter> make_completion_writer(const Request& request, std::uint64_t id) {
  return std::make_unique<CompletionWriter>(request, id);
}
std::unique_ptr<AnswerWriter> make_embedding_writer(const Request& request) {
  return std::make_unique<EmbeddingWriter>(request);
}

}  // namespace drover::sim
