#include "load/chat_body.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "talk/body_digest.h"

namespace drover::bench {
namespace {

constexpr std::size_t kTurnBytes = 1500;  // of one message of a long conversation

constexpr std::string_view kSentences[] = {
    "Please explain what this function does and why it is slow.",
    R"(\n\n```python\ndef total(rows):\n    return sum(row[\"price\"] * row[\"count\"] for row in rows)\n```\n)",
    "The second approach keeps an index, so that a look-up costs O(log n) instead of a scan of the whole table. ",
    "Je voudrais une réponse courte, s'il vous plaît. ",
    R"(He said: \"It worked on my machine\", and the log shows nothing between 10:42 and 10:57. )",
    "日本語でも説明してください。",
    "First measure, then decide: most of the time goes into reading the input, not into computing. ",
    R"(1. Open the file\n2. Read a line\n3. Split it at each tab\t\n4. Add the third field to the sum\n)",
    "Whether that is worth it depends on how often the data changes between two questions. ",
};

// Numerical Recipes' generator: the bytes must be the same everywhere, nothing more is asked of them.
class Sequence {
 public:
  std::size_t below(std::size_t bound) {
    state_ = state_ * 1664525 + 1013904223;
    return (state_ >> 8) % bound;
  }

 private:
  std::uint32_t state_ = 1;
};

// Text of exactly `size` bytes of JSON string.
void append_text(std::string& out, std::size_t size, Sequence& sequence) {
  const std::size_t end = out.size() + size;
  while (out.size() < end) {
    const std::string_view sentence = kSentences[sequence.below(std::size(kSentences))];
    if (out.size() + sentence.size() > end) break;
    out += sentence;
  }
  out.append(end - out.size(), '.');
}

std::string_view options(Dialect dialect, bool stream) {
  if (dialect == Dialect::ollama) {
    return stream ? R"("stream":true,"options":{"temperature":0.7},"model":")"
                  : R"("stream":false,"options":{"temperature":0.7},"model":")";
  }
  return stream ? R"("stream":true,"stream_options":{"include_usage":true},"model":")"
                : R"("stream":false,"temperature":0.7,"model":")";
}

}  // namespace

ChatRequest chat_request(const ChatSettings& settings) {
  std::string body = R"({"messages":[{"role":"user","content":")";
  const std::size_t tag_in_body = body.size();
  body.append(kTagSize, ' ');
  const std::string end = fmt::format(R"("}}],{}{}"}})", options(settings.dialect, settings.stream), kModel);
  Sequence sequence;
  bool user = true;
  while (body.size() + end.size() < settings.body_bytes) {
    const std::size_t left = settings.body_bytes - body.size() - end.size();
    const std::string turn = fmt::format(R"("}},{{"role":"{}","content":")", user ? "assistant" : "user");
    if (left < 2 * kTurnBytes) {
      append_text(body, left, sequence);
      break;
    }
    append_text(body, kTurnBytes / 2 + sequence.below(kTurnBytes), sequence);
    body += turn;
    user = !user;
  }
  body += end;

  ChatRequest request;
  request.bytes = fmt::format(
      "POST {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: drover-bench\r\nAccept: application/json\r\n"
      "Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
      settings.dialect == Dialect::ollama ? "/api/chat" : "/v1/chat/completions", settings.host, body.size());
  request.tag_at = request.bytes.size() + tag_in_body;
  request.bytes += body;
  BodyDigest digest;
  digest.feed(std::string_view(body).substr(tag_in_body + kTagSize));
  request.body = {static_cast<std::uint32_t>(body.size()), digest.value()};
  return request;
}

}  // namespace drover::bench
