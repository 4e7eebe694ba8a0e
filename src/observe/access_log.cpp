#include "observe/access_log.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "api/go_json.h"
#include "api/json_text.h"
#include "base/check.h"

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

// One byte becomes so many at most: \u001b.
constexpr std::size_t kMostEscaped = 6;

constexpr char kDigits[] = "0123456789abcdef";

char* write_unicode_escape(char* to, std::uint32_t unit) {
  *to++ = '\\';
  *to++ = 'u';
  for (int shift = 12; shift >= 0; shift -= 4) *to++ = kDigits[unit >> shift & 0xf];
  return to;
}

// By byte: may it stand as it is? Texts here are short, so that a look at each byte beats setting up wider steps.
constexpr auto kHarmless = [] {
  std::array<bool, 256> harmless{};
  for (unsigned char byte = ' '; byte < 0x7f; ++byte) harmless[byte] = byte != '"' && byte != '\\';
  return harmless;
}();

char* write_escaped(char* to, std::string_view text) {
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at != end) {
    const auto byte = static_cast<unsigned char>(*at);
    if (kHarmless[byte]) {
      *to++ = *at++;
    } else if (byte == '"' || byte == '\\') {
      *to++ = '\\';
      *to++ = *at++;
    } else if (byte < 0x80) {
      to = write_unicode_escape(to, byte);
      ++at;
    } else if (const std::size_t length = api::utf8_length(at, end); length == 0) {
      to = write_unicode_escape(to, 0xfffd);
      ++at;
    } else {
      const std::uint32_t character = code_point(at, length);
      // None that steers is beyond 0xffff.
      to = is_steering(character) ? write_unicode_escape(to, character) : std::copy_n(at, length, to);
      at += length;
    }
  }
  return to;
}

// A field is at most so long, but for what a text in it takes.
constexpr std::size_t kMostKey = 48;  // with its comma, quotes and colon
constexpr std::size_t kMostValue = 32;
constexpr std::size_t kMostField = kMostKey + kMostValue;
constexpr std::size_t kFields = 33;           // with the end
constexpr std::size_t kHash = 16;             // digits of one
constexpr std::size_t kMostHash = kHash + 3;  // with its quotes and comma

// Writes the members of one object in the order of the calls, into room made for the whole line: strings that grow by
// pieces would cost more than what is written. A key comes with its punctuation, `,"name":`, to be copied at once.
class Line {
 public:
  Line(char* begin, const char* end) : at_(begin), end_(end) {}

  template <std::size_t size>
  void time(const char (&key)[size], Wall value) {
    begin(key);
    *at_++ = '"';
    at_ = api::write_go_time(at_, value);
    *at_++ = '"';
  }
  template <std::size_t size>
  void text(const char (&key)[size], std::string_view value) {
    if (value.empty()) return;
    begin(key, kMostEscaped * value.size());
    *at_++ = '"';
    at_ = write_escaped(at_, value);
    *at_++ = '"';
  }
  // One of our own names: nothing in it to escape.
  template <std::size_t size>
  void word(const char (&key)[size], std::string_view value) {
    if (value.empty()) return;
    begin(key, value.size());
    *at_++ = '"';
    write(value);
    *at_++ = '"';
  }
  template <std::size_t size>
  void number(const char (&key)[size], std::uint64_t value) {
    begin(key);
    write_number(value);
  }
  template <std::size_t size>
  void number(const char (&key)[size], const std::optional<std::uint64_t>& value) {
    if (value) number(key, *value);
  }
  template <std::size_t size>
  void hash(const char (&key)[size], const std::optional<std::uint64_t>& value) {
    if (!value) return;
    begin(key);
    write_hash(*value);
  }
  template <std::size_t size>
  void hashes(const char (&key)[size], std::span<const std::uint64_t> values) {
    if (values.empty()) return;
    begin(key, kMostHash * values.size());
    for (char before = '['; const std::uint64_t value : values) {
      *at_++ = std::exchange(before, ',');
      write_hash(value);
    }
    *at_++ = ']';
  }
  template <std::size_t size>
  void flag(const char (&key)[size], bool value) {
    begin(key);
    write(value ? std::string_view("true") : std::string_view("false"));
  }
  // With three decimals.
  template <std::size_t size>
  void milliseconds(const char (&key)[size], const std::optional<Duration>& value) {
    if (!value) return;
    begin(key);
    const std::uint64_t us = count(*value) / 1000;
    write_number(us / 1000);
    const auto rest = static_cast<unsigned>(us % 1000);
    *at_++ = '.';
    *at_++ = static_cast<char>('0' + rest / 100);
    *at_++ = static_cast<char>('0' + rest / 10 % 10);
    *at_++ = static_cast<char>('0' + rest % 10);
  }
  template <std::size_t size>
  void nanoseconds(const char (&key)[size], Duration value) {
    number(key, count(value));
  }
  char* end() {
    begin("}\n");
    return at_;
  }

 private:
  // A clock never goes back, but a difference of two of a node's own figures may.
  static std::uint64_t count(Duration value) {
    return static_cast<std::uint64_t>(std::max(value, Duration::zero()).count());
  }
  template <std::size_t size>
  void begin(const char (&key)[size], std::size_t text = 0) {
    static_assert(size <= kMostKey);
    CHECK(static_cast<std::size_t>(end_ - at_) >= kMostField + text);
    write({key, size - 1});
  }
  void write(std::string_view text) { at_ = std::copy(text.begin(), text.end(), at_); }
  void write_number(std::uint64_t value) { at_ = std::to_chars(at_, at_ + kMostValue, value).ptr; }
  // As text: a number of 64 bits is more than most readers of JSON can hold.
  void write_hash(std::uint64_t value) {
    *at_++ = '"';
    for (std::size_t digit = kHash; digit-- > 0;) *at_++ = kDigits[value >> 4 * digit & 0xf];
    *at_++ = '"';
  }

  char* at_;
  const char* const end_;
};
static_assert(kMostValue >= api::kMostGoTime + 2);

std::string_view name(api::Dialect dialect) {
  switch (dialect) {
    case api::Dialect::ollama: return "ollama";
    case api::Dialect::openai: return "openai";
    case api::Dialect::anthropic: return "anthropic";
  }
  return "";
}

// All that a line may take.
std::size_t most_bytes(const AccessRecord& record) {
  std::size_t text = 0;
  for (const std::string_view value :
       {record.request_id, record.client, record.method, record.route, record.model, record.served_model,
        record.fell_back_from, record.node, record.picked, record.tenant}) {
    text += value.size();
  }
  return kFields * kMostField + kMostEscaped * text + kMostHash * record.prefix_hashes.size();
}

char* write_line(char* begin, const char* end, const AccessRecord& record) {
  Line line(begin, end);
  line.time(R"({"@timestamp":)", record.time);
  line.text(R"(,"http.request.id":)", record.request_id);
  line.text(R"(,"source.ip":)", record.client);
  line.text(R"(,"http.request.method":)", record.method);
  line.word(R"(,"http.route":)", record.route);
  line.number(R"(,"http.response.status_code":)", static_cast<std::uint64_t>(std::max(record.status, 0)));
  line.word(R"(,"drover.outcome":)", observe::name(record.outcome));
  if (record.reason) line.word(R"(,"drover.reason":)", api::slug(*record.reason));
  if (record.dialect) line.word(R"(,"drover.dialect":)", name(*record.dialect));
  line.text(R"(,"gen_ai.request.model":)", record.model);
  line.text(R"(,"gen_ai.response.model":)", record.served_model);
  line.text(R"(,"drover.fallback":)", record.fell_back_from);
  line.text(R"(,"drover.node":)", record.node);
  line.word(R"(,"drover.picked":)", record.picked);
  line.text(R"(,"drover.tenant":)", record.tenant);
  line.number(R"(,"drover.attempts":)", record.attempts);
  line.flag(R"(,"drover.stream":)", record.stream);
  line.nanoseconds(R"(,"event.duration":)", record.total);
  line.milliseconds(R"(,"drover.queue_ms":)", record.queue);
  line.milliseconds(R"(,"drover.expected_queue_ms":)", record.expected_queue);
  line.milliseconds(R"(,"drover.load_ms":)", record.load);
  line.milliseconds(R"(,"drover.prefill_ms":)", record.prefill);
  line.milliseconds(R"(,"drover.decode_ms":)", record.decode);
  line.milliseconds(R"(,"drover.overhead_ms":)", record.overhead);
  line.milliseconds(R"(,"drover.first_byte_ms":)", record.first_byte);
  line.number(R"(,"http.request.body.bytes":)", record.received.value);
  line.number(R"(,"http.response.body.bytes":)", record.sent.value);
  line.number(R"(,"gen_ai.usage.input_tokens":)", record.prompt_tokens);
  line.number(R"(,"gen_ai.usage.cache_read.input_tokens":)", record.cached_tokens);
  line.number(R"(,"gen_ai.usage.output_tokens":)", record.completion_tokens);
  line.hash(R"(,"drover.session":)", record.session);
  line.hashes(R"(,"drover.prefix_hashes":)", record.prefix_hashes);
  return line.end();
}

}  // namespace

void append_access_line(std::string& out, const AccessRecord& record) {
  const std::size_t before = out.size();
  out.resize_and_overwrite(before + most_bytes(record), [&](char* text, std::size_t size) {
    return static_cast<std::size_t>(write_line(text + before, text + size, record) - text);
  });
}

}  // namespace drover::observe
