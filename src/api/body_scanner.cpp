#include "api/body_scanner.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>

#include "api/go_duration.h"
#include "api/go_json.h"
#include "api/known_keys.h"
#include "base/ascii.h"

namespace drover::api {

enum class BodyScanner::Key : std::uint8_t {
  other,
  // of the body
  model,
  name,
  stream,
  keep_alive,
  options,
  prompt,
  messages,
  input,
  images,
  tools,
  format,
  think,
  stream_options,
  verbose,
  system,
  template_text,
  shift,
  // of inner objects
  reload_option,
  include_usage,
  message_images,
  role,
  content,
  text,
  media,
  media_bytes,
};

namespace {

// Go's type for each body, which its messages name.
std::string_view go_type(Route route) {
  switch (route) {
    case Route::chat: return "api.ChatRequest";
    case Route::embed: return "api.EmbedRequest";
    case Route::embeddings: return "api.EmbeddingRequest";
    case Route::show: return "api.ShowRequest";
    case Route::chat_completions: return "openai.ChatCompletionRequest";
    case Route::completions: return "openai.CompletionRequest";
    case Route::openai_embeddings: return "openai.EmbedRequest";
    default: return "api.GenerateRequest";
  }
}

std::string_view go_kind(JsonKind kind) {
  switch (kind) {
    case JsonKind::null: return "null";
    case JsonKind::off:
    case JsonKind::on: return "bool";
    case JsonKind::number: return "number";
    case JsonKind::string: return "string";
    case JsonKind::array: return "array";
    case JsonKind::object: return "object";
  }
  return "";
}

// A key as Go compares it with the names of its fields: without regard to case, where `ſ` is an s and the Kelvin sign a
// k. Longer ones than any name we know fold to nothing.
class FoldedKey {
 public:
  explicit FoldedKey(std::string_view key) {
    constexpr std::string_view kLongS = "\xc5\xbf";
    constexpr std::string_view kKelvin = "\xe2\x84\xaa";
    while (!key.empty() && size_ < bytes_.size()) {
      std::size_t taken = 1;
      char c = ascii::lower(key.front());
      if (c == kLongS.front() && key.starts_with(kLongS)) {
        c = 's';
        taken = kLongS.size();
      } else if (c == kKelvin.front() && key.starts_with(kKelvin)) {
        c = 'k';
        taken = kKelvin.size();
      }
      bytes_[size_++] = c;
      key.remove_prefix(taken);
    }
    if (!key.empty()) size_ = 0;
  }
  std::string_view text() const { return {bytes_.data(), size_}; }

 private:
  std::array<char, 24> bytes_;
  std::size_t size_ = 0;
};

// Folding would leave it as it is.
bool is_folded(std::string_view key) {
  return std::ranges::none_of(key,
                              [](char c) { return (c >= 'A' && c <= 'Z') || static_cast<unsigned char>(c) >= 0x80; });
}

// Options are a map on the node, so their names are compared byte by byte.
const ReloadOption* reload_option(std::string_view key) {
  constexpr auto known = [](ReloadOption option) { return KnownKey<ReloadOption>{name(option), option}; };
  static constexpr KnownKeys kOptions({known(ReloadOption::num_ctx), known(ReloadOption::num_batch),
                                       known(ReloadOption::num_gpu), known(ReloadOption::main_gpu),
                                       known(ReloadOption::use_mmap), known(ReloadOption::num_thread),
                                       known(ReloadOption::draft_num_predict)});
  return kOptions.find(key);
}

// Nothing that a terminal, a log or a header would not show as one character: no controls (C0, DEL, C1), no line or
// paragraph separator.
bool is_printable(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x20 || byte == 0x7f) return false;
    if (byte == 0xc2 && static_cast<unsigned char>(text[i + 1]) < 0xa0) return false;
    if (byte == 0xe2 && (text.substr(i, 3) == "\xe2\x80\xa8" || text.substr(i, 3) == "\xe2\x80\xa9")) return false;
  }
  return true;
}

// Of a value that must have one type; null is as good as absent.
Member member(const JsonValue& value, bool right_type) {
  if (value.kind == JsonKind::null) return {};
  const auto presence = !right_type ? Presence::wrong_type : value.empty ? Presence::empty : Presence::filled;
  return {presence, value.span};
}

Switch switch_of(JsonKind kind) {
  switch (kind) {
    case JsonKind::null: return Switch::absent;
    case JsonKind::off: return Switch::off;
    case JsonKind::on: return Switch::on;
    default: return Switch::wrong_type;
  }
}

// Seconds as a JSON number. Beyond 256 digits it is taken for some lifetime.
KeepAlive keep_alive_of_number(const JsonText& number) {
  if (number.overflow) return KeepAlive::other;
  const double count = std::strtod(std::string(number.text).c_str(), nullptr);
  if (std::isinf(count)) return KeepAlive::invalid;
  return count >= 0 && count * 1e9 < 1 ? KeepAlive::zero : KeepAlive::other;  // Go cuts to whole nanoseconds
}

KeepAlive keep_alive_of_text(const JsonText& text) {
  if (text.overflow) return KeepAlive::other;
  const auto lifetime = parse_go_duration(text.text);
  if (!lifetime) return KeepAlive::invalid;
  return *lifetime == Duration::zero() ? KeepAlive::zero : KeepAlive::other;
}

KeepAlive keep_alive_of(const JsonValue& value) {
  switch (value.kind) {
    case JsonKind::null: return KeepAlive::absent;
    case JsonKind::number: return keep_alive_of_number(value.content);
    case JsonKind::string: return keep_alive_of_text(value.content);
    case JsonKind::off:
    case JsonKind::on:
    case JsonKind::array:
    case JsonKind::object: return KeepAlive::invalid;
  }
  return KeepAlive::invalid;
}

}  // namespace

bool BodyScanner::feed(std::string_view piece) {
  if (refusal_) return false;
  if (reader_.feed(piece, *this) || refusal_) return !refusal_;
  const bool deep = reader_.fault() == JsonReader::Fault::depth;
  deny(deep ? Reason::json_depth : Reason::json, reader_.message());
  return false;
}

std::expected<Understood, Refusal> BodyScanner::finish() {
  // A blank ends a number that stands alone, which is then refused as no object.
  if (depth_ == 0 && reader_.begun() && !reader_.complete()) feed(" ");
  if (refusal_) return std::unexpected(*refusal_);
  if (!reader_.begun()) {
    return std::unexpected(refuse(Reason::json, dialect(route_) == Dialect::ollama ? "missing request body" : "EOF"));
  }
  if (!reader_.complete()) return std::unexpected(refuse(Reason::json, "unexpected EOF"));

  if (route_ == Route::show && understood_.model.empty() && !name_.empty()) {
    understood_.model = std::move(name_);
    understood_.model_key = name_key_;
    understood_.model_value = name_value_;
  }
  if (dialect(route_) != Dialect::ollama) {
    understood_.keep_alive = KeepAlive::absent;
    understood_.keep_alive_value = {};
    understood_.options = {};
    understood_.reload = {};
  }
  understood_.prompt_hashes = chain_.take();
  return std::move(understood_);
}

bool BodyScanner::opened(JsonKind kind) {
  const bool object = kind == JsonKind::object;
  const Key key = frame().key;
  Context inner = Context::outside;
  switch (frame().context) {
    case Context::outside:
      if (!object) refuse_not_object(kind);
      inner = object ? Context::body : Context::outside;
      break;
    case Context::body:
      if (object && key == Key::options) inner = Context::options;
      if (object && key == Key::stream_options) inner = Context::stream_options;
      if (!object && key == Key::messages) inner = Context::messages;
      if (!object && key == Key::images) inner = Context::images;
      break;
    case Context::messages:
      if (object) inner = Context::message;
      break;
    case Context::message:
      if (!object && key == Key::content) inner = Context::content;
      if (!object && key == Key::message_images) inner = Context::images;
      break;
    case Context::content:
      if (object) inner = Context::part;
      break;
    case Context::part:
      if (object && key == Key::media) inner = Context::media;
      break;
    case Context::options:
    case Context::stream_options:
    case Context::media:
    case Context::images: break;
  }
  if (inner == Context::outside) return false;
  frames_[++depth_] = Frame{.context = inner};
  return true;
}

// `text` as it stands, or folded as Go folds it; whichever is known.
BodyScanner::Key BodyScanner::find_key(Context context, std::string_view text) {
  static constexpr KnownKeys kBody({KnownKey<Key>{"model", Key::model},
                                    {"name", Key::name},
                                    {"stream", Key::stream},
                                    {"keep_alive", Key::keep_alive},
                                    {"options", Key::options},
                                    {"prompt", Key::prompt},
                                    {"messages", Key::messages},
                                    {"input", Key::input},
                                    {"images", Key::images},
                                    {"tools", Key::tools},
                                    {"format", Key::format},
                                    {"think", Key::think},
                                    {"stream_options", Key::stream_options},
                                    {"verbose", Key::verbose},
                                    {"system", Key::system},
                                    {"template", Key::template_text},
                                    {"shift", Key::shift}});
  static constexpr KnownKeys kStreamOptions({KnownKey<Key>{"include_usage", Key::include_usage}});
  static constexpr KnownKeys kMessage(
      {KnownKey<Key>{"role", Key::role}, {"content", Key::content}, {"images", Key::message_images}});
  static constexpr KnownKeys kPart(
      {KnownKey<Key>{"text", Key::text}, {"image_url", Key::media}, {"input_audio", Key::media}});
  static constexpr KnownKeys kMedia({KnownKey<Key>{"url", Key::media_bytes}, {"data", Key::media_bytes}});

  const auto look_up = [text](const auto& known_here) {
    const Key* known = known_here.find(text);
    if (known == nullptr && !is_folded(text)) known = known_here.find(FoldedKey(text).text());
    return known == nullptr ? Key::other : *known;
  };
  switch (context) {
    case Context::body: return look_up(kBody);
    case Context::stream_options: return look_up(kStreamOptions);
    case Context::message: return look_up(kMessage);
    case Context::part: return look_up(kPart);
    case Context::media: return look_up(kMedia);
    case Context::outside:
    case Context::options:
    case Context::messages:
    case Context::content:
    case Context::images: return Key::other;
  }
  return Key::other;
}

bool BodyScanner::key(const JsonText& key, Span span) {
  Frame& member = frame();
  member.key = Key::other;
  member.key_span = span;
  if (key.overflow) return false;
  if (member.context == Context::options) {
    const ReloadOption* const option = reload_option(key.text);
    if (option == nullptr) return false;
    member.key = Key::reload_option;
    member.option = *option;
    const std::uint32_t bit = 1U << static_cast<unsigned>(*option);
    if ((seen_options_ & bit) != 0) refuse_twice(key.text);
    seen_options_ |= bit;
    return false;
  }
  member.key = find_key(member.context, key.text);
  return member.context == Context::body && member.key != Key::other && body_key(member.key, key.text);
}

// Each key of the body may come once. True: its text is wanted.
bool BodyScanner::body_key(Key key, std::string_view text) {
  const std::uint64_t bit = std::uint64_t{1} << static_cast<unsigned>(key);
  if ((seen_ & bit) != 0) refuse_twice(text);
  seen_ |= bit;
  return key == Key::model || key == Key::name || key == Key::keep_alive;
}

void BodyScanner::value(const JsonValue& value) {
  const Frame& member_of = frame();
  switch (member_of.context) {
    case Context::outside:
      if (value.kind != JsonKind::object) refuse_not_object(value.kind);
      return;
    case Context::body: return body_value(value);
    case Context::options:
      if (member_of.key != Key::reload_option) return;
      return add_reload(member_of.option, value.span);
    case Context::stream_options:
      if (member_of.key == Key::include_usage) understood_.include_usage = switch_of(value.kind);
      return;
    case Context::message:
      if (member_of.key == Key::message_images) understood_.has_images |= value.kind == JsonKind::array && !value.empty;
      return;
    case Context::part:
      if (member_of.key == Key::media) understood_.has_images |= value.kind != JsonKind::null;
      return;
    case Context::messages:
    case Context::content:
    case Context::media:
    case Context::images: return;
  }
}

// What a prompt is made of: texts, who says them, images.
bool BodyScanner::wants_raw() {
  const Frame& member_of = frame();
  const Key key = member_of.key;
  raw_is_image_ = false;
  switch (member_of.context) {
    case Context::body: return key == Key::prompt || key == Key::system;
    case Context::message: return key == Key::role || key == Key::content;
    case Context::part: raw_is_image_ = key == Key::media; return key == Key::text || key == Key::media;
    case Context::media: raw_is_image_ = true; return key == Key::media_bytes;
    case Context::images: raw_is_image_ = true; return true;
    case Context::outside:
    case Context::options:
    case Context::stream_options:
    case Context::messages:
    case Context::content: return false;
  }
  return false;
}

void BodyScanner::raw(std::string_view bytes, bool last) {
  if (raw_is_image_) {
    chain_.image(bytes);
    if (last) chain_.end_image();
  } else {
    chain_.text(bytes);
    if (last) chain_.end_text();
  }
}

void BodyScanner::body_value(const JsonValue& value) {
  const bool is_string = value.kind == JsonKind::string;
  const bool is_array = value.kind == JsonKind::array;
  switch (frame().key) {
    case Key::model: return take_model(value, understood_.model, understood_.model_key, understood_.model_value);
    case Key::name:
      if (route_ == Route::show) take_model(value, name_, name_key_, name_value_);
      return;
    case Key::stream: understood_.stream = switch_of(value.kind); return;
    case Key::verbose: understood_.verbose = switch_of(value.kind); return;
    case Key::keep_alive:
      understood_.keep_alive = keep_alive_of(value);
      if (understood_.keep_alive != KeepAlive::absent) understood_.keep_alive_value = value.span;
      return;
    case Key::options: understood_.options = member(value, value.kind == JsonKind::object); return;
    case Key::prompt: understood_.prompt = member(value, is_string); return;
    case Key::messages: understood_.messages = member(value, is_array); return;
    case Key::input:
      understood_.input = member(value, is_string || is_array);
      // OpenAI's layer embeds an empty text; Ollama's own route takes it for no input.
      if (route_ == Route::openai_embeddings && is_string) understood_.input.presence = Presence::filled;
      return;
    case Key::images: understood_.has_images |= is_array && !value.empty; return;
    case Key::tools: understood_.tools = member(value, is_array); return;
    case Key::format: understood_.format = member(value, is_string || value.kind == JsonKind::object); return;
    case Key::system: understood_.system = member(value, is_string); return;
    case Key::template_text: understood_.template_text = member(value, is_string); return;
    case Key::shift:
      if (value.kind != JsonKind::null) add_reload(ReloadOption::shift, value.span);
      return;
    case Key::other:
    case Key::think:           // known only so that it cannot come twice
    case Key::stream_options:  // its members have been told already
    case Key::reload_option:
    case Key::include_usage:
    case Key::message_images:
    case Key::role:
    case Key::content:
    case Key::text:
    case Key::media:
    case Key::media_bytes: return;
  }
}

void BodyScanner::add_reload(ReloadOption option, Span value) {
  if (refusal_) return;  // the reader goes on to the end of the piece: an option may come again and again
  const std::uint64_t begin = frame().key_span.offset;
  understood_.reload.add({option, {begin, value.end() - begin}, value});
}

void BodyScanner::take_model(const JsonValue& value, std::string& model, Span& key_span, Span& value_span) {
  const JsonText& text = value.content;
  if (value.kind != JsonKind::string || text.overflow || text.malformed || !is_printable(text.text)) {
    deny(Reason::invalid_model,
         fmt::format("invalid model name: expected a string of at most {} printable bytes", kMaxModelBytes));
    return;
  }
  model = text.text;
  key_span = frame().key_span;
  value_span = value.span;
}

void BodyScanner::refuse_not_object(JsonKind kind) {
  deny(Reason::json, fmt::format("json: cannot unmarshal {} into Go value of type {}", go_kind(kind), go_type(route_)));
}

void BodyScanner::refuse_twice(std::string_view key) {
  deny(Reason::duplicate_key, fmt::format("duplicate key {} in the request's body", go_string(key)));
}

// The first refusal stands.
void BodyScanner::deny(Reason reason, std::string message) {
  if (!refusal_) refusal_ = refuse(reason, std::move(message));
}

}  // namespace drover::api
