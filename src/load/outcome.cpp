#include "load/outcome.h"

#include <fmt/format.h>

#include "base/json.h"

namespace drover::load {
namespace {

std::optional<Duration> since(Duration from, const std::optional<Duration>& to) {
  return to ? std::optional(*to - from) : std::nullopt;
}

// The text of an error in any dialect: `{"error":"…"}` or `{"error":{"message":"…"}}`.
std::string message_of(std::string_view body) {
  const auto document = parse_json(body);
  std::string_view text = body;
  if (document) {
    const Json* error = member(*document, "error");
    if (error != nullptr && error->is_object()) text = text_at(*error, "message");
    if (error != nullptr && error->is_string()) text = text_at(*document, "error");
  }
  return std::string(text.substr(0, Outcome::kMaxMessage));
}

}  // namespace

std::string_view name(End end) {
  switch (end) {
    case End::ok: return "ok";
    case End::refused: return "refused";
    case End::failed: return "failed";
    case End::cut: return "cut";
    case End::wrong: return "wrong";
    case End::dropped: return "dropped";
    case End::unfinished: return "unfinished";
  }
  return {};
}

std::optional<Duration> Outcome::time_to_first_token() const { return since(due, first_token); }
std::optional<Duration> Outcome::end_to_end() const { return since(due, ended); }
std::optional<Duration> Outcome::slip() const { return since(due, sent); }

std::optional<Duration> Outcome::time_per_token() const {
  if (!first_token || !ended || tokens.value < 2) return std::nullopt;
  return (*ended - *first_token) / static_cast<std::int64_t>(tokens.value - 1);
}

Ending ending_without_answer(ErrorCode code, std::string_view reason) {
  if (code == ErrorCode::cancelled) return {.end = End::unfinished};
  return {.end = End::failed, .kind = std::string(name(code)), .message = std::string(reason)};
}

Ending ending_of_refusal(int status, std::string_view reason, std::string_view body) {
  return {.end = status == 429 || status == 503 ? End::refused : End::failed,
          .kind = reason.empty() ? std::to_string(status) : fmt::format("{} {}", status, reason),
          .message = message_of(body)};
}

Ending ending_of_answer(const AnswerSeen& seen) {
  using api::Verdict;
  if (!seen.wrong.empty()) return {.end = End::wrong, .kind = "wrong_token", .message = std::string(seen.wrong)};
  if (seen.verdict == Verdict::complete) {
    if (seen.tokens_missing) return {.end = End::wrong, .kind = "missing_token"};
    return {.end = End::ok};
  }
  if (seen.broke == ErrorCode::cancelled) return {.end = End::unfinished};
  const End end = seen.first_token ? End::cut : End::failed;
  // An error that was told comes first: a connection that breaks behind it only says so again.
  if (seen.verdict == Verdict::failed_in_band) return {.end = end, .kind = "error_in_answer"};
  if (seen.broke) return {.end = end, .kind = std::string(name(*seen.broke))};
  return {.end = end, .kind = "no_terminator", .message = "the answer ended as if all were well, and is not whole"};
}

}  // namespace drover::load
