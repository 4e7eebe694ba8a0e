#include "http/path.h"

#include <array>
#include <cstdint>

#include "http/head_syntax.h"

namespace drover::http {
namespace {

enum class PathByte : std::uint8_t { bad, plain, slash, percent };

constexpr auto kPathBytes = [] {
  std::array<PathByte, 256> table{};  // bad
  for (std::size_t c = 0x21; c < 0x7f; ++c) table[c] = PathByte::plain;
  table['/'] = PathByte::slash;
  table['%'] = PathByte::percent;
  table['\\'] = table['#'] = table['?'] = PathByte::bad;
  return table;
}();

// What stands behind a '/'.
std::string_view fault_of_segment(std::string_view rest) {
  if (rest.starts_with('/')) return "an empty segment";
  const auto segment = rest.substr(0, rest.find('/'));
  if (segment == "." || segment == "..") return "a dot segment";
  return {};
}

std::string_view decode(std::string_view raw, std::string& decoded) {
  decoded.clear();
  bool is_ascii = true;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] != '%') {
      decoded += raw[i];
      continue;
    }
    const int high = i + 2 < raw.size() ? hex_digit(raw[i + 1]) : kNoHexDigit;
    const int low = i + 2 < raw.size() ? hex_digit(raw[i + 2]) : kNoHexDigit;
    if (high == kNoHexDigit || low == kNoHexDigit) return "'%' without two hex digits";
    const auto c = static_cast<char>(high << 4 | low);
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) return "an encoded control character";
    if (std::string_view("./\\%?#").find(c) != std::string_view::npos)
      return "an encoded '.', '/', '\\', '%', '?' or '#'";
    is_ascii = is_ascii && byte < 0x80;
    decoded += c;
    i += 2;
  }
  return is_ascii || is_utf8(decoded) ? std::string_view{} : "invalid UTF-8";
}

}  // namespace

NormalPath normalise_path(std::string_view raw, std::string& decoded) {
  if (!raw.starts_with('/')) return {"no '/' at its start"};
  bool encoded = false;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    switch (kPathBytes[static_cast<unsigned char>(raw[i])]) {
      case PathByte::plain: break;
      case PathByte::percent: encoded = true; break;
      case PathByte::bad: return {"a character that no path has"};
      case PathByte::slash:
        if (const auto fault = fault_of_segment(raw.substr(i + 1)); !fault.empty()) return {fault};
        break;
    }
  }
  return encoded ? NormalPath{decode(raw, decoded), true} : NormalPath{};
}

bool is_utf8(std::string_view text) {
  const auto byte_at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  for (std::size_t i = 0; i < text.size();) {
    const unsigned lead = byte_at(i);
    if (lead < 0x80) {
      ++i;
      continue;
    }
    const std::size_t size = lead >= 0xc2 && lead < 0xe0   ? 2
                             : lead >= 0xe0 && lead < 0xf0 ? 3
                             : lead >= 0xf0 && lead < 0xf5 ? 4
                                                           : 0;
    if (size == 0 || size > text.size() - i) return false;
    for (std::size_t k = 1; k < size; ++k) {
      if ((byte_at(i + k) & 0xc0U) != 0x80) return false;
    }
    const unsigned second = byte_at(i + 1);
    if (lead == 0xe0 && second < 0xa0) return false;  // overlong
    if (lead == 0xed && second > 0x9f) return false;  // surrogate
    if (lead == 0xf0 && second < 0x90) return false;  // overlong
    if (lead == 0xf4 && second > 0x8f) return false;  // above U+10FFFF
    i += size;
  }
  return true;
}

}  // namespace drover::http
