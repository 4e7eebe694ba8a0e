#pragma once
// What a model will answer: decided when the request is, token by token, without looking at the clock.

#include <cstdint>
#include <string>
#include <vector>

#include "engine/runner.h"
#include "sim/request.h"
#include "sim/settings.h"
#include "sim/text.h"

namespace drover::sim {

// The part of an answer that one token brings. At most one of the texts is set; a token inside a tool call brings
// nothing, since calls come whole.
struct Piece {
  std::string thinking;
  std::string content;
  const std::string& text() const { return content.empty() ? thinking : content; }
};

struct ToolCall {
  std::string id;
  std::string name;
  Json arguments = Json::object();
};

class Script {
 public:
  // `prompt` is the rendered one (render_prompt); `limit`: tokens at most, from num_predict and the context.
  Script(std::uint64_t seed, const ModelSettings& model, const Request& request, const std::string& prompt,
         std::int64_t limit);

  std::uint32_t tokens() const { return tokens_; }
  Piece piece(std::uint32_t index) const;
  // Empty, or what the answer consists of.
  const std::vector<ToolCall>& calls() const { return calls_; }
  // Why it ends: "stop", or "length" where the limit cut it.
  std::string_view done_reason() const { return cut_ ? "length" : "stop"; }
  // Text of all tokens before `end`.
  std::string content(std::uint32_t end) const;
  std::string thinking(std::uint32_t end) const;
  // Of each token before `end`.
  std::vector<std::string> texts(std::uint32_t end) const;

 private:
  void limit_to(std::int64_t limit);
  void stop_at(const std::vector<std::string>& stops);

  Babble thoughts_;
  Babble words_;
  std::uint32_t thinking_ = 0;      // tokens of it, first
  std::uint32_t tokens_ = 0;        // all
  std::vector<std::string> fixed_;  // the content, if it is not babble: JSON, or nothing for a call
  bool is_fixed_ = false;
  std::string last_;  // of the last token, cut by a stop sequence
  bool last_is_cut_ = false;
  bool cut_ = false;
  std::vector<ToolCall> calls_;
};

// The text that a model reads: the turns of a chat with marks between them, so that a conversation which goes on begins
// with what was said before.
std::string render_prompt(const Request& request);

// A value that a JSON schema allows, as far as types, enums and required properties go.
Json sample_of(const Json& schema, const Babble& words);

}  // namespace drover::sim
