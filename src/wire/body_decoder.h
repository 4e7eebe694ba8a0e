#pragma once
// Takes the framing off a message body, whichever it has, as the bytes arrive.

#include <span>
#include <string_view>

#include "http/chunked.h"
#include "http/fields.h"

namespace drover::wire {

// Thread: one message's. No allocation.
class BodyDecoder {
 public:
  enum class State : std::uint8_t { more, done, error };
  struct Piece {
    std::string_view payload;  // one contiguous view: chunks of one read are moved together in place
    State state;
    std::string_view behind;  // done: bytes that are not of this body
  };

  BodyDecoder() = default;
  BodyDecoder(http::BodyKind kind, std::uint64_t length) : kind_(kind), left_(length) {}

  // A body of no bytes is done before anything arrives.
  bool empty() const { return kind_ == http::BodyKind::none || (kind_ == http::BodyKind::length && left_ == 0); }

  // Decodes `bytes`, overwriting them. All of them are consumed unless `done`.
  Piece decode(std::span<char> bytes);

  // The bytes are the body: there is nothing to take off.
  bool is_plain() const { return kind_ == http::BodyKind::length; }

  // The connection has ended. True when that ends the body properly.
  bool ends_at_close() const { return kind_ == http::BodyKind::until_close; }
  // Why `error`: see ChunkedDecoder::reason.
  std::string_view reason() const { return chunks_.reason(); }

 private:
  http::BodyKind kind_ = http::BodyKind::none;
  std::uint64_t left_ = 0;
  http::ChunkedDecoder chunks_;
};

}  // namespace drover::wire
