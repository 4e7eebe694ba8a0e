#include "api/go_json.h"

#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <cmath>

#include "api/json_text.h"
#include "base/check.h"

namespace drover::api {
namespace {

constexpr std::string_view kLineSeparators = "\xe2\x80\xa8\xe2\x80\xa9";  // U+2028 and U+2029

bool is_html(char c) { return c == '<' || c == '>' || c == '&'; }

// The first byte that Go would not copy as it is.
const char* skip_copied(const char* at, const char* end) {
  const char* stop = skip_plain(at, end);
  while (at != stop && !is_html(*at)) ++at;
  return at;
}

void append_escape(std::string& out, char c) {
  switch (c) {
    case '"': out += "\\\""; return;
    case '\\': out += "\\\\"; return;
    case '\b': out += "\\b"; return;
    case '\f': out += "\\f"; return;
    case '\n': out += "\\n"; return;
    case '\r': out += "\\r"; return;
    case '\t': out += "\\t"; return;
    default: fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned char>(c));
  }
}

char* write_two_digits(char* to, unsigned value) {
  *to++ = static_cast<char>('0' + value / 10);
  *to++ = static_cast<char>('0' + value % 10);
  return to;
}

// Of a second: nothing for none of it, else up to nine digits without trailing zeros.
char* write_fraction(char* to, std::uint32_t nanoseconds) {
  if (nanoseconds == 0) return to;
  constexpr int kDigits = 9;
  *to++ = '.';
  for (int i = kDigits - 1; i >= 0; --i) {
    to[i] = static_cast<char>('0' + nanoseconds % 10);
    nanoseconds /= 10;
  }
  to += kDigits;
  while (to[-1] == '0') --to;
  return to;
}

}  // namespace

void append_go_string(std::string& out, std::string_view text) {
  out += '"';
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at != end) {
    const char* const stop = skip_copied(at, end);
    out.append(at, stop);
    at = stop;
    if (at == end) break;
    if (static_cast<unsigned char>(*at) < 0x80) {
      append_escape(out, *at++);
      continue;
    }
    const std::size_t length = utf8_length(at, end);
    if (length == 0) {
      out += "\\ufffd";
      ++at;
      continue;
    }
    const std::string_view character(at, length);
    if (character == kLineSeparators.substr(0, 3)) {
      out += "\\u2028";
    } else if (character == kLineSeparators.substr(3)) {
      out += "\\u2029";
    } else {
      out += character;
    }
    at += length;
  }
  out += '"';
}

std::string go_string(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 2);
  append_go_string(out, text);
  return out;
}

// Digit by digit: the general formatters cost a request more than all the rest of its access line.
char* write_go_time(char* to, Wall time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  const auto year = static_cast<unsigned>(static_cast<int>(date.year()));  // nanoseconds reach from 1677 to 2262
  to = write_two_digits(to, year / 100);
  to = write_two_digits(to, year % 100);
  *to++ = '-';
  to = write_two_digits(to, static_cast<unsigned>(date.month()));
  *to++ = '-';
  to = write_two_digits(to, static_cast<unsigned>(date.day()));
  *to++ = 'T';
  to = write_two_digits(to, static_cast<unsigned>(clock.hours().count()));
  *to++ = ':';
  to = write_two_digits(to, static_cast<unsigned>(clock.minutes().count()));
  *to++ = ':';
  to = write_two_digits(to, static_cast<unsigned>(clock.seconds().count()));
  to = write_fraction(to, static_cast<std::uint32_t>(clock.subseconds().count()));
  *to++ = 'Z';
  return to;
}

void append_go_time(std::string& out, Wall time) {
  char text[kMostGoTime];
  out.append(text, write_go_time(text, time));
}

std::string go_time(Wall time) {
  std::string out;
  append_go_time(out, time);
  return out;
}

void append_go_float(std::string& out, float value) {
  CHECK(std::isfinite(value));
  char buffer[32];
  const auto printed = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific);
  const std::string_view text(buffer, static_cast<std::size_t>(printed.ptr - buffer));
  const auto mark = text.find('e');
  int exponent = 0;
  const char* const digits_of_exponent = buffer + mark + (text[mark + 1] == '+' ? 2 : 1);
  std::from_chars(digits_of_exponent, printed.ptr, exponent);

  const float size = std::fabs(value);
  if (size != 0 && (size < 1e-6F || size >= 1e21F)) {  // float constants: Go compares as float32 too
    out.append(text.substr(0, mark));
    fmt::format_to(std::back_inserter(out), "e{}{}", exponent < 0 ? '-' : '+', std::abs(exponent));
    return;
  }
  // The digits are the shortest; only the point moves. to_chars' own fixed form would print large numbers exactly.
  std::string digits;
  for (const char c : text.substr(0, mark)) {
    if (c >= '0' && c <= '9') digits += c;
  }
  if (std::signbit(value)) out += '-';
  if (exponent < 0) {
    out += "0.";
    out.append(static_cast<std::size_t>(-exponent - 1), '0');
    out += digits;
    return;
  }
  const auto whole = static_cast<std::size_t>(exponent) + 1;
  if (digits.size() <= whole) {
    out += digits;
    out.append(whole - digits.size(), '0');
    return;
  }
  out.append(digits, 0, whole);
  out += '.';
  out.append(digits, whole);
}

}  // namespace drover::api
