#pragma once
// The server's side of one HTTP/1.1 connection: reads requests one after another, writes answers, ends politely.
// Used by the gateway, its admin listener and simulated nodes.

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/pooled.h"
#include "http/head_writer.h"
#include "http/request_head.h"
#include "net/loop.h"
#include "net/soon.h"
#include "net/stream.h"
#include "net/task.h"
#include "wire/body_decoder.h"

namespace drover::wire {

struct ServerLimits {
  http::HeadLimits head;
  Duration head_time = std::chrono::seconds(10);     // to read a head, from its first byte
  Duration body_silence = std::chrono::seconds(30);  // between bytes of a body
  Bytes body_rate = 1_KiB;                           // a second at least, once body_silence is over
  Duration idle = std::chrono::seconds(75);          // keep-alive without a request
  std::size_t requests = 1000;                       // on one connection; the last answer says so
  Duration stalled = std::chrono::seconds(60);       // the client takes nothing of an answer
  Bytes drained = 64_KiB;                            // of a body nobody wants, before the connection closes instead
  Duration linger = std::chrono::seconds(5);         // after our last answer, for the client's last bytes
};

// A request while it is served. Its head is its own copy, so it outlives every wait.
struct Incoming {
  Pooled<http::RequestHead> head;  // null before read_head() and after drop_head()
  std::string head_bytes;
  BodyDecoder body;
  bool body_read = false;
  bool keep_alive = true;  // as the client wants it
};

// Takes a request's body piece by piece. A refusal stops the reading.
class BodySink {
 public:
  virtual ~BodySink() = default;
  virtual std::optional<http::Reject> take(std::string_view piece) = 0;

  // Where the next bytes of a body that needs no decoding can be read straight to, without a copy; empty: nowhere, they
  // come through take(). What was read there is told by took(), before anything else happens.
  virtual std::span<char> room() { return {}; }
  virtual std::optional<http::Reject> took(std::size_t) { return std::nullopt; }
};

// Keeps the whole body, up to a limit (413, slug body_too_large).
class TextBody final : public BodySink {
 public:
  explicit TextBody(Bytes limit) : limit_(limit) {}
  std::optional<http::Reject> take(std::string_view piece) override;
  const std::string& text() const { return text_; }

 private:
  Bytes limit_;
  std::string text_;
};

struct Answer {
  int status = 200;
  std::string_view content_type;
  std::string_view body;
  std::span<const http::Field> fields{};
};

// Thread: the loop's. The stream must outlive it.
class ServerConnection {
 public:
  enum class Read : std::uint8_t {
    complete,
    nothing,    // a false alarm, of a head only: not a byte has come, so wait_for_request() again
    ended,      // the client is gone, or idle too long: nothing to answer
    refused,    // answer with refusal(), then close
    cancelled,  // shutdown
  };

  ServerConnection(net::Stream& stream, net::Loop& loop, const ServerLimits& limits)
      : stream_(stream), loop_(loop), limits_(limits) {}

  net::Stream& stream() { return stream_; }
  net::Loop& loop() { return loop_; }

  // Ends when the first byte of a request seems to be there. False: ended, idle too long, or cancelled.
  net::Task<bool> wait_for_request();
  // Its time begins with the first byte, which is not waited for.
  net::Task<Read> read_head(Incoming& into);
  bool asked() const { return requests_ > 0; }  // a head has been read
  // Straight after read_head: nothing may suspend in between. Sends `100 Continue` first if the client waits for it.
  net::Soon<Read> read_body(Incoming& request, BodySink& sink, Mono deadline = kNever);
  const http::Reject& refusal() const { return *refusal_; }  // after a reading that was refused

  // Head and body in one write, with Date, Content-Length and Connection. Waits until the client has taken it.
  // False: it has not, and the connection is of no more use.
  net::Task<bool> answer(const Incoming& request, Answer answer);

  // Appends a head's Date field, formatted once a second by each thread.
  void append_date(std::string& out);

  // The present answer is the connection's last one: it says so, and keep_alive() is false from now on.
  void close_after_this() { closing_ = true; }
  bool closing() const { return closing_; }
  bool keep_alive(const Incoming& request) const { return !closing_ && request.keep_alive; }

  // Nobody asks for the head any more, though the answer goes on: a stream that lasts should not hold it. Its body has
  // been read.
  void drop_head(Incoming& request);

  // To be called when a request has been answered and its head is not needed any more. Drains a small unread body; true
  // when the next request can be read.
  net::Soon<bool> finish_request(Incoming& request);
  // The polite end after an answer that said `close`: FIN, then the client's last bytes are read, so that no reset
  // destroys what it has not read yet.
  net::Task<> linger();

 private:
  Read refuse(int status, std::string_view reason, std::string detail);
  std::optional<Read> feed(Incoming& request, BodySink& sink, std::span<char> bytes, bool in_place);
  net::Task<Read> read_rest(Incoming& request, BodySink& sink, Mono deadline);
  net::Task<bool> drain(Incoming& request);

  net::Stream& stream_;
  net::Loop& loop_;
  const ServerLimits& limits_;
  std::string carry_;               // bytes of the next request that came with this one
  std::span<char> behind_;          // what followed the head in the loop's buffer; dies at the next suspension
  std::optional<Mono> idle_until_;  // of the present wait, which false alarms do not prolong
  Pooled<http::Reject> refusal_;    // null: none
  std::size_t requests_ = 0;
  bool closing_ = false;
};

}  // namespace drover::wire
