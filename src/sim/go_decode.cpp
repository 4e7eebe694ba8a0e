#include "sim/go_decode.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "base/ascii.h"

namespace drover::sim {
namespace {

constexpr std::size_t kMaxDepth = 10'000;

// As Go's quoteChar: the byte as a character of Latin-1.
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
  if (byte < 0x20 || byte == 0x7f) return fmt::format("'\\x{:02x}'", byte);
  if (byte < 0x80) return fmt::format("'{}'", c);
  if (byte < 0xa0 || byte == 0xad) return fmt::format("'\\u{:04x}'", byte);
  return fmt::format("'{}{}'", static_cast<char>(0xc0 | byte >> 6), static_cast<char>(0x80 | (byte & 0x3f)));
}

void append_utf8(std::string& out, std::uint32_t point) {
  const auto push = [&](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (point < 0x80) return push(point);
  if (point < 0x800) {
    push(0xc0 | point >> 6);
  } else if (point < 0x10000) {
    push(0xe0 | point >> 12);
    push(0x80 | (point >> 6 & 0x3f));
  } else {
    push(0xf0 | point >> 18);
    push(0x80 | (point >> 12 & 0x3f));
    push(0x80 | (point >> 6 & 0x3f));
  }
  push(0x80 | (point & 0x3f));
}

// One pass with a stack of its own, so that depth costs no recursion.
class Decoder {
 public:
  explicit Decoder(std::string_view text) : text_(text) {}

  std::expected<GoDocument, std::string> decode() {
    skip_blanks();
    if (at_ == text_.size()) return std::unexpected("EOF");
    Json root;
    if (!value(root)) return std::unexpected(error_);
    while (!open_.empty()) {
      if (!member()) return std::unexpected(error_);
    }
    return GoDocument{std::move(root), at_};
  }

 private:
  struct Open {
    Json* container;
    bool fresh = true;  // nothing in it yet
  };

  bool fail(std::string error) {
    error_ = std::move(error);
    return false;
  }
  bool cut() { return fail("unexpected EOF"); }
  bool unexpected(std::string_view where) {
    if (at_ == text_.size()) return cut();
    return fail(fmt::format("invalid character {} {}", quoted(text_[at_]), where));
  }
  bool more() const { return at_ < text_.size(); }
  bool next_is(char c) const { return more() && text_[at_] == c; }
  void skip_blanks() {
    while (more() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t' || text_[at_] == '\r')) ++at_;
  }

  // A whole scalar, or the beginning of a container, which goes on the stack.
  bool value(Json& into) {
    skip_blanks();
    if (!more()) return cut();
    switch (text_[at_]) {
      case '{': into = Json::object(); return enter(into);
      case '[': into = Json::array(); return enter(into);
      case '"': {
        std::string text;
        if (!string(text)) return false;
        into = std::move(text);
        return true;
      }
      case 't': into = true; return literal("true");
      case 'f': into = false; return literal("false");
      case 'n': into = nullptr; return literal("null");
      default: return number(into);
    }
  }

  bool enter(Json& container) {
    ++at_;
    if (open_.size() == kMaxDepth) return fail("exceeded max depth");
    open_.push_back({&container});
    return true;
  }

  // One more member of the innermost container, or its end.
  bool member() {
    Open& open = open_.back();
    Json& container = *open.container;
    const bool object = container.is_object();
    skip_blanks();
    if (next_is(object ? '}' : ']') && open.fresh) return leave();
    if (!open.fresh) {
      if (next_is(object ? '}' : ']')) return leave();
      if (!next_is(',')) return unexpected(object ? "after object key:value pair" : "after array element");
      ++at_;
    }
    open.fresh = false;
    if (!object) {
      container.push_back(nullptr);
      return value(container.back());
    }
    skip_blanks();
    if (!next_is('"')) return unexpected("looking for beginning of object key string");
    std::string key;
    if (!string(key)) return false;
    skip_blanks();
    if (!next_is(':')) return unexpected("after object key");
    ++at_;
    container.erase(key);
    return value(container[key]);
  }

  bool leave() {
    ++at_;
    open_.pop_back();
    return true;
  }

  bool literal(std::string_view word) {
    for (std::size_t i = 0; i < word.size(); ++i, ++at_) {
      if (next_is(word[i])) continue;
      return unexpected(fmt::format("in literal {} (expecting {})", word, quoted(word[i])));
    }
    return true;
  }

  bool digits() {
    if (!more() || !ascii::is_digit(text_[at_])) return false;
    while (more() && ascii::is_digit(text_[at_])) ++at_;
    return true;
  }

  bool number(Json& into) {
    const std::size_t start = at_;
    bool whole = true;
    const bool negative = next_is('-');
    if (negative) ++at_;
    if (next_is('0')) {
      ++at_;
    } else if (!digits()) {
      return unexpected(negative ? "in numeric literal" : "looking for beginning of value");
    }
    if (next_is('.')) {
      whole = false;
      ++at_;
      if (!digits()) return unexpected("after decimal point in numeric literal");
    }
    if (next_is('e') || next_is('E')) {
      whole = false;
      ++at_;
      if (next_is('+') || next_is('-')) ++at_;
      if (!digits()) return unexpected("in exponent of numeric literal");
    }
    const char* const first = text_.data() + start;
    const char* const last = text_.data() + at_;
    std::int64_t integer = 0;
    if (whole && std::from_chars(first, last, integer).ec == std::errc{}) {
      into = integer;
      return true;
    }
    double real = 0;
    std::from_chars(first, last, real);
    into = real;
    return true;
  }

  bool string(std::string& into) {
    ++at_;
    while (true) {
      if (!more()) return cut();
      const char c = text_[at_];
      if (c == '"') break;
      if (static_cast<unsigned char>(c) < 0x20) return unexpected("in string literal");
      if (c == '\\') {
        ++at_;
        if (!escape(into)) return false;
      } else {
        into += c;
        ++at_;
      }
    }
    ++at_;
    into = valid_utf8(into);
    return true;
  }

  bool escape(std::string& into) {
    if (!more()) return cut();
    constexpr std::string_view kNames = "\"\\/bfnrt";
    constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
    const auto known = kNames.find(text_[at_]);
    if (known != std::string_view::npos) {
      into += kMeanings[known];
      ++at_;
      return true;
    }
    if (text_[at_] != 'u') return unexpected("in string escape code");
    ++at_;
    std::uint32_t unit = 0;
    if (!hex(unit)) return false;
    constexpr std::uint32_t kReplacement = 0xfffd;
    if (unit >= 0xd800 && unit < 0xdc00 && text_.substr(at_).starts_with("\\u")) {
      const std::size_t back = at_;
      at_ += 2;
      std::uint32_t low = 0;
      if (!hex(low)) return false;
      if (low >= 0xdc00 && low < 0xe000) {
        append_utf8(into, 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00));
        return true;
      }
      at_ = back;
    }
    append_utf8(into, unit >= 0xd800 && unit < 0xe000 ? kReplacement : unit);
    return true;
  }

  bool hex(std::uint32_t& unit) {
    for (int i = 0; i < 4; ++i, ++at_) {
      if (!more()) return cut();
      const char c = ascii::lower(text_[at_]);
      if (!ascii::is_digit(c) && !(c >= 'a' && c <= 'f')) return unexpected("in \\u hexadecimal character escape");
      unit = unit * 16 + static_cast<std::uint32_t>(ascii::is_digit(c) ? c - '0' : c - 'a' + 10);
    }
    return true;
  }

  // Invalid UTF-8 becomes U+FFFD, byte by byte.
  static std::string valid_utf8(const std::string& text) {
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
      const auto lead = static_cast<unsigned char>(text[at]);
      std::size_t length = lead < 0x80                   ? 1
                           : lead >= 0xc2 && lead < 0xe0 ? 2
                           : lead < 0xf0 && lead >= 0xe0 ? 3
                           : lead >= 0xf0 && lead < 0xf5 ? 4
                                                         : 0;
      for (std::size_t i = 1; i < length; ++i) {
        if (at + i >= text.size() || (static_cast<unsigned char>(text[at + i]) & 0xc0) != 0x80) length = 0;
      }
      if (length > 1) {
        const auto second = static_cast<unsigned char>(text[at + 1]);
        const bool overlong = (lead == 0xe0 && second < 0xa0) || (lead == 0xf0 && second < 0x90);
        const bool beyond = (lead == 0xed && second >= 0xa0) || (lead == 0xf4 && second >= 0x90);
        if (overlong || beyond) length = 0;
      }
      if (length == 0) {
        out += "\xef\xbf\xbd";
        ++at;
      } else {
        out.append(text, at, length);
        at += length;
      }
    }
    return out;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::vector<Open> open_;
  std::string error_;
};

// Go folds case and the two characters that fold to ASCII letters: U+017F to s, U+212A to k.
std::string folded(std::string_view key) {
  std::string out;
  for (std::size_t at = 0; at < key.size();) {
    if (key.substr(at).starts_with("\xc5\xbf")) {
      out += 's';
      at += 2;
    } else if (key.substr(at).starts_with("\xe2\x84\xaa")) {
      out += 'k';
      at += 3;
    } else {
      out += ascii::lower(key[at++]);
    }
  }
  return out;
}

}  // namespace

std::expected<GoDocument, std::string> go_decode(std::string_view text) { return Decoder(text).decode(); }

std::string go_kind(const Json& value, bool whole) {
  if (value.is_string()) return "string";
  if (value.is_boolean()) return "bool";
  if (value.is_array()) return "array";
  if (value.is_object()) return "object";
  return whole ? "number " + to_text(value) : "number";
}

const Json* GoFields::find(std::string_view key) const {
  const Json* found = nullptr;
  for (const auto& [name, value] : object_.items()) {
    if (!value.is_null() && (name == key || folded(name) == folded(key))) found = &value;
  }
  return found;
}

void GoFields::mismatch(const Json& value, std::string_view key, std::string_view type) const {
  if (!error_.empty()) return;
  error_ = fmt::format("json: cannot unmarshal {} into Go struct field {}.{} of type {}",
                       go_kind(value, type == "int" && value.is_number()), path_, key, type);
}

std::string GoFields::text(std::string_view key, std::string_view type) const {
  const Json* value = find(key);
  if (value == nullptr) return {};
  if (value->is_string()) return value->get<std::string>();
  mismatch(*value, key, type);
  return {};
}

std::optional<bool> GoFields::flag(std::string_view key) const {
  const Json* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (value->is_boolean()) return value->get<bool>();
  mismatch(*value, key, "bool");
  return std::nullopt;
}

std::optional<std::int64_t> GoFields::integer(std::string_view key) const {
  const Json* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (value->is_number_integer()) return value->get<std::int64_t>();
  mismatch(*value, key, "int");
  return std::nullopt;
}

std::optional<double> GoFields::number(std::string_view key, std::string_view type) const {
  const Json* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (value->is_number()) return value->get<double>();
  mismatch(*value, key, type);
  return std::nullopt;
}

const Json* GoFields::array(std::string_view key, std::string_view type) const {
  const Json* value = find(key);
  if (value == nullptr || value->is_array()) return value;
  mismatch(*value, key, type);
  return nullptr;
}

const Json* GoFields::object(std::string_view key, std::string_view type) const {
  const Json* value = find(key);
  if (value == nullptr || value->is_object()) return value;
  mismatch(*value, key, type);
  return nullptr;
}

}  // namespace drover::sim
