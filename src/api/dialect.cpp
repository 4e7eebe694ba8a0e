#include "api/dialect.h"

#include "api/go_json.h"

namespace drover::api {
namespace {

// In the order of the enum.
constexpr ReasonTraits kReasons[] = {
    // reason, slug, status, retry_after, final_word
    {Reason::no_backend, "no_backend", 503, true, false},
    {Reason::connect_timeout, "connect_timeout", 504, false, true},
    {Reason::upstream_reset, "upstream_reset", 502, false, true},
    {Reason::upstream_tls, "upstream_tls", 502, false, true},
    {Reason::first_byte_timeout, "first_byte_timeout", 504, false, true},
    {Reason::bad_upstream_response, "bad_upstream_response", 502, false, true},
    {Reason::upstream_headers, "upstream_headers", 502, false, true},
    {Reason::upstream_stalled, "upstream_stalled", 504, false, true},
    {Reason::upstream_truncated, "upstream_truncated", 502, false, true},
    {Reason::upstream_failed, "upstream_failed", 502, false, true},
    {Reason::model_not_found, "model_not_found", 404, false, false},
    {Reason::queue_full, "queue_full", 503, true, false},
    {Reason::queue_timeout, "queue_timeout", 503, true, false},
    {Reason::deadline, "deadline", 504, false, true},
    {Reason::buffer_budget, "buffer_budget", 503, true, false},
    {Reason::connection_limit, "connection_limit", 503, true, false},
    {Reason::shutting_down, "shutting_down", 503, true, false},
    {Reason::body_too_large, "body_too_large", 413, false, false},
    {Reason::duplicate_key, "duplicate_key", 400, false, false},
    {Reason::invalid_model, "invalid_model", 400, false, false},
    {Reason::json, "json", 400, false, false},
    {Reason::json_depth, "json_depth", 400, false, false},
    {Reason::decode, "decode", 415, false, false},
    {Reason::content_type, "content_type", 400, false, false},
    {Reason::cloud_model, "cloud_model", 403, false, false},
    {Reason::not_served, "not_served", 501, false, true},
    {Reason::not_found, "not_found", 404, false, false},
    {Reason::method, "method", 405, false, false},
    {Reason::framing, "framing", 400, false, false},
    {Reason::te, "te", 400, false, false},
    {Reason::syntax, "syntax", 400, false, false},
    {Reason::header_name, "header_name", 400, false, false},
    {Reason::host, "host", 400, false, false},
    {Reason::origin, "origin", 403, false, false},
    {Reason::tenant, "tenant", 400, false, false},
    {Reason::headers_too_large, "headers_too_large", 431, false, false},
    {Reason::request_line, "request_line", 400, false, false},
    {Reason::path, "path", 400, false, false},
    {Reason::upgrade, "upgrade", 501, false, true},
    {Reason::expect, "expect", 417, false, false},
    {Reason::slow, "slow", 408, false, false},
    {Reason::incomplete, "incomplete", 400, false, false},
    {Reason::loop, "loop", 508, false, true},
    {Reason::client_left, "client_left", 499, false, false},
    {Reason::client_stalled, "client_stalled", 499, false, false},
    {Reason::internal, "internal", 500, false, true},
};

constexpr bool in_order() {
  if (std::size(kReasons) != kReasonCount) return false;
  for (std::size_t i = 0; i < kReasonCount; ++i) {
    if (static_cast<std::size_t>(kReasons[i].reason) != i) return false;
  }
  return true;
}
static_assert(in_order());

std::string_view openai_type(int status) {
  switch (status) {
    case 400: return "invalid_request_error";
    case 404: return "not_found_error";
    default: return "api_error";
  }
}

std::string_view anthropic_type(int status) {
  switch (status) {
    case 400: return "invalid_request_error";
    case 401: return "authentication_error";
    case 403: return "permission_error";
    case 404: return "not_found_error";
    case 429: return "rate_limit_error";
    case 503:
    case 529: return "overloaded_error";
    default: return "api_error";
  }
}

void append_ollama(std::string& out, std::string_view message) {
  out += R"({"error":)";
  append_go_string(out, message);
  out += '}';
}

void append_openai(std::string& out, int status, std::string_view message) {
  out += R"({"error":{"message":)";
  append_go_string(out, message);
  out += R"(,"type":")";
  out += openai_type(status);
  out += R"(","param":null,"code":null}})";
}

void append_anthropic(std::string& out, int status, std::string_view message, std::string_view request_id) {
  out += R"({"type":"error","error":{"type":")";
  out += anthropic_type(status);
  out += R"(","message":)";
  append_go_string(out, message);
  out += '}';
  if (!request_id.empty()) {
    out += R"(,"request_id":)";
    append_go_string(out, request_id);
  }
  out += '}';
}

}  // namespace

const ReasonTraits& traits(Reason reason) { return kReasons[static_cast<std::size_t>(reason)]; }

std::optional<Reason> reason_named(std::string_view slug) {
  for (const ReasonTraits& known : kReasons) {
    if (known.slug == slug) return known.reason;
  }
  return std::nullopt;
}

std::string error_body(Dialect dialect, int status, std::string_view message, std::string_view request_id) {
  std::string body;
  switch (dialect) {
    case Dialect::ollama: append_ollama(body, message); break;
    case Dialect::openai: append_openai(body, status, message); break;
    case Dialect::anthropic: append_anthropic(body, status, message, request_id); break;
  }
  // Ollama's OpenAI layer writes refusals of its own validation (400) without, all others with a newline.
  if (dialect != Dialect::ollama && status != 400) body += '\n';
  return body;
}

std::string_view error_content_type(Dialect dialect, int status) {
  return dialect == Dialect::ollama || status == 400 ? "application/json; charset=utf-8" : "application/json";
}

std::string error_frame(Dialect dialect, std::string_view message) {
  constexpr int kStatus = 500;  // a stream has no status left; its type of error is the general one
  std::string frame;
  switch (dialect) {
    case Dialect::ollama:
      append_ollama(frame, message);
      frame += '\n';
      break;
    case Dialect::openai:
      frame += "data: ";
      append_openai(frame, kStatus, message);
      frame += "\n\n";
      break;
    case Dialect::anthropic:
      frame += "event: error\ndata: ";
      append_anthropic(frame, kStatus, message, {});
      frame += "\n\n";
      break;
  }
  return frame;
}

}  // namespace drover::api
