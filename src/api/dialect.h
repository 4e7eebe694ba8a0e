#pragma once
// How each family of clients wants to be told that something failed, and the fixed list of reasons why we fail.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace drover::api {

// Whose API a request speaks. It decides the shape of errors and the framing of streams.
enum class Dialect : std::uint8_t { ollama, openai, anthropic };

// Why the gateway refused or ended a request. The slug is the value of `x-drover-reason`, the metric label and the
// log field, so entries are only ever added. Sources: the rows of the fault matrix.
enum class Reason : std::uint8_t {
  // No node could do it.
  no_backend,
  connect_timeout,
  upstream_reset,
  upstream_tls,
  first_byte_timeout,
  bad_upstream_response,
  upstream_headers,
  upstream_stalled,
  upstream_truncated,
  upstream_failed,  // the node said so itself, in its stream
  model_not_found,
  // Too much at once.
  queue_full,
  queue_timeout,
  deadline,
  buffer_budget,
  connection_limit,
  shutting_down,
  // The request's body.
  body_too_large,
  duplicate_key,
  invalid_model,
  json,
  json_depth,
  decode,
  content_type,
  // What is not served here.
  cloud_model,
  not_served,
  not_found,
  method,
  // The request's head and framing.
  framing,
  te,
  syntax,
  header_name,
  host,
  origin,
  tenant,
  headers_too_large,
  request_line,
  path,
  upgrade,
  expect,
  slow,
  incomplete,
  loop,
  // The client left before the end.
  client_left,
  client_stalled,
  // A fault of ours.
  internal,
};
inline constexpr std::size_t kReasonCount = static_cast<std::size_t>(Reason::internal) + 1;

// What follows from a reason. `status` is the usual one; a few reasons have several (request_line: 414, 400, 505).
struct ReasonTraits {
  Reason reason;
  std::string_view slug;
  int status;
  bool retry_after;  // the answer carries retry-after: trying again later may help
  bool final_word;   // the answer carries x-should-retry: false, since OpenAI's libraries would repeat it in vain
};
const ReasonTraits& traits(Reason reason);
inline std::string_view slug(Reason reason) { return traits(reason).slug; }
inline int default_status(Reason reason) { return traits(reason).status; }
// The reason of that slug, such as the parsers of http/ report; nullopt when there is none.
std::optional<Reason> reason_named(std::string_view slug);

// A refusal on its way to the client. `message` is for people and quotes nothing secret.
struct Refusal {
  Reason reason;
  int status;
  std::string message;
};
inline Refusal refuse(Reason reason, std::string message) {
  return Refusal{reason, default_status(reason), std::move(message)};
}

// The body of an error answer. `request_id` appears in Anthropic's shape only.
std::string error_body(Dialect dialect, int status, std::string_view message, std::string_view request_id = {});
std::string_view error_content_type(Dialect dialect, int status);

// The last thing in a stream that failed: an NDJSON line, or an SSE event. It must start on a boundary of the stream
// (AnswerTap::at_boundary), and the connection must then be aborted, never ended cleanly.
std::string error_frame(Dialect dialect, std::string_view message);

// What a path or method that no route has is answered with, as gin does: text/plain, no newline.
inline constexpr std::string_view kNotFoundPage = "404 page not found";
inline constexpr std::string_view kWrongMethodPage = "405 method not allowed";
inline constexpr std::string_view kPlainPageType = "text/plain";

}  // namespace drover::api
