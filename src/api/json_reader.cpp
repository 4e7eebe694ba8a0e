#include "api/json_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "api/json_text.h"
#include "api/string_content.h"
#include "base/ascii.h"

namespace drover::api {
namespace {

constexpr bool is_blank(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

constexpr int hex_digit(char c) {
  if (ascii::is_digit(c)) return c - '0';
  const char low = ascii::lower(c);
  return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

// A whole `\u00e9`.
bool begins_with_code_unit(std::string_view text) {
  return text.size() >= 6 && text.starts_with("\\u") &&
         std::ranges::all_of(text.substr(2, 4), [](char c) { return hex_digit(c) >= 0; });
}

constexpr bool is_high_surrogate(std::uint32_t unit) { return unit >= 0xd800 && unit < 0xdc00; }
constexpr bool is_low_surrogate(std::uint32_t unit) { return unit >= 0xdc00 && unit < 0xe000; }
constexpr std::uint32_t kReplacement = 0xfffd;

// A byte between quotes as Go's messages show it: it reads the byte as a Latin-1 character.
std::string quoted(char c) {
  const auto byte = static_cast<unsigned char>(c);
  switch (c) {
    case '\'': return R"('\'')";
    case '"': return R"('"')";
    case '\\': return R"('\\')";
    case '\a': return R"('\a')";
    case '\b': return R"('\b')";
    case '\f': return R"('\f')";
    case '\n': return R"('\n')";
    case '\r': return R"('\r')";
    case '\t': return R"('\t')";
    case '\v': return R"('\v')";
    default: break;
  }
  if (byte < 0x20 || byte == 0x7f) return fmt::format(R"('\x{:02x}')", byte);
  if (byte < 0x7f) return fmt::format("'{}'", c);
  if (byte <= 0xa0 || byte == 0xad) return fmt::format(R"('\u{:04x}')", byte);
  std::string text = "'";
  append_utf8(text, byte);
  return text + "'";
}

}  // namespace

struct JsonReader::Literal {
  std::string_view text;
  JsonKind kind;
};

struct JsonReader::Cursor {
  Cursor(std::string_view piece, std::uint64_t offset_of_piece, JsonListener& its_listener)
      : at(piece.data()),
        end(at + piece.size()),
        raw_from(at),
        shift(offset_of_piece - reinterpret_cast<std::uintptr_t>(at)),
        listener(its_listener) {}

  const char* at;
  const char* end;
  const char* raw_from;  // what of a raw string is here begins there
  std::uint64_t shift;   // from an address in the piece to the offset in the document
  JsonListener& listener;

  bool more() const { return at != end; }
  std::string_view rest() const { return {at, end}; }
  std::uint64_t offset() const { return reinterpret_cast<std::uintptr_t>(at) + shift; }
  // To the next byte that is no blank. False: there is none here.
  bool skip_blanks() {
    const char* next = at;
    while (next != end && is_blank(*next)) ++next;
    at = next;
    return next != end;
  }
};

void JsonReader::Capture::append(const char* from, const char* to) {
  const auto wanted = static_cast<std::size_t>(to - from);
  const auto taken = std::min(wanted, bytes.size() - size);
  std::memcpy(bytes.data() + size, from, taken);
  size += taken;
  overflow |= taken < wanted;
}

void JsonReader::reset() {
  state_ = State::value;
  fault_ = Fault::none;
  offset_ = 0;
  depth_ = 0;
  interest_depth_ = 0;
  capturing_ = capture_next_ = raw_ = false;
  high_surrogate_ = 0;
}

bool JsonReader::feed(std::string_view piece, JsonListener& listener) {
  if (fault_ != Fault::none) return false;
  Cursor cursor(piece, offset_, listener);
  while (cursor.more()) step(cursor);
  offset_ += piece.size();
  if (raw_ && fault_ == Fault::none) listener.raw({cursor.raw_from, cursor.end}, false);
  return fault_ == Fault::none;
}

// Text that needs no decoding, where it stands.
JsonText JsonReader::plain_text(const char* begin, const char* end) {
  const std::string_view whole(begin, end);
  return {whole.substr(0, JsonText::kMaxBytes), whole.size() > JsonText::kMaxBytes, false};
}

// Reads as much as one state can; there is at least one byte. A member that is here whole, from its key to what follows
// its value, is one step.
void JsonReader::step(Cursor& cursor) {
  switch (state_) {
    case State::key:
    case State::key_or_end:
      scan_key(cursor);
      if (state_ != State::value) return;
      [[fallthrough]];
    case State::value:
    case State::value_or_end:
      scan_value(cursor);
      if (state_ != State::after_value) return;
      [[fallthrough]];
    case State::after_value: return scan_after_value(cursor);
    case State::colon:
      if (!cursor.skip_blanks()) return;
      if (*cursor.at != ':') return refuse_character(cursor, "after object key");
      ++cursor.at;
      state_ = State::value;
      return;
    case State::done:
      if (cursor.skip_blanks()) refuse_character(cursor, "after top-level value");
      return;
    case State::string: return scan_string(cursor);
    case State::escape: return scan_escape(cursor);
    case State::hex: return scan_hex(cursor);
    case State::continuation: return scan_continuation(cursor);
    case State::literal: return scan_literal(cursor);
    case State::minus:
    case State::zero:
    case State::digits:
    case State::point:
    case State::fraction:
    case State::exponent:
    case State::exponent_sign:
    case State::exponent_digits: return scan_number(cursor);
  }
}

void JsonReader::scan_value(Cursor& cursor) {
  static constexpr Literal kTrue{"true", JsonKind::on};
  static constexpr Literal kFalse{"false", JsonKind::off};
  static constexpr Literal kNull{"null", JsonKind::null};
  if (!cursor.skip_blanks()) return;
  const char c = *cursor.at;
  switch (c) {
    case '"': return begin_string(cursor, false);
    case '{': return open(cursor, JsonKind::object);
    case '[': return open(cursor, JsonKind::array);
    case 't': return begin_literal(cursor, kTrue);
    case 'f': return begin_literal(cursor, kFalse);
    case 'n': return begin_literal(cursor, kNull);
    case ']':
      if (state_ == State::value_or_end) return close(cursor, true);
      break;
    default:
      if (c != '-' && !ascii::is_digit(c)) break;
      return begin_number(cursor);
  }
  refuse_character(cursor, "looking for beginning of value");
}

void JsonReader::scan_key(Cursor& cursor) {
  if (!cursor.skip_blanks()) return;
  if (*cursor.at == '"') return begin_string(cursor, true);
  if (*cursor.at == '}' && state_ == State::key_or_end) return close(cursor, true);
  refuse_character(cursor, "looking for beginning of object key string");
}

void JsonReader::scan_after_value(Cursor& cursor) {
  while (state_ == State::after_value && cursor.skip_blanks()) {
    const char c = *cursor.at;
    if (c == ',') {
      ++cursor.at;
      state_ = in_object() ? State::key : State::value;
    } else if (c == (in_object() ? '}' : ']')) {
      close(cursor, false);
    } else {
      refuse_character(cursor, in_object() ? "after object key:value pair" : "after array element");
    }
  }
}

void JsonReader::open(Cursor& cursor, JsonKind kind) {
  if (depth_ == kMaxJsonDepth) return refuse_depth(cursor);
  const bool told = of_interest();
  if (told) opened_at_[depth_] = cursor.offset();
  objects_ = objects_ << 1 | (kind == JsonKind::object ? 1U : 0U);
  ++depth_;
  ++cursor.at;
  capture_next_ = false;
  state_ = kind == JsonKind::object ? State::key_or_end : State::value_or_end;
  if (told && depth_ <= kMaxInterestDepth && cursor.listener.opened(kind)) interest_depth_ = depth_;
}

void JsonReader::close(Cursor& cursor, bool empty) {
  const JsonKind kind = in_object() ? JsonKind::object : JsonKind::array;
  if (of_interest()) cursor.listener.closed();
  ++cursor.at;
  objects_ >>= 1;
  --depth_;
  value_ended();
  interest_depth_ = std::min(interest_depth_, depth_);
  if (!of_interest()) return;
  const std::uint64_t begin = opened_at_[depth_];
  cursor.listener.value({kind, empty, {begin, cursor.offset() - begin}, {}});
}

void JsonReader::begin_string(Cursor& cursor, bool is_key) {
  token_at_ = cursor.offset();
  capturing_ = is_key ? of_interest() : std::exchange(capture_next_, false);
  ++cursor.at;
  raw_ = !is_key && of_interest() && cursor.listener.wants_raw();
  cursor.raw_from = cursor.at;

  const char* const begin = cursor.at;
  cursor.at = skip_plain(begin, cursor.end);
  // Most are here whole with nothing to unescape, and need no copy.
  if (cursor.more() && *cursor.at == '"') return string_ended(cursor, is_key, plain_text(begin, cursor.at));
  string_is_key_ = is_key;
  capture_.clear();
  if (capturing_) capture_.append(begin, cursor.at);
  state_ = State::string;
}

void JsonReader::scan_string(Cursor& cursor) {
  while (true) {
    const char* const run = cursor.at;
    cursor.at = capturing_ ? skip_plain(run, cursor.end) : skip_content(run, cursor.end);
    if (capturing_ && cursor.at != run) {
      flush_surrogate();
      capture_.append(run, cursor.at);
    }
    if (!cursor.more()) return;
    const char c = *cursor.at;
    if (c == '"') {
      flush_surrogate();
      return string_ended(cursor, string_is_key_, capture_.get());
    }
    if (c == '\\') {
      if (take_plain_escapes(cursor)) continue;
      ++cursor.at;
      state_ = State::escape;
      return;
    }
    if (static_cast<unsigned char>(c) < 0x20) return refuse_character(cursor, "in string literal");
    if (!take_whole_characters(cursor)) return begin_character(cursor);
  }
}

// `\n` and its like, and `\u00e9` if nobody wants to know what it stands for: as many as follow one another and are
// here whole. False: none, left for scan_escape.
bool JsonReader::take_plain_escapes(Cursor& cursor) {
  const char* const begin = cursor.at;
  while (cursor.end - cursor.at >= 2 && *cursor.at == '\\') {
    const char c = unescaped(cursor.at[1]);
    if (c == 0) {
      if (capturing_ || !begins_with_code_unit(cursor.rest())) break;
      cursor.at += 6;
      continue;
    }
    if (capturing_) {
      flush_surrogate();
      capture_.push_back(c);
    }
    cursor.at += 2;
  }
  return cursor.at != begin;
}

// Valid characters beyond ASCII, as many as follow one another and are here whole. False: none.
bool JsonReader::take_whole_characters(Cursor& cursor) {
  const char* const begin = cursor.at;
  while (cursor.more() && static_cast<unsigned char>(*cursor.at) >= 0x80) {
    const std::size_t length = utf8_length(cursor.at, cursor.end);
    if (length == 0) break;
    cursor.at += length;
  }
  if (cursor.at == begin) return false;
  if (capturing_) {
    flush_surrogate();
    capture_.append(begin, cursor.at);
  }
  return true;
}

// A character beyond ASCII that is cut by the end of the piece, or invalid.
void JsonReader::begin_character(Cursor& cursor) {
  const Utf8Lead lead = utf8_lead(static_cast<unsigned char>(*cursor.at));
  if (lead.more == 0) return refuse(cursor, Fault::syntax, "invalid UTF-8 in string literal");
  more_ = lead.more;
  low_ = lead.low;
  high_ = lead.high;
  if (capturing_) {
    flush_surrogate();
    capture_.push_back(*cursor.at);
  }
  ++cursor.at;
  state_ = State::continuation;
}

void JsonReader::scan_escape(Cursor& cursor) {
  const char c = *cursor.at;
  if (c == 'u') {
    hex_count_ = 0;
    hex_value_ = 0;
    state_ = State::hex;
  } else {
    const char plain = unescaped(c);
    if (plain == 0) return refuse_character(cursor, "in string escape code");
    if (capturing_) {
      flush_surrogate();
      capture_.push_back(plain);
    }
    state_ = State::string;
  }
  ++cursor.at;
}

void JsonReader::scan_hex(Cursor& cursor) {
  const int digit = hex_digit(*cursor.at);
  if (digit < 0) return refuse_character(cursor, R"(in \u hexadecimal character escape)");
  ++cursor.at;
  hex_value_ = hex_value_ << 4 | static_cast<std::uint32_t>(digit);
  if (++hex_count_ < 4) return;
  if (capturing_) take_code_unit(hex_value_);
  state_ = State::string;
}

void JsonReader::take_code_unit(std::uint32_t unit) {
  if (high_surrogate_ != 0 && is_low_surrogate(unit)) {
    const std::uint32_t high = std::exchange(high_surrogate_, 0);
    return append_utf8(capture_, 0x10000 + ((high - 0xd800) << 10) + (unit - 0xdc00));
  }
  flush_surrogate();
  if (is_high_surrogate(unit)) {
    high_surrogate_ = unit;
    return;
  }
  capture_.malformed |= is_low_surrogate(unit);
  append_utf8(capture_, is_low_surrogate(unit) ? kReplacement : unit);
}

void JsonReader::replace_surrogate() {
  high_surrogate_ = 0;
  capture_.malformed = true;
  append_utf8(capture_, kReplacement);
}

void JsonReader::scan_continuation(Cursor& cursor) {
  const auto byte = static_cast<unsigned char>(*cursor.at);
  if (byte < low_ || byte > high_) return refuse(cursor, Fault::syntax, "invalid UTF-8 in string literal");
  if (capturing_) capture_.push_back(*cursor.at);
  ++cursor.at;
  low_ = 0x80;
  high_ = 0xbf;
  if (--more_ == 0) state_ = State::string;
}

void JsonReader::string_ended(Cursor& cursor, bool is_key, const JsonText& text) {
  if (std::exchange(raw_, false)) cursor.listener.raw({cursor.raw_from, cursor.at}, true);
  ++cursor.at;
  const Span span{token_at_, cursor.offset() - token_at_};
  if (!is_key) return scalar_ended(cursor, JsonKind::string, span.length == 2, text);
  state_ = State::colon;
  if (of_interest()) capture_next_ = cursor.listener.key(text, span);
  if (!cursor.more() || *cursor.at != ':') return;
  ++cursor.at;  // nearly always right behind the key
  state_ = State::value;
}

void JsonReader::begin_literal(Cursor& cursor, const Literal& literal) {
  token_at_ = cursor.offset();
  capturing_ = capture_next_ = false;
  if (cursor.rest().starts_with(literal.text)) {
    cursor.at += literal.text.size();
    return scalar_ended(cursor, literal.kind, false, {});
  }
  literal_ = &literal;
  literal_at_ = 1;
  ++cursor.at;
  state_ = State::literal;
}

void JsonReader::scan_literal(Cursor& cursor) {
  const char expected = literal_->text[literal_at_];
  if (*cursor.at != expected) {
    return refuse_character(cursor, fmt::format("in literal {} (expecting '{}')", literal_->text, expected));
  }
  ++cursor.at;
  if (++literal_at_ == literal_->text.size()) scalar_ended(cursor, literal_->kind, false, {});
}

void JsonReader::begin_number(Cursor& cursor) {
  token_at_ = cursor.offset();
  capturing_ = std::exchange(capture_next_, false);
  const char* const begin = cursor.at++;
  if (*begin != '-' && take_integer(cursor)) {
    return scalar_ended(cursor, JsonKind::number, false, plain_text(begin, cursor.at));
  }
  capture_.clear();
  if (capturing_) capture_.push_back(*begin);
  state_ = *begin == '-' ? State::minus : *begin == '0' ? State::zero : State::digits;
}

// The digits behind the first, if they are all here and nothing but an integer. False: left for scan_number.
bool JsonReader::take_integer(Cursor& cursor) {
  const char* at = cursor.at;
  if (at[-1] != '0') at = std::find_if_not(at, cursor.end, ascii::is_digit);
  if (at == cursor.end || *at == '.' || *at == 'e' || *at == 'E') return false;
  cursor.at = at;
  return true;
}

void JsonReader::scan_number(Cursor& cursor) {
  const char* run = cursor.at;  // what has not been captured yet
  const auto number_ended = [&] {
    if (capturing_) capture_.append(run, cursor.at);
    scalar_ended(cursor, JsonKind::number, false, capture_.get());
  };
  const auto skip_to_last_digit = [&] { cursor.at = skip_digits(cursor.at, cursor.end) - 1; };
  for (; cursor.more(); ++cursor.at) {
    const char c = *cursor.at;
    const bool digit = ascii::is_digit(c);
    const bool exponent = c == 'e' || c == 'E';
    switch (state_) {
      case State::digits:
        if (digit) {
          skip_to_last_digit();
          continue;
        }
        [[fallthrough]];
      case State::zero:
        if (c != '.' && !exponent) return number_ended();
        state_ = exponent ? State::exponent : State::point;
        break;
      case State::fraction:
        if (digit) {
          skip_to_last_digit();
          continue;
        }
        if (!exponent) return number_ended();
        state_ = State::exponent;
        break;
      case State::exponent_digits:
        if (!digit) return number_ended();
        skip_to_last_digit();
        break;
      case State::minus:
        if (!digit) return refuse_character(cursor, "in numeric literal");
        state_ = c == '0' ? State::zero : State::digits;
        break;
      case State::point:
        if (!digit) return refuse_character(cursor, "after decimal point in numeric literal");
        state_ = State::fraction;
        break;
      case State::exponent:
        if (c == '+' || c == '-') {
          state_ = State::exponent_sign;
          break;
        }
        [[fallthrough]];
      default:  // exponent_sign
        if (!digit) return refuse_character(cursor, "in exponent of numeric literal");
        state_ = State::exponent_digits;
    }
  }
  if (capturing_) capture_.append(run, cursor.at);
}

void JsonReader::scalar_ended(Cursor& cursor, JsonKind kind, bool empty, const JsonText& text) {
  value_ended();
  if (!of_interest()) return;
  const JsonText content = capturing_ ? text : JsonText{};
  capturing_ = false;
  cursor.listener.value({kind, empty, {token_at_, cursor.offset() - token_at_}, content});
}

void JsonReader::refuse(Cursor& cursor, Fault fault, std::string message) {
  cursor.at = cursor.end;  // nothing more is read
  fault_ = fault;
  message_ = std::move(message);
}

void JsonReader::refuse_depth(Cursor& cursor) {
  refuse(cursor, Fault::depth, fmt::format("JSON nested deeper than {}", kMaxJsonDepth));
}

void JsonReader::refuse_character(Cursor& cursor, std::string_view where) {
  refuse(cursor, Fault::syntax, fmt::format("invalid character {} {}", quoted(*cursor.at), where));
}

}  // namespace drover::api
