#pragma once
// The client's side of one HTTP/1.1 connection: one exchange at a time with a node.

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "http/response_head.h"
#include "net/loop.h"
#include "net/stream.h"
#include "net/task.h"
#include "wire/body_decoder.h"

namespace drover::wire {

// Why an exchange failed; `reason` is a static slug for metrics where the code is `protocol`.
struct Failure {
  ErrorCode code;
  std::string_view reason{};
};

// Thread: the loop's.
class ClientConnection {
 public:
  ClientConnection(std::unique_ptr<net::Stream> stream, net::Loop& loop)
      : stream_(std::move(stream)), loop_(loop), head_bytes_(loop.take_string()) {}
  ClientConnection(const ClientConnection&) = delete;
  ~ClientConnection() { loop_.give_back(head_bytes_); }

  net::Stream& stream() { return *stream_; }

  // Sends head and body, in pieces, without a copy, and waits until the node has taken all; they must live until then,
  // and what was taken is cut off them. Never half-closes: a node takes that for a client that left. Errors: timed_out
  // (between two takings), cancelled, reset.
  net::Task<std::expected<void, Failure>> send(std::span<std::string_view> pieces, Duration stalled);

  // The node's head, interim ones swallowed (at most 8); owned by this object until the next exchange. Errors:
  // timed_out, cancelled, closed (before any byte), reset, protocol.
  net::Task<std::expected<void, Failure>> read_head(http::Method asked, Mono deadline);
  // Some of it has come.
  bool head_began() const { return !head_bytes_.empty() || interim_ > 0; }
  const http::ResponseHead& head() const { return *head_; }
  // It has been passed on: a stream that lasts should not hold it.
  void drop_head();
  // Heads of 1xx before it.
  unsigned interim_heads() const { return interim_; }

  // The body goes: `first()` gives what came with the head, without waiting; after that the caller reads the stream and
  // gives each read to `decode`. Pieces are views into the loop's buffer.
  BodyDecoder::Piece first();
  BodyDecoder::Piece decode(std::string_view bytes);
  bool body_is_done() const { return done_; }
  bool ends_at_close() const { return body_.ends_at_close(); }
  std::string_view decode_reason() const { return body_.reason(); }
  // Reads the rest of the body, up to `limit` bytes. Errors: as read_head, and too_large.
  net::Task<std::expected<std::string, Failure>> read_all(Bytes limit, Mono deadline);

  // The last body ended properly and the node keeps the connection: it can carry another exchange.
  bool reusable() const { return done_ && head_allows_reuse_ && !trailing_ && !stream_->has_input(); }
  // More came behind the last body.
  bool trailing_bytes() const { return trailing_ || (done_ && stream_->has_input() && !stream_->hung_up()); }
  // Gives the stream away, to a pool or to be closed later.
  std::unique_ptr<net::Stream> release() { return std::move(stream_); }

 private:
  std::unique_ptr<net::Stream> stream_;
  net::Loop& loop_;
  Pooled<http::ResponseHead> head_;  // null before the first answer, and when it was dropped
  bool head_allows_reuse_ = false;
  std::string head_bytes_;
  std::span<char> behind_;  // body bytes that came with the head; die at the next suspension
  BodyDecoder body_;
  unsigned interim_ = 0;
  bool done_ = false;
  bool trailing_ = false;
};

}  // namespace drover::wire
