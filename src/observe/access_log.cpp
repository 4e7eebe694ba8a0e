#include "observe/access_log.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/go_json.h"
#include "api/json_text.h"

namespace drover::observe {
namespace {

// What a terminal or a viewer could take for a command: C1 controls, line separators, and the marks and overrides that
// turn the direction of text around (CVE-2021-42574).
bool is_steering(std::uint32_t code_point) {
  return (code_point >= 0x80 && code_point <= 0x9f) || code_point == 0x61c || code_point == 0x200e ||
         code_point == 0x200f || (code_point >= 0x2028 && code_point <= 0x202e) ||
         (code_point >= 0x2066 && code_point <= 0x2069) || code_point == 0xfeff;
}

// Of a valid sequence beyond ASCII.
std::uint32_t code_point(const char* at, std::size_t length) {
  std::uint32_t value = static_cast<unsigned char>(*at) & (0xffU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) value = value << 6 | (static_cast<unsigned char>(at[i]) & 0x3fU);
  return value;
}

void append_unicode_escape(std::string& out, std::uint32_t unit) {
  fmt::format_to(std::back_inserter(out), "\\u{:04x}", unit);
}

void append_string(std::string& out, std::string_view text) {
  out += '"';
  const char* at = text.data();
  const char* const end = at + text.size();
  while (true) {
    const char* const stop = std::find(at, api::skip_plain(at, end), '\x7f');
    out.append(at, stop);
    at = stop;
    if (at == end) break;
    const auto byte = static_cast<unsigned char>(*at);
    if (byte == '"' || byte == '\\') {
      out += '\\';
      out += *at++;
    } else if (byte < 0x80) {
      append_unicode_escape(out, byte);
      ++at;
    } else if (const std::size_t length = api::utf8_length(at, end); length == 0) {
      append_unicode_escape(out, 0xfffd);
      ++at;
    } else {
      const std::uint32_t character = code_point(at, length);
      if (is_steering(character)) {
        append_unicode_escape(out, character);  // none of them is beyond 0xffff
      } else {
        out.append(at, length);
      }
      at += length;
    }
  }
  out += '"';
}

// Writes the members of one object in the order of the calls.
class Line {
 public:
  explicit Line(std::string& out) : out_(out) {}

  void time(std::string_view key, Wall value) {
    begin(key);
    out_ += '"';
    api::append_go_time(out_, value);
    out_ += '"';
  }
  void text(std::string_view key, std::string_view value) {
    if (value.empty()) return;
    begin(key);
    append_string(out_, value);
  }
  void number(std::string_view key, std::uint64_t value) {
    begin(key);
    append_number(value);
  }
  void number(std::string_view key, const std::optional<std::uint64_t>& value) {
    if (value) number(key, *value);
  }
  void flag(std::string_view key, bool value) {
    begin(key);
    out_ += value ? "true" : "false";
  }
  // With three decimals.
  void milliseconds(std::string_view key, const std::optional<Duration>& value) {
    if (!value) return;
    begin(key);
    const std::uint64_t us = count(*value) / 1000;
    append_number(us / 1000);
    const std::uint64_t rest = us % 1000;
    for (const char digit : {'.', static_cast<char>('0' + rest / 100), static_cast<char>('0' + rest / 10 % 10),
                             static_cast<char>('0' + rest % 10)}) {
      out_ += digit;
    }
  }
  void nanoseconds(std::string_view key, Duration value) { number(key, count(value)); }
  void end() { out_ += "}\n"; }

 private:
  // A clock never goes back, but a difference of two of a node's own figures may.
  static std::uint64_t count(Duration value) {
    return static_cast<std::uint64_t>(std::max(value, Duration::zero()).count());
  }
  void begin(std::string_view key) {
    out_ += first_ ? "{\"" : ",\"";
    first_ = false;
    out_ += key;
    out_ += "\":";
  }
  void append_number(std::uint64_t value) {
    const fmt::format_int digits(value);
    out_.append(digits.data(), digits.size());
  }

  std::string& out_;
  bool first_ = true;
};

std::string_view name(api::Dialect dialect) {
  switch (dialect) {
    case api::Dialect::ollama: return "ollama";
    case api::Dialect::openai: return "openai";
    case api::Dialect::anthropic: return "anthropic";
  }
  return "";
}

}  // namespace

void append_access_line(std::string& out, const AccessRecord& record) {
  Line line(out);
  line.time("@timestamp", record.time);
  line.text("http.request.id", record.request_id);
  line.text("source.ip", record.client);
  line.text("http.request.method", record.method);
  line.text("http.route", record.route);
  line.number("http.response.status_code", static_cast<std::uint64_t>(std::max(record.status, 0)));
  line.text("drover.outcome", name(record.outcome));
  if (record.reason) line.text("drover.reason", api::slug(*record.reason));
  if (record.dialect) line.text("drover.dialect", name(*record.dialect));
  line.text("gen_ai.request.model", record.model);
  line.text("drover.node", record.node);
  line.text("drover.picked", record.picked);
  line.number("drover.attempts", record.attempts);
  line.flag("drover.stream", record.stream);
  line.nanoseconds("event.duration", record.total);
  line.milliseconds("drover.queue_ms", record.queue);
  line.milliseconds("drover.load_ms", record.load);
  line.milliseconds("drover.prefill_ms", record.prefill);
  line.milliseconds("drover.decode_ms", record.decode);
  line.milliseconds("drover.overhead_ms", record.overhead);
  line.milliseconds("drover.first_byte_ms", record.first_byte);
  line.number("http.request.body.bytes", record.received.value);
  line.number("http.response.body.bytes", record.sent.value);
  line.number("gen_ai.usage.input_tokens", record.prompt_tokens);
  line.number("gen_ai.usage.cache_read.input_tokens", record.cached_tokens);
  line.number("gen_ai.usage.output_tokens", record.completion_tokens);
  line.end();
}

}  // namespace drover::observe
