#include "api/answer_tap.h"

#include <algorithm>

#include "api/json_text.h"
#include "api/known_keys.h"
#include "base/ascii.h"
#include "http/media_type.h"

namespace drover::api {
namespace {

constexpr std::string_view kField = "data:";
constexpr std::string_view kDone = "[DONE]";

// Whole, not negative; all else is as good as unsaid.
std::optional<std::uint64_t> count_of(const JsonValue& value) {
  return value.kind == JsonKind::number ? ascii::to_number(value.content.text) : std::nullopt;
}

// The number that `text` begins with, which is taken off it; digits alone are one. nullopt: none, or a very large one.
std::optional<std::uint64_t> take_count(std::string_view& text) {
  constexpr std::size_t kFits = 19;  // so many digits always do
  std::uint64_t count = 0;
  std::size_t digits = 0;
  for (; digits < text.size() && ascii::is_digit(text[digits]); ++digits) {
    if (digits == kFits) return std::nullopt;
    count = count * 10 + static_cast<std::uint64_t>(text[digits] - '0');
  }
  text.remove_prefix(digits);
  return digits > 0 ? std::optional(count) : std::nullopt;
}

void note(std::optional<std::uint64_t>& into, std::optional<std::uint64_t> count) {
  if (count) into = count;
}

void note(std::optional<Duration>& duration, std::optional<std::uint64_t> nanoseconds) {
  if (nanoseconds && *nanoseconds <= static_cast<std::uint64_t>(Duration::max().count())) {
    duration = Duration{static_cast<std::int64_t>(*nanoseconds)};
  }
}

// What `later` says stands.
void merge(AnswerMetrics& into, const AnswerMetrics& later) {
  const auto take = [](auto& old, const auto& fresh) {
    if (fresh) old = fresh;
  };
  take(into.prompt_tokens, later.prompt_tokens);
  take(into.cached_tokens, later.cached_tokens);
  take(into.eval_tokens, later.eval_tokens);
  take(into.total, later.total);
  take(into.load, later.load);
  take(into.prompt_eval, later.prompt_eval);
  take(into.eval, later.eval);
}

bool is_chat_or_text(Route route) {
  return route == Route::generate || route == Route::chat || route == Route::chat_completions ||
         route == Route::completions;
}

}  // namespace

Framing framing_of(std::string_view content_type) {
  if (http::is_media_type(content_type, "application/x-ndjson")) return Framing::ndjson;
  if (http::is_media_type(content_type, "text/event-stream")) return Framing::sse;
  return Framing::single;
}

void AnswerTap::feed(std::string_view piece, bool last) {
  if (framing_ == Framing::single) {
    const bool whole = last && messages_ == 0;
    if (!piece.empty()) messages_ = 1;
    if (!whole || !take_ordinary_end(piece)) payload(piece);
    return;
  }
  while (!piece.empty()) {
    if (!line_open_ && piece.front() == '\n') {
      line_was_empty_ = true;
      piece.remove_prefix(1);
      continue;
    }
    const auto end = piece.find('\n');
    const std::string_view line = piece.substr(0, end);
    if (end == std::string_view::npos) return line_part(line);
    piece.remove_prefix(end + 1);
    if (!line_open_ && is_ordinary(line)) {
      ++messages_;
      line_was_empty_ = false;
      continue;
    }
    if (!line_open_ && framing_ == Framing::ndjson && take_ordinary_end(line)) {
      line_was_empty_ = false;
      continue;
    }
    line_part(line);
    line_ended();
  }
}

// A whole line that carries a piece of the answer and nothing else. Its end tells: Ollama writes `done`, and OpenAI's
// `choices` their `finish_reason`, last. Inside a string the quotes would be escaped, inside an inner object more
// braces would follow. False: it must be read.
bool AnswerTap::is_ordinary(std::string_view line) const {
  if (framing_ == Framing::ndjson) return line.starts_with(R"({"model":)") && line.ends_with(R"(,"done":false})");
  if (!line.starts_with("data: {") || !line.ends_with(R"("finish_reason":null}]})")) return false;
  constexpr std::size_t kModelWithin = 192;  // bytes from the start; further back costs one more reading
  constexpr std::string_view kModel = R"("model":")";
  const auto found = find_quoted(line.substr(0, kModelWithin), kModel);
  if (found == std::string_view::npos) return false;
  const auto after = found + kModel.size();
  return after < line.size() && line[after] != '"';
}

// A whole message that ends as Ollama ends its answers: `"done":true`, then why, counts and durations, and no brace but
// the last. In a string the quotes would be escaped, in an inner object one more brace would follow. False: it must be
// read, and nothing has been taken of it.
bool AnswerTap::take_ordinary_end(std::string_view message) {
  constexpr std::string_view kBegin = R"({"model":")";
  constexpr std::string_view kDoneTrue = R"("done":true,)";
  constexpr std::string_view kDoneReason = R"("done_reason":")";
  constexpr std::size_t kWithin = 400;  // bytes from the end
  if (message.ends_with('\n')) message.remove_suffix(1);
  if (message.find('\n') != std::string_view::npos) return false;  // several messages, or none of Ollama's
  if (dialect(route_) != Dialect::ollama || !message.starts_with(kBegin)) return false;
  if (message.size() == kBegin.size() || message[kBegin.size()] == '"') return false;
  const std::size_t tail = message.size() - std::min(message.size(), kWithin);
  const std::size_t found = find_quoted(message.substr(tail), kDoneTrue);
  if (found == std::string_view::npos || message[tail + found - 1] != ',') return false;

  std::string_view rest = message.substr(tail + found + kDoneTrue.size());
  if (rest.starts_with(kDoneReason)) {
    rest.remove_prefix(kDoneReason.size());
    rest.remove_prefix(static_cast<std::size_t>(skip_plain(rest.begin(), rest.end()) - rest.begin()));
    if (!rest.starts_with("\",")) return false;
    rest.remove_prefix(2);
  }
  AnswerMetrics metrics;
  while (true) {
    const std::size_t colon = rest.find(':');
    if (colon == std::string_view::npos || colon < 3 || rest[0] != '"' || rest[colon - 1] != '"') return false;
    const Key key = find_key(Context::document, rest.substr(1, colon - 2));
    rest.remove_prefix(colon + 1);
    const auto count = take_count(rest);
    if (!count || !note_metric(key, count, metrics)) return false;
    if (rest == "}") break;
    if (!rest.starts_with(',')) return false;
    rest.remove_prefix(1);
  }
  // What follows `done` has just been read.
  if (find_quoted(message.substr(0, tail + found), R"("error":)") != std::string_view::npos) return false;
  merge(metrics_, metrics);
  terminator_ = true;
  return true;
}

void AnswerTap::line_part(std::string_view part) {
  if (part.empty()) return;
  line_open_ = true;
  if (framing_ == Framing::ndjson) return payload(part);
  while (is_data_ && prefix_ < kField.size() && !part.empty()) {
    is_data_ = part.front() == kField[prefix_++];
    part.remove_prefix(1);
  }
  if (is_data_) payload(part);
}

void AnswerTap::line_ended() {
  line_was_empty_ = !line_open_;
  line_open_ = false;
  prefix_ = 0;
  is_data_ = true;
  head_size_ = 0;
  reading_.reset();
}

// What a line says, without the name of its field.
void AnswerTap::payload(std::string_view part) {
  if (framing_ == Framing::sse) {
    for (const char c : part) {
      if (head_size_ == head_.size()) break;
      if (head_size_ > 0 || c != ' ') head_[head_size_++] = c;
    }
    terminator_ |= std::string_view(head_.data(), head_size_) == kDone;
  }
  // What is no JSON, such as [DONE], says nothing more.
  if (reading_ == nullptr) reading_ = make_pooled<Reading>();
  [[maybe_unused]] const bool is_json = reading_->reader.feed(part, *this);
}

bool AnswerTap::opened(JsonKind kind) {
  const bool object = kind == JsonKind::object;
  const Key key = frame().key;
  Context inner = Context::outside;
  switch (frame().context) {
    case Context::outside:
      if (object) inner = Context::document;
      break;
    case Context::document:
      if (object && key == Key::usage) inner = Context::usage;
      if (!object && key == Key::choices) inner = Context::choices;
      break;
    case Context::usage:
      if (object && key == Key::usage_details) inner = Context::usage_details;
      break;
    case Context::choices:
      if (object) inner = Context::choice;
      break;
    case Context::usage_details:
    case Context::choice: break;
  }
  if (inner == Context::outside) return false;
  reading_->frames[++reading_->depth] = Frame{.context = inner};
  return true;
}

AnswerTap::Key AnswerTap::find_key(Context context, std::string_view text) {
  static constexpr KnownKeys kDocument({KnownKey<Key>{"done", Key::done},
                                        {"error", Key::error},
                                        {"model", Key::model},
                                        {"choices", Key::choices},
                                        {"usage", Key::usage},
                                        {"prompt_eval_count", Key::prompt_tokens},
                                        {"prompt_eval_cached_count", Key::cached_tokens},
                                        {"prompt_eval_duration", Key::prompt_eval},
                                        {"eval_count", Key::eval_tokens},
                                        {"eval_duration", Key::eval},
                                        {"load_duration", Key::load},
                                        {"total_duration", Key::total}});
  static constexpr KnownKeys kChoice({KnownKey<Key>{"finish_reason", Key::finish_reason}});
  static constexpr KnownKeys kUsage({KnownKey<Key>{"prompt_tokens", Key::prompt_tokens},
                                     {"completion_tokens", Key::eval_tokens},
                                     {"prompt_tokens_details", Key::usage_details}});
  static constexpr KnownKeys kUsageDetails({KnownKey<Key>{"cached_tokens", Key::cached_tokens}});

  const auto look_up = [text](const auto& known_here) {
    const Key* const known = known_here.find(text);
    return known == nullptr ? Key::other : *known;
  };
  switch (context) {
    case Context::document: return look_up(kDocument);
    case Context::choice: return look_up(kChoice);
    case Context::usage: return look_up(kUsage);
    case Context::usage_details: return look_up(kUsageDetails);
    case Context::outside:
    case Context::choices: return Key::other;
  }
  return Key::other;
}

bool AnswerTap::key(const JsonText& key, Span) {
  frame().key = find_key(frame().context, key.text);
  return frame().key != Key::other;
}

void AnswerTap::value(const JsonValue& value) {
  if (frame().context == Context::outside) return message_ended();
  Message& message = reading_->message;
  switch (frame().key) {
    case Key::done:
      message.done = value.kind == JsonKind::on;
      message.not_done = value.kind == JsonKind::off;
      return;
    case Key::error: message.error = value.kind != JsonKind::null; return;
    case Key::model: message.nameless = value.kind == JsonKind::string && value.empty; return;
    case Key::choices: message.has_choices = value.kind == JsonKind::array && !value.empty; return;
    case Key::finish_reason: message.finished |= value.kind == JsonKind::string; return;
    default: note_metric(frame().key, count_of(value), message.metrics);
  }
}

// False: the key is none of a count or a duration.
bool AnswerTap::note_metric(Key key, std::optional<std::uint64_t> count, AnswerMetrics& metrics) {
  switch (key) {
    case Key::prompt_tokens: return note(metrics.prompt_tokens, count), true;
    case Key::cached_tokens: return note(metrics.cached_tokens, count), true;
    case Key::eval_tokens: return note(metrics.eval_tokens, count), true;
    case Key::total: return note(metrics.total, count), true;
    case Key::load: return note(metrics.load, count), true;
    case Key::prompt_eval: return note(metrics.prompt_eval, count), true;
    case Key::eval: return note(metrics.eval, count), true;
    default: return false;
  }
}

// A JSON document of the answer is whole, though its line may not be.
void AnswerTap::message_ended() {
  const Message& message = reading_->message;
  error_ |= message.error;
  merge(metrics_, message.metrics);
  if (framing_ == Framing::ndjson) {
    terminator_ |= message.done;
    if (!message.done && !message.error) ++messages_;
  } else if (framing_ == Framing::sse) {
    const bool crashed = message.nameless && !message.finished && message.has_choices;
    crash_ |= crashed;
    if (message.has_choices && !message.error && !crashed) ++messages_;
  } else {
    const bool native = dialect(route_) == Dialect::ollama;
    terminator_ = !is_chat_or_text(route_) || (native ? message.done : message.finished);
    done_false_ = !terminator_ && (native ? message.not_done : message.has_choices);
  }
}

bool AnswerTap::at_boundary() const {
  switch (framing_) {
    case Framing::ndjson: return !line_open_;
    case Framing::sse: return !line_open_ && line_was_empty_;
    case Framing::single: return messages_ == 0;
  }
  return false;
}

Verdict AnswerTap::verdict() const {
  if (error_) return Verdict::failed_in_band;
  if (terminator_) return Verdict::complete;
  if (crash_) return Verdict::failed_in_band;
  return done_false_ ? Verdict::done_false : Verdict::truncated;
}

}  // namespace drover::api
