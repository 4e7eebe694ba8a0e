#pragma once
// Reads one JSON document as its bytes arrive: strict grammar (RFC 8259), Go's words for what is wrong, and no
// document. A listener hears of the few members it asked for; what it does not want is skipped at the speed of the
// memory.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "api/span.h"

namespace drover::api {

inline constexpr std::size_t kMaxJsonDepth = 64;
inline constexpr std::size_t kMaxInterestDepth = 7;  // containers inside one another that a listener can ask for

enum class JsonKind : std::uint8_t { null, off, on, number, string, array, object };

// Text of a key or value, unescaped as Go does it: half a surrogate pair becomes U+FFFD. Valid during the call only.
struct JsonText {
  static constexpr std::size_t kMaxBytes = 256;

  std::string_view text;
  bool overflow = false;   // longer than kMaxBytes: the rest is missing
  bool malformed = false;  // had half a surrogate pair
};

struct JsonValue {
  JsonKind kind;
  bool empty;        // "", [] or {}
  Span span;         // with quotes or brackets
  JsonText content;  // of a string or number, if key() asked for it
};

class JsonListener {
 public:
  // A container begins, within kMaxInterestDepth. False: nothing inside it is of interest, and nothing of it is told
  // but its end, as a value.
  virtual bool opened(JsonKind kind) = 0;
  // A container of interest ends; value() follows.
  virtual void closed() = 0;
  // A key of an object of interest; `span` has its quotes. True: tell the text of its value too.
  virtual bool key(const JsonText& key, Span span) = 0;
  // A value in a container of interest, or the whole document, has ended.
  virtual void value(const JsonValue& value) = 0;
  // A value in a container of interest is a string. True: raw() shall have all of it.
  virtual bool wants_raw() { return false; }
  // The bytes between the quotes as they stand there, in as many pieces as the document has; the last one may be empty.
  virtual void raw(std::string_view, [[maybe_unused]] bool last) {}

 protected:
  ~JsonListener() = default;
};

// Cost: O(bytes), no allocation, no recursion. Memory: about 500 bytes.
class JsonReader {
 public:
  enum class Fault : std::uint8_t { none, syntax, depth };

  // The next piece, cut anywhere. False: the document is refused, fault() and message() say why; feed no more.
  bool feed(std::string_view piece, JsonListener& listener);

  Fault fault() const { return fault_; }
  const std::string& message() const { return message_; }
  // Something other than blanks has come.
  bool begun() const { return state_ != State::value || depth_ > 0; }
  // The document is whole. (A number by itself never is, since more digits may come.)
  bool complete() const { return state_ == State::done; }
  // Ready for another document; offsets start at zero again.
  void reset();

 private:
  // What must come next.
  enum class State : std::uint8_t {
    value,         // any value
    value_or_end,  // behind '['
    key,           // behind ',' in an object
    key_or_end,    // behind '{'
    colon,
    after_value,  // ',' or the end of the container
    done,         // nothing but blanks
    string,
    escape,        // behind a backslash
    hex,           // the digits of \u
    continuation,  // the rest of a character beyond ASCII
    literal,       // the rest of true, false or null
    minus,         // the states of a number are those of Go's scanner
    zero,
    digits,
    point,
    fraction,
    exponent,
    exponent_sign,
    exponent_digits,
  };
  struct Cursor;   // where we are in the piece at hand, and who listens
  struct Literal;  // true, false and null

  struct Capture {
    std::array<char, JsonText::kMaxBytes> bytes;
    std::size_t size = 0;
    bool overflow = false;
    bool malformed = false;

    JsonText get() const { return {{bytes.data(), size}, overflow, malformed}; }
    void clear() { size = 0, overflow = false, malformed = false; }
    void append(const char* from, const char* to);
    void push_back(char c) { append(&c, &c + 1); }
  };

  bool in_object() const { return (objects_ & 1) != 0; }
  bool of_interest() const { return depth_ <= interest_depth_; }

  // The way of nearly every byte is one loop, with no calls but those of the listener; what is rare stays out of it.
  [[gnu::always_inline]] void step(Cursor& cursor);
  [[gnu::always_inline]] void scan_value(Cursor& cursor);
  [[gnu::always_inline]] void scan_key(Cursor& cursor);
  [[gnu::always_inline]] void scan_after_value(Cursor& cursor);
  [[gnu::always_inline]] void open(Cursor& cursor, JsonKind kind);
  [[gnu::always_inline]] void close(Cursor& cursor, bool empty);
  [[gnu::always_inline]] void begin_string(Cursor& cursor, bool is_key);
  [[gnu::always_inline]] void string_ended(Cursor& cursor, bool is_key, const JsonText& text);
  [[gnu::always_inline]] void begin_literal(Cursor& cursor, const Literal& literal);
  [[gnu::always_inline]] void begin_number(Cursor& cursor);
  [[gnu::always_inline]] static bool take_integer(Cursor& cursor);
  [[gnu::always_inline]] static JsonText plain_text(const char* begin, const char* end);
  [[gnu::always_inline]] void scalar_ended(Cursor& cursor, JsonKind kind, bool empty, const JsonText& text);

  [[gnu::noinline]] void scan_string(Cursor& cursor);
  bool take_plain_escapes(Cursor& cursor);
  bool take_whole_characters(Cursor& cursor);
  [[gnu::noinline]] void begin_character(Cursor& cursor);
  [[gnu::noinline]] void scan_escape(Cursor& cursor);
  [[gnu::noinline]] void scan_hex(Cursor& cursor);
  [[gnu::noinline]] void scan_continuation(Cursor& cursor);
  [[gnu::noinline]] void scan_literal(Cursor& cursor);
  [[gnu::noinline]] void scan_number(Cursor& cursor);

  void value_ended() { state_ = depth_ == 0 ? State::done : State::after_value; }
  [[gnu::noinline]] void take_code_unit(std::uint32_t unit);
  // The other half did not come.
  void flush_surrogate() {
    if (high_surrogate_ != 0) replace_surrogate();
  }
  [[gnu::cold]] void replace_surrogate();

  [[gnu::cold]] void refuse(Cursor& cursor, Fault fault, std::string message);
  [[gnu::cold]] void refuse_depth(Cursor& cursor);
  [[gnu::cold]] void refuse_character(Cursor& cursor, std::string_view where);

  State state_ = State::value;
  Fault fault_ = Fault::none;
  std::string message_;
  std::uint64_t offset_ = 0;  // of the piece at hand in the document

  std::size_t depth_ = 0;           // open containers
  std::size_t interest_depth_ = 0;  // those up to here are of interest; 0 is the outside
  std::uint64_t objects_ = 0;       // a bit for each open container, the innermost lowest: it is an object
  std::array<std::uint64_t, kMaxInterestDepth + 1> opened_at_;  // of those that will be told

  std::uint64_t token_at_ = 0;  // where the scalar or key at hand begins
  bool string_is_key_ = false;
  bool capturing_ = false;
  bool raw_ = false;           // the listener gets the string at hand as it stands
  bool capture_next_ = false;  // the listener wants the text of the value to come
  Capture capture_;
  std::uint8_t more_ = 0;  // bytes of a character still to come; the next one within [low_, high_]
  std::uint8_t low_ = 0;
  std::uint8_t high_ = 0;
  std::uint8_t hex_count_ = 0;
  std::uint32_t hex_value_ = 0;
  std::uint32_t high_surrogate_ = 0;  // of a captured text, waiting for its other half; 0: none
  const Literal* literal_ = nullptr;
  std::size_t literal_at_ = 0;
};

}  // namespace drover::api
