#include "api/reference_scanner.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <regex>
#include <string>
#include <vector>

#include "api/go_duration.h"
#include "api/json_reader.h"

namespace drover::api {
namespace {

// A parsed value with its place; a plain recursive-descent tree.
struct Node {
  JsonKind kind = JsonKind::null;
  Span span;
  std::string text;  // of a string (unescaped) or number (raw)
  bool half_surrogate = false;
  struct Entry;
  std::vector<Entry> members;  // of an object, in order
  std::vector<Node> elements;  // of an array

  bool empty() const {
    return (kind == JsonKind::string && span.length == 2) || (kind == JsonKind::array && elements.empty()) ||
           (kind == JsonKind::object && members.empty());
  }
};
struct Node::Entry {
  Node key;
  Node value;
};

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  std::expected<Node, Reason> document() {
    Node root;
    if (!value(root, 0)) return std::unexpected(reason_);
    blanks();
    if (at_ != text_.size()) return std::unexpected(Reason::json);
    return root;
  }

 private:
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool take(std::string_view word) {
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }
  void blanks() {
    while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos) ++at_;
  }

  bool value(Node& node, std::size_t depth) {
    blanks();
    const std::size_t begin = at_;
    bool good = false;
    if (peek() == '{' || peek() == '[') {
      if (depth == 64) {
        reason_ = Reason::json_depth;
        return false;
      }
      good = peek() == '{' ? object(node, depth + 1) : array(node, depth + 1);
    } else if (peek() == '"') {
      good = string(node);
    } else if (take("true")) {
      node.kind = JsonKind::on;
      good = true;
    } else if (take("false")) {
      node.kind = JsonKind::off;
      good = true;
    } else if (take("null")) {
      node.kind = JsonKind::null;
      good = true;
    } else {
      good = number(node);
    }
    node.span = {begin, at_ - begin};
    return good;
  }

  bool object(Node& node, std::size_t depth) {
    node.kind = JsonKind::object;
    ++at_;
    blanks();
    if (take("}")) return true;
    do {
      blanks();
      Node::Entry entry;
      const std::size_t begin = at_;
      if (peek() != '"' || !string(entry.key)) return false;
      entry.key.span = {begin, at_ - begin};
      blanks();
      if (!take(":") || !value(entry.value, depth)) return false;
      node.members.push_back(std::move(entry));
      blanks();
    } while (take(","));
    return take("}");
  }

  bool array(Node& node, std::size_t depth) {
    node.kind = JsonKind::array;
    ++at_;
    blanks();
    if (take("]")) return true;
    do {
      Node element;
      if (!value(element, depth)) return false;
      node.elements.push_back(std::move(element));
      blanks();
    } while (take(","));
    return take("]");
  }

  bool number(Node& node) {
    static const std::regex kNumber(R"(-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?)");
    std::cmatch found;
    const char* const begin = text_.data() + at_;
    if (!std::regex_search(begin, text_.data() + text_.size(), found, kNumber,
                           std::regex_constants::match_continuous)) {
      return false;
    }
    node.kind = JsonKind::number;
    node.text = found.str();
    at_ += node.text.size();
    return true;
  }

  std::optional<std::uint32_t> hex4() {
    static const std::regex kHex("[0-9a-fA-F]{4}");
    const std::string digits(text_.substr(at_, 4));
    if (!std::regex_match(digits, kHex)) return std::nullopt;
    at_ += 4;
    return static_cast<std::uint32_t>(std::stoul(digits, nullptr, 16));
  }

  static void put(std::string& out, std::uint32_t c) {
    if (c < 0x80) {
      out += static_cast<char>(c);
    } else if (c < 0x800) {
      out += static_cast<char>(0xc0 | c >> 6);
      out += static_cast<char>(0x80 | (c & 63));
    } else if (c < 0x10000) {
      out += static_cast<char>(0xe0 | c >> 12);
      out += static_cast<char>(0x80 | (c >> 6 & 63));
      out += static_cast<char>(0x80 | (c & 63));
    } else {
      out += static_cast<char>(0xf0 | c >> 18);
      out += static_cast<char>(0x80 | (c >> 12 & 63));
      out += static_cast<char>(0x80 | (c >> 6 & 63));
      out += static_cast<char>(0x80 | (c & 63));
    }
  }

  bool escape(Node& node) {
    ++at_;
    const char c = peek();
    ++at_;
    const std::string_view from = "\"\\/bfnrt", to = "\"\\/\b\f\n\r\t";
    if (c != '\0' && from.find(c) != std::string_view::npos) {
      node.text += to[from.find(c)];
      return true;
    }
    if (c != 'u') return false;
    const auto unit = hex4();
    if (!unit) return false;
    if (*unit < 0xd800 || *unit > 0xdfff) {
      put(node.text, *unit);
      return true;
    }
    if (*unit < 0xdc00 && text_.substr(at_).starts_with("\\u")) {
      const std::size_t back = at_;
      at_ += 2;
      const auto low = hex4();
      if (low && *low >= 0xdc00 && *low <= 0xdfff) {
        put(node.text, 0x10000 + ((*unit - 0xd800) << 10) + (*low - 0xdc00));
        return true;
      }
      at_ = back;
    }
    node.half_surrogate = true;
    put(node.text, 0xfffd);
    return true;
  }

  // One character beyond ASCII, by decoding it and asking whether it was the shortest form of a real character.
  bool character(Node& node) {
    const auto byte = [&](std::size_t i) {
      return i < text_.size() ? static_cast<unsigned char>(text_[i]) : static_cast<unsigned char>(0);
    };
    const unsigned lead = byte(at_);
    const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 0;
    if (length == 0 || lead > 0xf7) return false;
    std::uint32_t c = lead & (0x7fU >> length);
    for (std::size_t i = 1; i < length; ++i) {
      if ((byte(at_ + i) & 0xc0) != 0x80) return false;
      c = c << 6 | (byte(at_ + i) & 0x3fU);
    }
    std::string shortest;
    put(shortest, c);
    if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) || shortest.size() != length) return false;
    node.text += shortest;
    at_ += length;
    return true;
  }

  bool string(Node& node) {
    node.kind = JsonKind::string;
    ++at_;
    while (at_ < text_.size()) {
      const auto byte = static_cast<unsigned char>(text_[at_]);
      if (byte == '"') {
        ++at_;
        return true;
      }
      if (byte < 0x20) return false;
      if (byte == '\\') {
        if (!escape(node)) return false;
      } else if (byte < 0x80) {
        node.text += text_[at_++];
      } else if (!character(node)) {
        return false;
      }
    }
    return false;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  Reason reason_ = Reason::json;
};

std::string fold(std::string key) {
  const auto replace = [&](std::string_view from, const char* to) {
    for (auto at = key.find(from); at != std::string::npos; at = key.find(from)) key.replace(at, from.size(), to);
  };
  replace("\xc5\xbf", "s");
  replace("\xe2\x84\xaa", "k");
  for (char& c : key) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return key;
}

const Node* find(const Node& object, std::string_view name) {
  for (const auto& entry : object.members) {
    if (fold(entry.key.text) == name) return &entry.value;
  }
  return nullptr;
}

Member member(const Node* value, std::initializer_list<JsonKind> kinds) {
  if (value == nullptr || value->kind == JsonKind::null) return {};
  for (const JsonKind kind : kinds) {
    if (value->kind == kind) return {value->empty() ? Presence::empty : Presence::filled, value->span};
  }
  return {Presence::wrong_type, value->span};
}

Switch switch_of(const Node* value) {
  if (value == nullptr || value->kind == JsonKind::null) return Switch::absent;
  if (value->kind == JsonKind::on) return Switch::on;
  return value->kind == JsonKind::off ? Switch::off : Switch::wrong_type;
}

KeepAlive keep_alive_of(const Node& value) {
  if (value.kind == JsonKind::null) return KeepAlive::absent;
  const bool scalar = value.kind == JsonKind::number || value.kind == JsonKind::string;
  if (scalar && value.text.size() > JsonText::kMaxBytes) return KeepAlive::other;  // unlike Go, which reads it all
  if (value.kind == JsonKind::number) {
    const double seconds = std::strtod(value.text.c_str(), nullptr);
    if (std::isinf(seconds)) return KeepAlive::invalid;
    return seconds >= 0 && std::trunc(seconds * 1e9) == 0 ? KeepAlive::zero : KeepAlive::other;
  }
  if (value.kind != JsonKind::string) return KeepAlive::invalid;
  const auto duration = parse_go_duration(value.text);
  if (!duration) return KeepAlive::invalid;
  return duration->count() == 0 ? KeepAlive::zero : KeepAlive::other;
}

bool is_bad_model(const Node& value) {
  if (value.kind != JsonKind::string || value.text.size() > 256 || value.half_surrogate) return true;
  static const std::regex kUnprintable("[\\x01-\\x1f\\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\xa8\xa9]");
  return value.text.find('\0') != std::string::npos || std::regex_search(value.text, kUnprintable);
}

bool has_images(const Node& body) {
  const auto filled_array = [](const Node* value) {
    return value != nullptr && value->kind == JsonKind::array && !value->empty();
  };
  if (filled_array(find(body, "images"))) return true;
  const Node* const messages = find(body, "messages");
  if (messages == nullptr || messages->kind != JsonKind::array) return false;
  for (const Node& message : messages->elements) {
    for (const auto& [key, value] : message.members) {
      if (fold(key.text) == "images" && filled_array(&value)) return true;
      if (fold(key.text) != "content" || value.kind != JsonKind::array) continue;
      for (const Node& part : value.elements) {
        for (const auto& [part_key, part_value] : part.members) {
          const std::string name = fold(part_key.text);
          if ((name == "image_url" || name == "input_audio") && part_value.kind != JsonKind::null) return true;
        }
      }
    }
  }
  return false;
}

// The texts and images of a prompt in their order, hashed when all of them are there.
class PromptReference {
 public:
  explicit PromptReference(std::string_view body) : body_(body) {}

  void text(const Node& value) {
    if (value.kind == JsonKind::string) pending_ += std::string(between_quotes(value)) + '\0';
  }
  void image(const Node& value) {
    if (value.kind != JsonKind::string || value.empty()) return;
    blocks();
    std::uint64_t chain = PromptChain::follow(chain_, pending_);
    std::string_view bytes = between_quotes(value);
    for (; bytes.size() >= kPromptBlock; bytes.remove_prefix(kPromptBlock)) {
      chain = PromptChain::follow(chain, bytes.substr(0, kPromptBlock));
    }
    hashes_.push_back(chain_ = PromptChain::follow(chain, bytes));
    pending_.clear();
  }
  void images(const Node& list) {
    if (list.kind != JsonKind::array) return;
    for (const Node& each : list.elements) image(each);
  }
  void message(const Node& node) {
    for (const auto& [key, value] : node.members) {
      const std::string name = fold(key.text);
      if (name == "role" || name == "content") text(value);
      if (name == "images") images(value);
      if (name != "content" || value.kind != JsonKind::array) continue;
      for (const Node& part : value.elements) content_part(part);
    }
  }
  PromptHashes take() {
    blocks();
    return std::move(hashes_);
  }

 private:
  std::string_view between_quotes(const Node& value) const {
    return value.span.of(body_).substr(1, value.span.length - 2);
  }
  void content_part(const Node& node) {
    for (const auto& [key, value] : node.members) {
      const std::string name = fold(key.text);
      if (name == "text") text(value);
      if (name != "image_url" && name != "input_audio") continue;
      image(value);
      for (const auto& [inner_key, inner] : value.members) {
        if (fold(inner_key.text) == "url" || fold(inner_key.text) == "data") image(inner);
      }
    }
  }
  void blocks() {
    for (; pending_.size() >= kPromptBlock; pending_.erase(0, kPromptBlock)) {
      hashes_.push_back(chain_ = PromptChain::follow(chain_, pending_.substr(0, kPromptBlock)));
    }
  }

  std::string_view body_;
  std::string pending_;
  std::uint64_t chain_ = 0;
  PromptHashes hashes_;
};

PromptHashes prompt_hashes(const Node& document, std::string_view body) {
  PromptReference reference(body);
  for (const auto& [key, value] : document.members) {
    const std::string name = fold(key.text);
    if (name == "prompt" || name == "system") reference.text(value);
    if (name == "images") reference.images(value);
    if (name != "messages" || value.kind != JsonKind::array) continue;
    for (const Node& message : value.elements) reference.message(message);
  }
  return reference.take();
}

Span whole_member(const Node::Entry& entry) {
  return {entry.key.span.offset, entry.value.span.end() - entry.key.span.offset};
}

}  // namespace

std::expected<Understood, Reason> reference_scan(Route route, std::string_view body) {
  const auto document = Parser(body).document();
  if (!document) return std::unexpected(document.error());
  if (document->kind != JsonKind::object) return std::unexpected(Reason::json);

  const std::string_view once[] = {"model",          "name",    "stream", "keep_alive", "options", "prompt",
                                   "messages",       "input",   "images", "tools",      "format",  "think",
                                   "stream_options", "verbose", "system", "template",   "shift"};
  for (const std::string_view name : once) {
    std::size_t count = 0;
    for (const auto& entry : document->members) count += fold(entry.key.text) == name ? 1U : 0U;
    if (count > 1) return std::unexpected(Reason::duplicate_key);
  }
  Understood result;
  bool bad_model = false;
  const bool native = dialect(route) == Dialect::ollama;
  for (const std::string_view name : {"name", "model"}) {
    if (name == "name" && route != Route::show) continue;
    for (const auto& entry : document->members) {
      if (fold(entry.key.text) != name) continue;
      bad_model |= is_bad_model(entry.value);
      if (entry.value.text.empty() && (name == "name" || !result.model.empty())) continue;
      result.model = entry.value.text;
      result.model_key = entry.key.span;
      result.model_value = entry.value.span;
    }
  }
  for (const auto& entry : document->members) {
    const std::string name = fold(entry.key.text);
    if (name == "shift" && entry.value.kind != JsonKind::null) {
      result.reload.add({ReloadOption::shift, whole_member(entry), entry.value.span});
    }
    if (name != "options") continue;
    std::vector<std::string> seen;
    for (const auto& option : entry.value.members) {
      for (std::size_t i = 0; i + 1 < kReloadOptionCount; ++i) {
        if (option.key.text != drover::api::name(static_cast<ReloadOption>(i))) continue;
        if (std::ranges::find(seen, option.key.text) != seen.end()) return std::unexpected(Reason::duplicate_key);
        seen.push_back(option.key.text);
        result.reload.add({static_cast<ReloadOption>(i), whole_member(option), option.value.span});
      }
    }
  }
  if (!native) result.reload = {};
  if (bad_model) return std::unexpected(Reason::invalid_model);

  result.stream = switch_of(find(*document, "stream"));
  result.verbose = switch_of(find(*document, "verbose"));
  if (const Node* const stream_options = find(*document, "stream_options")) {
    for (const auto& entry : stream_options->members) {
      if (fold(entry.key.text) == "include_usage") result.include_usage = switch_of(&entry.value);
    }
  }
  if (const Node* const keep_alive = find(*document, "keep_alive"); keep_alive != nullptr && native) {
    result.keep_alive = keep_alive_of(*keep_alive);
    if (result.keep_alive != KeepAlive::absent) result.keep_alive_value = keep_alive->span;
  }
  if (native) result.options = member(find(*document, "options"), {JsonKind::object});
  result.prompt = member(find(*document, "prompt"), {JsonKind::string});
  result.messages = member(find(*document, "messages"), {JsonKind::array});
  result.input = member(find(*document, "input"), {JsonKind::string, JsonKind::array});
  if (route == Route::openai_embeddings && result.input.presence == Presence::empty) {
    const Node* const input = find(*document, "input");
    if (input->kind == JsonKind::string) result.input.presence = Presence::filled;
  }
  result.tools = member(find(*document, "tools"), {JsonKind::array});
  result.format = member(find(*document, "format"), {JsonKind::string, JsonKind::object});
  result.system = member(find(*document, "system"), {JsonKind::string});
  result.template_text = member(find(*document, "template"), {JsonKind::string});
  result.has_images = has_images(*document);
  result.prompt_hashes = prompt_hashes(*document, body);
  return result;
}

}  // namespace drover::api
