#include "http/head_syntax.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/ascii.h"

namespace drover::http {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t'; }
bool is_line_end(const char* at) { return at[0] == '\r' && at[1] == '\n'; }

// The bytes of an unfinished head may still be anything but these.
std::string_view fault_in_part(std::string_view part) {
  for (std::size_t i = 0; i < part.size(); ++i) {
    const auto c = static_cast<unsigned char>(part[i]);
    if (c >= 0x20 && c != 0x7f) continue;
    if (c == '\r' && i + 1 < part.size() && part[i + 1] != '\n') return "a CR without LF";
    if (c != '\r' && c != '\n' && c != '\t') return "a control character";
  }
  return {};
}

}  // namespace

bool is_token(std::string_view text) { return !text.empty() && std::all_of(text.begin(), text.end(), is_token_char); }

std::string quoted(std::string_view text, std::size_t most) {
  std::string result = "\"";
  for (const char c : text.substr(0, most)) {
    if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\') {
      result += c;
    } else {
      fmt::format_to(std::back_inserter(result), "\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  result += text.size() > most ? "...\"" : "\"";
  return result;
}

HeadEnd find_head_end(std::string_view bytes, std::size_t begin, std::size_t seen) {
  auto at = std::max(begin, seen);
  while (at < begin + 2 && at < bytes.size() && bytes[at] != '\n') ++at;
  if (at >= begin + 2 && at < bytes.size()) {
    const char* const data = bytes.data();
    at = static_cast<std::size_t>(leap_whole_lines(data + at, data + bytes.size()) - data);
  }
  auto newline = bytes.find('\n', at);
  for (; newline != std::string_view::npos; newline = bytes.find('\n', newline + 1)) {
    if (newline == begin || bytes[newline - 1] != '\r') return {HeadEnd::Kind::broken, 0, "a line end without CR"};
    if (newline >= begin + 2 && bytes[newline - 2] == '\n') return {HeadEnd::Kind::found, newline + 1, {}};
  }
  // Again from the last byte seen, which may be a CR that the next byte has to follow.
  const auto from = std::max(begin, seen == 0 ? 0 : seen - 1);
  const auto fault = from < bytes.size() ? fault_in_part(bytes.substr(from)) : std::string_view{};
  return fault.empty() ? HeadEnd{HeadEnd::Kind::missing, 0, {}} : HeadEnd{HeadEnd::Kind::broken, 0, fault};
}

// One walk over the bytes: a name up to its colon, a value up to the first control character, which the end of the line
// has to be. Every line ends with CRLF, no byte of which is part of a name, so that walks need no other bound.
FieldLines read_field_lines(std::string_view head, std::size_t begin, std::size_t end, Underscore underscore,
                            std::span<FieldSlot> into, KnownFields& known) {
  FieldLines lines;
  const auto faulty = [&](LineFault fault) { return FieldLines{fault, lines.count}; };
  const auto offset = [&](const char* at) { return static_cast<std::uint16_t>(at - head.data()); };
  const char* const last = head.data() + end;
  for (const char* at = head.data() + begin; at != last;) {
    const char* colon = leap_name(at, last);
    bool underscored = false;
    for (; is_token_char(*colon); ++colon) underscored |= *colon == '_';
    if (*colon != ':' || colon == at) {
      const bool no_colon = *colon == ' ' || *colon == '\t' || is_line_end(colon);
      return faulty(no_colon ? LineFault::syntax : LineFault::name);
    }
    if (underscored && underscore == Underscore::refused) return faulty(LineFault::name);

    const char* value = colon + 1;
    while (is_blank(*value)) ++value;
    const char* const line_end = skip_text(value, last);
    if (!is_line_end(line_end)) return faulty(LineFault::syntax);
    if (lines.count == into.size()) return faulty(LineFault::too_many);
    const char* value_end = line_end;
    while (value_end != value && is_blank(value_end[-1])) --value_end;
    if (value_end == value) value_end = value = colon + 1;

    const std::string_view name(at, colon);
    into[lines.count] = {.name_at = offset(at),
                         .name_size = static_cast<std::uint16_t>(name.size()),
                         .value_at = offset(value),
                         .value_size = static_cast<std::uint16_t>(value_end - value)};
    known.note(known_field(name), lines.count);
    ++lines.count;
    at = line_end + 2;
  }
  return lines;
}

ConnectionOptions connection_options(const Fields& fields, const KnownFields& known) {
  ConnectionOptions options;
  const auto first = known.first(Known::connection);
  if (!first) return options;
  for (std::size_t i = *first; i < fields.size(); ++i) {
    const Field field = fields[i];
    if (i > *first && known_field(field.name) != Known::connection) continue;
    if (field.value == "keep-alive") {  // as nearly everybody writes it
      options.keep_alive = true;
    } else {
      for_each_element(field.value, [&](std::string_view option) {
        const bool close = ascii::equal_fold(option, "close");
        const bool keep_alive = ascii::equal_fold(option, "keep-alive");
        options.close |= close;
        options.keep_alive |= keep_alive;
        options.others |= !close && !keep_alive;
      });
    }
    if (!known.repeated(Known::connection)) break;
  }
  return options;
}

}  // namespace drover::http
