#include "talk/script.h"

#include <cstring>

#include "base/check.h"

namespace drover::bench {
namespace {

constexpr std::string_view kTagStart = "[bench ";
constexpr std::size_t kTagField = 8;
constexpr std::size_t kIdWidth = 5, kSequenceWidth = 4, kLengthWidth = 8, kDigestWidth = 16;

void write_hex(std::uint64_t value, std::size_t width, char* out) {
  for (std::size_t i = width; i-- > 0; value >>= 4) out[i] = "0123456789abcdef"[value & 0xf];
}

// Chunks of Ollama's are 125 bytes, those of OpenAI's events as long as they are in life. Each stands where Drover's
// answer tap and clients expect it: `done` and `finish_reason` last.
constexpr std::string_view kOllamaWhole =
    R"({"model":"m","created_at":"2026-11-21T10:00:00Z","message":{"role":"assistant","content":"%i %l %d )"
    R"(The sky looks blue because air scatters short waves of light far more than long ones.\nAt dusk the path is )"
    R"(longer."},"done":true,"done_reason":"stop","total_duration":410000000,"load_duration":90000,)"
    R"("prompt_eval_count":26,"prompt_eval_duration":40000000,"eval_count":29,"eval_duration":369000000})";
constexpr std::string_view kOllamaChunk =
    R"({"model":"m","created_at":"2026-11-21T10:00:00Z","message":{"role":"assistant","content":"%i%s%t"},)"
    R"("done":false})"
    "\n";
constexpr std::string_view kOllamaLast =
    R"({"model":"m","created_at":"2026-11-21T10:00:00Z","message":{"role":"assistant","content":"%i%s %l %d"},)"
    R"("done":true,"done_reason":"stop","total_duration":410000000,"load_duration":90000,"prompt_eval_count":26,)"
    R"("prompt_eval_duration":40000000,"eval_count":29,"eval_duration":369000000})"
    "\n";
constexpr std::string_view kOpenaiWhole =
    R"({"id":"chatcmpl-417","object":"chat.completion","created":1795255200,"model":"m",)"
    R"("system_fingerprint":"fp_ollama","choices":[{"index":0,"message":{"role":"assistant","content":"%i %l %d )"
    R"(The sky looks blue because air scatters short waves far more than long ones."},"finish_reason":"stop"}],)"
    R"("usage":{"prompt_tokens":26,"completion_tokens":29,"total_tokens":55}})"
    "\n";
constexpr std::string_view kOpenaiChunk =
    R"(data: {"id":"chatcmpl-417","object":"chat.completion.chunk","created":1795255200,"model":"m",)"
    R"("system_fingerprint":"fp_ollama","choices":[{"index":0,"delta":{"content":"%i%s%t"},"finish_reason":null}]})"
    "\n\n";
constexpr std::string_view kOpenaiLast =
    R"(data: {"id":"chatcmpl-417","object":"chat.completion.chunk","created":1795255200,"model":"m",)"
    R"("system_fingerprint":"fp_ollama","choices":[{"index":0,"delta":{"content":"%i%s %l %d"},)"
    R"("finish_reason":"stop"}]})"
    "\n\n"
    R"(data: {"id":"chatcmpl-417","object":"chat.completion.chunk","created":1795255200,"model":"m",)"
    R"("system_fingerprint":"fp_ollama","choices":[],"usage":{"prompt_tokens":26,"completion_tokens":29,)"
    R"("total_tokens":55}})"
    "\n\ndata: [DONE]\n\n";

}  // namespace

std::optional<std::uint64_t> read_hex(std::string_view digits) {
  std::uint64_t value = 0;
  for (const char c : digits) {
    const bool is_digit = c >= '0' && c <= '9';
    if (!is_digit && (c < 'a' || c > 'f')) return std::nullopt;
    value = value << 4 | static_cast<std::uint64_t>(is_digit ? c - '0' : c - 'a' + 10);
  }
  return value;
}

void write_tag(const Tag& tag, char* out) {
  std::memcpy(out, kTagStart.data(), kTagStart.size());
  out += kTagStart.size();
  for (const std::uint32_t value : {tag.id, tag.chunks, tag.interval_us}) {
    write_hex(value, kTagField, out);
    out[kTagField] = ' ';
    out += kTagField + 1;
  }
  out[-1] = ']';
}

std::optional<FoundTag> find_tag(std::string_view text) {
  const auto at = text.find(kTagStart);
  if (at == std::string_view::npos || text.size() - at < kTagSize) return std::nullopt;
  const auto field = [&](std::size_t number) {
    return read_hex(text.substr(at + kTagStart.size() + number * (kTagField + 1), kTagField));
  };
  const auto id = field(0), chunks = field(1), interval = field(2);
  if (!id || !chunks || !interval) return std::nullopt;
  return FoundTag{
      {static_cast<std::uint32_t>(*id), static_cast<std::uint32_t>(*chunks), static_cast<std::uint32_t>(*interval)},
      at + kTagSize};
}

Piece::Piece(std::string_view pattern) {
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] != '%') {
      text_ += pattern[i];
      continue;
    }
    const auto place = [&](std::size_t& at, std::size_t width) {
      at = text_.size();
      text_.append(width, '0');
    };
    switch (pattern[++i]) {
      case 'i': place(id_, kIdWidth); break;
      case 's': place(sequence_, kSequenceWidth); break;
      case 't': place(stamp_, kStampWidth); break;
      case 'l': place(length_, kLengthWidth); break;
      case 'd': place(digest_, kDigestWidth); break;
      default: CHECK(false);
    }
  }
  CHECK(text_.size() <= kLongestPiece);
}

void Piece::write(const Echo& echo, char* into) const {
  std::memcpy(into, text_.data(), text_.size());
  patch(echo, into);
}

void Piece::patch(const Echo& echo, char* into) const {
  if (id_ != kNone) write_hex(echo.id, kIdWidth, into + id_);
  if (sequence_ != kNone) write_hex(echo.sequence, kSequenceWidth, into + sequence_);
  if (stamp_ != kNone) write_hex(echo.stamp_us, kStampWidth, into + stamp_);
  if (length_ != kNone) write_hex(echo.body.size, kLengthWidth, into + length_);
  if (digest_ != kNone) write_hex(echo.body.digest, kDigestWidth, into + digest_);
}

std::string Piece::text(const Echo& echo) const {
  std::string result(size(), '\0');
  write(echo, result.data());
  return result;
}

const Script& script(Dialect dialect) {
  static const Script kOllama{Piece(kOllamaWhole), Piece(kOllamaChunk), Piece(kOllamaLast),
                              "application/json; charset=utf-8", "application/x-ndjson"};
  static const Script kOpenai{Piece(kOpenaiWhole), Piece(kOpenaiChunk), Piece(kOpenaiLast),
                              "application/json; charset=utf-8", "text/event-stream"};
  return dialect == Dialect::ollama ? kOllama : kOpenai;
}

}  // namespace drover::bench
