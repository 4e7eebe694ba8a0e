#pragma once
// The head of a client's request, parsed strictly: what two parsers could read in two ways is refused, never repaired.
// Grammar: RFC 9112 (messages), RFC 9110 (fields), RFC 3986 (targets), less what only attackers use.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/units.h"
#include "http/fields.h"
#include "http/parse_outcome.h"

namespace drover::http {

// Bounds of a request head. `line` + `block` must stay below 64 KiB and `fields` within RequestHead::kMaxFields: heads
// are kept by 16-bit offsets in fixed storage. parse() ends the process on limits that do not.
struct HeadLimits {
  Bytes line = 8_KiB;        // request line without its CRLF; beyond: 414
  Bytes block = 32_KiB;      // all field lines with the blank line that ends them; beyond: 431
  std::size_t fields = 100;  // beyond: 431
};

// Method names are case-sensitive: `get` is `other`.
enum class Method : std::uint8_t { get, head, post, put, patch, del, options, trace, connect, other };

// A parsed head. All views point into the bytes that parse() was given (or rebase() named), and die with them.
// About 1 KiB; copying allocates only if the path was percent-encoded.
class RequestHead {
 public:
  static constexpr std::size_t kMaxFields = 100;

  Method method() const { return method_; }
  std::string_view method_text() const { return view(method_text_); }
  std::string_view target() const { return view(target_); }  // as sent
  // The one path for routing and policy: percent-decoded, no query; begins with '/' and has no `//`, `.`, `..` or
  // backslash. "*" for `OPTIONS *`; empty for CONNECT. UTF-8.
  std::string_view path() const { return path_is_own_ ? std::string_view(own_path_) : view(path_); }
  std::string_view query() const { return view(query_); }  // as sent, without '?'
  int minor() const { return minor_; }                     // 0 or 1: the version is HTTP/1.minor

  // Host as sent, `name[:port]`, valid by grammar; whether the name is ours is the guard's question. Empty only when
  // an HTTP/1.0 request names none.
  std::string_view host() const { return view(host_); }
  Fields fields() const { return {base_, {slots_.data(), count_}, block_end_}; }
  // Value of the first such field. The second form is O(1).
  std::optional<std::string_view> find(std::string_view name) const { return fields().find(name); }
  std::optional<std::string_view> find(Known field) const;

  BodyKind body() const { return body_; }  // never until_close
  // Bytes of the body if body() is `length`, else 0. At most 2^63 - 1.
  std::uint64_t content_length() const { return content_length_; }
  bool keep_alive() const { return keep_alive_; }              // the client wants the connection to stay open
  bool expects_continue() const { return expects_continue_; }  // answer `100 Continue` before it sends its body

  // Empty when absent.
  std::string_view content_type() const { return find(Known::content_type).value_or(std::string_view{}); }
  std::string_view content_encoding() const { return find(Known::content_encoding).value_or(std::string_view{}); }
  std::string_view origin() const { return find(Known::origin).value_or(std::string_view{}); }

  // The same bytes lie at `bytes` now: for a caller that moves a head from a shared buffer into its own. O(1).
  void rebase(const char* bytes) { base_ = bytes; }

 private:
  friend class RequestHeadParser;
  struct Piece {
    std::uint16_t at = 0;
    std::uint16_t size = 0;
  };
  std::string_view view(Piece piece) const { return {base_ + piece.at, piece.size}; }

  const char* base_ = "";
  std::uint64_t content_length_ = 0;
  std::string own_path_;  // used when the path in the target is not, byte for byte, the path
  KnownFields known_;
  Piece method_text_, target_, path_, query_, host_;
  std::uint16_t block_end_ = 0;  // offset behind the last field line
  std::uint8_t count_ = 0;       // fields
  std::uint8_t minor_ = 1;
  Method method_ = Method::get;
  BodyKind body_ = BodyKind::none;
  bool path_is_own_ = false;
  bool keep_alive_ = true;
  bool expects_continue_ = false;
  std::array<FieldSlot, kMaxFields> slots_;  // the first count_ are set
};

// Parses the head at the start of `bytes`, which is all that has arrived since the last request ended. One empty line
// before it is tolerated and counted as consumed.
//   more:      call again with more bytes, and with `seen` = the size given now: then the total cost stays linear.
//   complete:  `into` is set and `consumed` bytes are its head; the body follows.
//   rejected:  answer with the status and close. Reasons: framing, te, syntax, header_name, host, headers_too_large,
//              request_line, path, expect.
// A method that is unknown or that nobody serves (TRACE, CONNECT) is not rejected: the router answers it. Upgrade is
// ignored. `into` is unspecified unless complete. Cost: about 0.5 us for 600 bytes; allocates only to reject or to
// decode a percent-encoded path.
ParseOutcome parse(std::string_view bytes, const HeadLimits& limits, RequestHead& into, std::size_t seen = 0);

}  // namespace drover::http
