#pragma once
// The head of a node's answer. Nodes are trusted less than the standard allows: what is ambiguous is refused (the
// client gets 502) or, where the standard says which reading holds, taken once and the connection not used again.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/units.h"
#include "http/fields.h"
#include "http/parse_outcome.h"
#include "http/request_head.h"

namespace drover::http {

// Bounds of a response head; see HeadLimits for why they cannot be raised.
struct ResponseLimits {
  Bytes head = 64_KiB;  // status line and fields together
  std::size_t fields = 200;
};

// A parsed head. All views point into the bytes that parse() was given (or rebase() named), and die with them.
class ResponseHead {
 public:
  static constexpr std::size_t kMaxFields = 200;

  int status() const { return status_; }  // 100 to 599, never 101
  // 100, 102, 103 and so on: not the answer; parse again behind it. The caller bounds how many it accepts.
  bool interim() const { return status_ < 200; }
  int minor() const { return minor_; }  // HTTP/1.minor
  Fields fields() const { return {base_, {slots_.data(), count_}, block_end_}; }
  std::optional<std::string_view> find(std::string_view name) const { return fields().find(name); }
  std::optional<std::string_view> find(Known field) const;
  std::string_view content_type() const { return find(Known::content_type).value_or(std::string_view{}); }

  BodyKind body() const { return body_; }
  // As the node stated it, also where no body follows (an answer to HEAD, 304). nullopt if not, or if chunked.
  std::optional<std::uint64_t> content_length() const { return content_length_; }
  bool keep_alive() const { return keep_alive_; }
  // Connection may name fields as hop-by-hop: it holds more than `close` and `keep-alive`.
  bool nominates() const { return nominates_; }
  // The connection may carry another request once the body has been read to its end and nothing came behind it: the
  // node keeps it open, the body has an end of its own and the framing was beyond doubt.
  bool reusable() const {
    // 408: the server gave up on a request that may still be on its way, and its answer to that would be the next
    // one's.
    return keep_alive_ && framing_is_clear_ && body_ != BodyKind::until_close && status_ != 408;
  }

  // The same bytes lie at `bytes` now.
  void rebase(const char* bytes) { base_ = bytes; }

 private:
  friend class ResponseHeadParser;

  const char* base_ = "";
  std::optional<std::uint64_t> content_length_;
  KnownFields known_;
  std::uint32_t block_end_ = 0;
  std::uint16_t status_ = 200;
  std::uint8_t count_ = 0;
  std::uint8_t minor_ = 1;
  BodyKind body_ = BodyKind::none;
  bool keep_alive_ = false;
  bool nominates_ = false;
  bool framing_is_clear_ = true;
  std::array<FieldSlot, kMaxFields> slots_;  // the first count_ are set
};

// Parses the head at the start of `bytes`: the answer to a request with method `asked`, since an answer to HEAD has no
// body. `seen` as in the parser of requests.
//   rejected: status 502. Reasons: first_line (HTTP/0.9, garbage, another version), headers (syntax, size, count),
//             content_length, transfer_encoding, switching_protocols (101: we never ask for an upgrade).
ParseOutcome parse(std::string_view bytes, const ResponseLimits& limits, Method asked, ResponseHead& into,
                   std::size_t seen = 0);

}  // namespace drover::http
