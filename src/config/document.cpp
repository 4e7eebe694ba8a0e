#include "config/document.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <optional>
#include <sstream>
#include <utility>

#include "base/check.h"

namespace drover::config {
namespace {

constexpr std::size_t kShownBytes = 200;  // of a line

Place place_of(const YAML::Mark& mark, std::size_t width = 1) {
  if (mark.is_null()) return {};
  return {static_cast<std::size_t>(mark.line) + 1, static_cast<std::size_t>(mark.column) + 1, width};
}

// Builds the tree from the parser's events. After the first fault it looks at nothing more.
class TreeBuilder final : public YAML::EventHandler {
 public:
  struct Fault {
    Place place;
    std::string what;
  };

  const std::optional<Fault>& fault() const { return fault_; }
  Value take() { return std::move(root_); }
  // Where the last quoted text begins; line 0: there is none.
  Place last_quoted() const { return last_quoted_; }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnAnchor(const YAML::Mark& mark, const std::string&) override {
    refuse(place_of(mark), "anchors are not used here");
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override { refuse(place_of(mark), "aliases are not used here"); }
  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override { add(place_of(mark), "?", Value::Kind::empty, {}); }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t, const std::string& text) override {
    const bool quoted = tag == "!";
    if (quoted) last_quoted_ = place_of(mark);
    // Of a quoted text the quotes are a part; escapes and line breaks make this a guess, good enough to point at.
    const std::size_t width = std::min(text.find('\n'), text.size()) + (quoted ? 2 : 0);
    add(place_of(mark, std::max<std::size_t>(width, 1)), tag, Value::Kind::text, text);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    open(place_of(mark), tag, Value::Kind::list);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t, YAML::EmitterStyle::value) override {
    open(place_of(mark), tag, Value::Kind::map);
  }
  void OnMapEnd() override { close(); }

 private:
  void refuse(Place place, std::string what) {
    if (!fault_) fault_ = Fault{place, std::move(what)};
  }

  // The value that comes next has no home: it is a key. nullptr then.
  Value* home() {
    if (path_.empty()) return &root_;
    Value& parent = *path_.back();
    if (parent.kind == Value::Kind::list) return &parent.list.emplace_back();
    if (!awaits_value_.back()) return nullptr;
    awaits_value_.back() = false;
    return &parent.entries.back().value;
  }

  void add(Place place, const std::string& tag, Value::Kind kind, const std::string& text) {
    if (fault_) return;
    if (!tag.empty() && tag != "?" && tag != "!") return refuse(place, "tags are not used here");
    if (Value* value = home()) {
      value->kind = kind;
      if (kind != Value::Kind::empty || value->place.line == 0) value->place = place;  // nothing: the key is shown
      value->text = text;
      value->quoted = tag == "!";
      return;
    }
    if (kind != Value::Kind::text) return refuse(place, "a key is missing here");
    path_.back()->entries.push_back({text, place, {}});
    path_.back()->entries.back().value.place = place;
    awaits_value_.back() = true;
  }

  void open(Place place, const std::string& tag, Value::Kind kind) {
    if (fault_) return;
    if (!tag.empty() && tag != "?") return refuse(place, "tags are not used here");
    if (path_.size() == kMaxFileDepth) return refuse(place, fmt::format("nested deeper than {}", kMaxFileDepth));
    Value* value = home();
    if (value == nullptr) return refuse(place, "a key is plain text");
    value->kind = kind;
    value->place = place;
    path_.push_back(value);
    awaits_value_.push_back(false);
  }

  void close() {
    if (fault_) return;
    CHECK(!path_.empty());
    path_.pop_back();
    awaits_value_.pop_back();
  }

  Value root_;
  Place last_quoted_;
  // Open lists and maps, outermost first. A parent grows only after its open child is closed, so they stay valid.
  std::vector<Value*> path_;
  std::vector<bool> awaits_value_;  // per open map: its last key has no value yet
  std::optional<Fault> fault_;
};

// The parser takes the end of the file for the end of a quoted text; all settings behind a forgotten quote would be
// lost in silence.
bool is_closed(std::string_view text, Place quoted) {
  for (std::size_t line = 1; line < quoted.line; ++line) {
    const auto end = text.find('\n');
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  text.remove_prefix(std::min(quoted.column - 1, text.size()));
  if (text.empty() || (text.front() != '"' && text.front() != '\''))
    return true;  // a text of several lines after | or >
  const char quote = text.front();
  for (std::size_t at = 1; at < text.size(); ++at) {
    if (quote == '"' && text[at] == '\\') {
      ++at;
    } else if (text[at] == quote) {
      if (quote == '"' || at + 1 == text.size() || text[at + 1] != quote) return true;
      ++at;  // '' stands for one quote
    }
  }
  return false;
}

ConfigError syntax_error(std::string_view text, const std::string& filename, Place place, std::string message) {
  ConfigError error;
  error.file = filename;
  error.line = place.line;
  error.column = place.column;
  error.width = place.width;
  error.code = "syntax";
  error.message = std::move(message);
  error.source = source_line(text, place.line);
  return error;
}

}  // namespace

std::expected<Document, ConfigError> parse_document(std::string_view text, const std::string& filename) {
  const auto refuse = [&](Place place, std::string message) {
    return std::unexpected(syntax_error(text, filename, place, std::move(message)));
  };
  if (text.size() > kMaxFileBytes) return refuse({}, fmt::format("the file is larger than {} bytes", kMaxFileBytes));
  if (const auto nul = text.find('\0'); nul != std::string_view::npos) {
    const auto line =
        static_cast<std::size_t>(std::count(text.begin(), text.begin() + static_cast<long>(nul), '\n')) + 1;
    return refuse({line, 1, 1}, "the file has a NUL byte; expected UTF-8 text");
  }

  TreeBuilder builder;
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    if (parser.HandleNextDocument(builder) && !builder.fault()) {
      TreeBuilder second;
      if (parser.HandleNextDocument(second)) return refuse({}, "the file holds more than one document");
    }
  } catch (const YAML::Exception& error) {
    if (!builder.fault()) return refuse(place_of(error.mark), fmt::format("not YAML: {}", error.msg));
  } catch (const std::exception& error) {
    return refuse({}, fmt::format("not YAML: {}", error.what()));
  }
  if (builder.fault()) return refuse(builder.fault()->place, builder.fault()->what);
  if (const Place quoted = builder.last_quoted(); quoted.line != 0 && !is_closed(text, quoted)) {
    return refuse(quoted, "the quote that opens here is never closed");
  }

  Document document{builder.take()};
  if (document.root.kind != Value::Kind::map && document.root.kind != Value::Kind::empty) {
    return refuse(document.root.place, "expected settings, one `name: value` a line");
  }
  return document;
}

std::string source_line(std::string_view text, std::size_t line) {
  if (line == 0) return {};
  for (; line > 1; --line) {
    const auto end = text.find('\n');
    if (end == std::string_view::npos) return {};
    text.remove_prefix(end + 1);
  }
  text = text.substr(0, text.find('\n'));
  if (text.ends_with('\r')) text.remove_suffix(1);
  std::string shown(text);
  for (auto scheme = shown.find("://"); scheme != std::string::npos; scheme = shown.find("://", scheme + 1)) {
    const auto end = std::min(shown.find_first_of(" \t,]}\"'", scheme), shown.size());
    const auto at = shown.rfind('@', end);
    if (at == std::string::npos || at < scheme) continue;
    std::fill(shown.begin() + static_cast<long>(scheme) + 3, shown.begin() + static_cast<long>(at), '*');
  }
  std::replace_if(
      shown.begin(), shown.end(), [](char c) { return (c >= 0 && c < ' ' && c != '\t') || c == '\x7f'; }, '?');
  if (shown.size() > kShownBytes) shown.replace(kShownBytes, std::string::npos, "...");
  return shown;
}

}  // namespace drover::config
