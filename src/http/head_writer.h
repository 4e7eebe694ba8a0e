#pragma once
// Writes heads at the end of a string whose capacity the caller keeps, so that no head allocates. Requests to nodes are
// rebuilt from an allow-list; answers of nodes are relayed as runs of lines, less what must not pass.

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "http/fields.h"
#include "http/request_head.h"
#include "http/response_head.h"

namespace drover::http {

// How the body behind a head that we write is delimited.
struct Framing {
  BodyKind kind = BodyKind::none;
  std::uint64_t length = 0;  // kind `length` only
};

// "OK", "Not Found"; "Unknown" for a status without a name.
std::string_view reason_phrase(int status);

// `HTTP/1.1 status reason` and CRLF; `status` has three digits. Always 1.1: the version is that of the writer, not of
// its reader.
void append_status_line(std::string& out, int status);
// `name: value` and CRLF. Control characters in the value, which would end the line, are written as spaces: values may
// come from peers.
void append_field(std::string& out, std::string_view name, std::string_view value);
void append_field(std::string& out, std::string_view name, std::uint64_t value);
// Content-Length or Transfer-Encoding; nothing for `none` and `until_close`.
void append_framing(std::string& out, Framing framing);
// `Connection: close`, or `keep-alive` to an HTTP/1.0 peer, which needs to be told; nothing otherwise.
void append_connection(std::string& out, bool keep_alive, int peer_minor);
// The blank line.
inline void end_head(std::string& out) { out += "\r\n"; }

// The time as the Date field has it, `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, section 5.6.7). Callers keep it for a
// second.
using HttpDate = std::array<char, 29>;
HttpDate http_date(Wall time);

// A request to a node: the request line, Host, the fields of the client's head that a node may see (Content-Type,
// Accept, User-Agent, X-Request-Id, traceparent; the first of each), `Accept-Encoding: identity`, `own` (credentials of
// the node, hop marks; they replace a client's field of the same name), the framing, the blank line. Everything else
// the client sent ends here: Authorization, cookies, X-Forwarded-*, Origin.
struct UpstreamRequest {
  std::string_view method;  // "POST"
  std::string_view target;  // path and query for the node; ours, never the client's raw target
  std::string_view host;    // the node's own
  Framing framing;          // `length` or `none`: Ollama leaks a slot on chunked requests
  std::span<const Field> own;
};
void append_upstream_request(std::string& out, const UpstreamRequest& request, const RequestHead* client);

// A node's answer on its way to the client: status line, the node's fields less hop-by-hop ones (those that Connection
// names too), Server, X-Powered-By, Set-Cookie, CORS and X-Drover-* fields and those that `own` replaces, then `own`,
// framing, Connection and the blank line. Fields that pass are copied in runs.
struct RelayedResponse {
  Framing framing;
  bool keep_alive = true;
  int client_minor = 1;
  std::span<const Field> own;
};
void append_relayed_response(std::string& out, const ResponseHead& head, const RelayedResponse& how);

}  // namespace drover::http
