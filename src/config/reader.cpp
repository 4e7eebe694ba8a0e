#include "config/reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/ascii.h"
#include "config/nearest.h"
#include "config/quantities.h"

namespace drover::config {
namespace {

constexpr std::string_view kAuto = "auto";
constexpr std::size_t kShownBytes = 60;
constexpr std::size_t kShownKeys = 32;
constexpr std::size_t kMostFaults = 100;  // nobody reads more in one run

// Short and harmless enough for a message.
std::string printable(std::string_view text) {
  std::string result;
  for (const char c : text.substr(0, kShownBytes)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      fmt::format_to(std::back_inserter(result), "\\x{:02x}", byte);
    } else {
      result += c;
    }
  }
  if (text.size() > kShownBytes) result += "...";
  return result;
}

// What stands in the file.
std::string shown(const Value& value) {
  switch (value.kind) {
    case Value::Kind::empty: return "empty";
    case Value::Kind::list: return "a list";
    case Value::Kind::map: return "a map";
    case Value::Kind::text: break;
  }
  const std::string text = printable(value.text);
  return value.quoted || text.empty() ? fmt::format("\"{}\"", text) : text;
}

std::string join(std::span<const std::string_view> words, std::string_view last) {
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) text += i + 1 == words.size() ? last : ", ";
    text += words[i];
  }
  return text;
}

bool is_text(const Value& value) { return value.kind == Value::Kind::text; }

// The map that a plain text stands for.
Value map_of(const Value& text, std::string_view shorthand) {
  return {.kind = Value::Kind::map,
          .place = text.place,
          .text = {},
          .list = {},
          .entries = {{std::string(shorthand), text.place, text}}};
}

}  // namespace

void ReadState::fault(Place place, std::string path, std::string_view code, std::string message,
                      std::string suggestion) {
  if (faults.size() == kMostFaults) return;
  faults.push_back(ConfigError{.file = filename,
                               .line = place.line,
                               .column = place.column,
                               .width = place.width,
                               .path = std::move(path),
                               .code = std::string(code),
                               .message = std::move(message),
                               .suggestion = std::move(suggestion),
                               .source = source_line(source, place.line)});
}

Reader::Reader(ReadState& state, const Value& map, std::string path)
    : state_(state), map_(map), path_(std::move(path)) {
  std::map<std::string_view, Place> first;
  for (const Entry& entry : map_.entries) {
    const auto [seen, added] = first.emplace(entry.key, entry.place);
    if (added) continue;
    state_.fault(entry.place, path_of(entry.key), "duplicate_key",
                 fmt::format("{} is given twice, first in line {}", path_of(printable(entry.key)), seen->second.line));
  }
}

void Reader::finish() {
  for (const Entry& entry : map_.entries) {
    if (std::find(known_.begin(), known_.end(), entry.key) != known_.end()) continue;
    const std::string_view nearest = nearest_word(entry.key, known_);
    std::string message = fmt::format("unknown key \"{}\"", printable(entry.key));
    if (!path_.empty()) message += " in " + path_;
    if (nearest.empty() && known_.size() <= kShownKeys) message += "; expected " + join(known_, " or ");
    state_.fault(entry.place, path_of(entry.key), "unknown_key", std::move(message), std::string(nearest));
  }
}

std::string Reader::path_of(std::string_view name) const {
  return path_.empty() ? std::string(name) : fmt::format("{}.{}", path_, name);
}

// The value of a setting; nullptr: it is not given.
const Value* Reader::find(Item item) {
  known_.push_back(item.name);
  for (const Entry& entry : map_.entries) {
    if (entry.key != item.name) continue;
    state_.places.emplace(path_of(item.name), entry.value.place);
    return &entry.value;
  }
  return nullptr;
}

void Reader::expected(Item item, const Value& value, std::string_view what, std::string_view suggestion) {
  const std::string path = path_of(item.name);
  state_.fault(value.place, path, "value", fmt::format("{} is {}; expected {}", path, shown(value), what),
               std::string(suggestion));
}

void Reader::section(Item item, std::string_view shorthand, const std::function<void(Binder&)>& settings) {
  Value whole;
  if (const Value* value = find(item)) {
    if (is_text(*value) && !shorthand.empty()) {
      whole = map_of(*value, shorthand);
    } else if (value->kind == Value::Kind::map) {
      whole = *value;
    } else if (value->kind != Value::Kind::empty) {
      expected(item, *value, "settings below it, one `name: value` a line");
    }
  }
  Reader inner(state_, whole, path_of(item.name));
  settings(inner);
  inner.finish();
}

void Reader::flag(Item item, bool& value) {
  const Value* given = find(item);
  if (given == nullptr) return;
  const bool is_true = is_text(*given) && given->text == "true";
  if (!is_true && !(is_text(*given) && given->text == "false")) return expected(item, *given, "true or false");
  value = is_true;
}

void Reader::duration(Item item, Duration& value, Duration least, Duration most) {
  const Value* given = find(item);
  if (given == nullptr) return;
  const auto parsed = is_text(*given) ? parse_duration(given->text) : std::nullopt;
  if (!parsed || *parsed < least || *parsed > most) {
    return expected(item, *given,
                    fmt::format("a duration from {} to {}, for example {}", duration_text(least), duration_text(most),
                                duration_text(value)));
  }
  value = *parsed;
}

void Reader::read_size(Item item, const Value& given, Bytes& size, Bytes least, Bytes most, std::string_view also) {
  const auto parsed = is_text(given) ? parse_size(given.text) : std::nullopt;
  if (!parsed || *parsed < least || *parsed > most) {
    return expected(item, given,
                    fmt::format("{}a size from {} to {}, for example {}", also, size_text(least), size_text(most),
                                size_text(size)));
  }
  size = *parsed;
}

void Reader::size(Item item, Bytes& value, Bytes least, Bytes most) {
  if (const Value* given = find(item)) read_size(item, *given, value, least, most, "");
}

void Reader::size_or_auto(Item item, std::optional<Bytes>& value, Bytes least, Bytes most) {
  const Value* given = find(item);
  if (given == nullptr) return;
  if (is_text(*given) && given->text == kAuto) {
    value.reset();
    return;
  }
  Bytes size = value.value_or(most);
  const std::size_t faults = state_.faults.size();
  read_size(item, *given, size, least, most, "auto or ");
  if (state_.faults.size() == faults) value = size;
}

void Reader::number(Item item, std::optional<std::uint64_t>& value, bool automatic, std::uint64_t least,
                    std::uint64_t most) {
  const Value* given = find(item);
  if (given == nullptr) return;
  if (automatic && is_text(*given) && given->text == kAuto) {
    value.reset();
    return;
  }
  const auto parsed = is_text(*given) && !given->quoted ? ascii::to_number(given->text) : std::nullopt;
  if (!parsed || *parsed < least || *parsed > most) {
    return expected(item, *given,
                    fmt::format("{}a whole number from {} to {}", automatic ? "auto or " : "", least, most));
  }
  value = parsed;
}

void Reader::choice(Item item, std::size_t& index, std::span<const std::string_view> words) {
  const Value* given = find(item);
  if (given == nullptr) return;
  const auto found = is_text(*given) ? std::find(words.begin(), words.end(), given->text) : words.end();
  if (found == words.end()) {
    return expected(item, *given, join(words, " or "), is_text(*given) ? nearest_word(given->text, words) : "");
  }
  index = static_cast<std::size_t>(found - words.begin());
}

void Reader::read_text(const Value& value, const std::string& path, const Read& read) {
  if (!is_text(value) || value.text.empty()) {
    return state_.fault(value.place, path, "value", fmt::format("{} is {}; expected a text", path, shown(value)));
  }
  if (auto wrong = read(value.text)) state_.fault(value.place, path, "value", fmt::format("{}: {}", path, *wrong));
}

void Reader::text(Item item, const std::string&, const Read& read) {
  if (const Value* given = find(item)) read_text(*given, path_of(item.name), read);
}

void Reader::texts(Item item, std::span<const std::string>, const Read& read) {
  const Value* given = find(item);
  if (given == nullptr || given->kind == Value::Kind::empty) return;
  if (is_text(*given)) return read_text(*given, path_of(item.name), read);
  if (given->kind != Value::Kind::list) return expected(item, *given, "a list");
  for (std::size_t i = 0; i < given->list.size(); ++i) {
    read_text(given->list[i], fmt::format("{}[{}]", path_of(item.name), i), read);
  }
}

void Reader::list(Item item, const Elements& elements) {
  const Value* given = find(item);
  if (given == nullptr || given->kind == Value::Kind::empty) return;
  if (given->kind != Value::Kind::list) return expected(item, *given, "a list");
  elements.resize(given->list.size());
  for (std::size_t i = 0; i < given->list.size(); ++i) {
    const Value& value = given->list[i];
    const std::string path = fmt::format("{}[{}]", path_of(item.name), i);
    Value whole;
    if (is_text(value)) {
      whole = map_of(value, elements.shorthand);
    } else if (value.kind == Value::Kind::map) {
      whole = value;
    } else {
      state_.fault(
          value.place, path, "value",
          fmt::format("{} is {}; expected settings such as `{}: ...`", path, shown(value), elements.shorthand));
      continue;
    }
    Reader inner(state_, whole, path);
    elements.element(inner, i);
    inner.finish();
  }
}

}  // namespace drover::config
