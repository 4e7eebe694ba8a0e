#include "load/question.h"

#include <fmt/format.h>

#include <vector>

#include "base/check.h"
#include "base/json.h"
#include "http/head_writer.h"
#include "load/prompt.h"

namespace drover::load {

QuestionWriter::QuestionWriter(const Settings& settings)
    : settings_(settings),
      target_(settings.target.path + std::string(api::label(settings.route))),
      host_(http::authority(settings.target)),
      model_(to_text(Json(settings.model))) {}

Question QuestionWriter::write(const traces::Request& request, std::uint64_t number) const {
  Question question{.head = {}, .body = body(request, number)};
  std::vector<http::Field> fields{{"Content-Type", "application/json"}, {"User-Agent", "drover-load"}};
  for (const auto& [name, value] : settings_.headers) {
    std::erase_if(fields, [&name](const http::Field& own) { return ascii::equal_fold(own.name, name); });
    fields.push_back({name, value});
  }
  http::append_upstream_request(question.head,
                                {.method = "POST",
                                 .target = target_,
                                 .host = host_,
                                 .framing = {http::BodyKind::length, question.body.size()},
                                 .own = fields},
                                nullptr);
  return question;
}

// Temperature 0, so that equal prompts have equal answers as far as the server can. The words of prompts need no
// escapes.
std::string QuestionWriter::body(const traces::Request& request, std::uint64_t number) const {
  const std::string prompt = prompt_text(request, number, settings_.seed);
  const std::string chat = fmt::format(R"([{{"role":"user","content":"{}"}}])", prompt);
  const std::string native = fmt::format(R"("stream":{},"options":{{"temperature":0,"num_predict":{}}})",
                                         settings_.stream, request.answer.value);
  const std::string openai =
      fmt::format(R"("stream":{},{}"temperature":0,"max_tokens":{})", settings_.stream,
                  settings_.stream ? R"("stream_options":{"include_usage":true},)" : "", request.answer.value);
  switch (settings_.route) {
    case api::Route::chat: return fmt::format(R"({{"model":{},"messages":{},{}}})", model_, chat, native);
    case api::Route::generate: return fmt::format(R"({{"model":{},"prompt":"{}",{}}})", model_, prompt, native);
    case api::Route::chat_completions: return fmt::format(R"({{"model":{},"messages":{},{}}})", model_, chat, openai);
    case api::Route::completions: return fmt::format(R"({{"model":{},"prompt":"{}",{}}})", model_, prompt, openai);
    default: CHECK(false && "a route that generates");
  }
  return {};
}

}  // namespace drover::load
