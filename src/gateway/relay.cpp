#include "gateway/relay.h"

#include <algorithm>
#include <array>

#include "http/chunked.h"

namespace drover::gateway {
namespace {

constexpr Duration kEndOfBody = std::chrono::seconds(1);

using End = Relayed::End;
using State = wire::BodyDecoder::State;

// What the client gets: the head once, then frames that are whole.
class Outlet {
 public:
  Outlet(net::Stream& stream, net::Loop& loop, std::string& head, http::Framing framing, http::StreamShape shape)
      : stream_(stream),
        loop_(loop),
        head_(head),
        chunked_(framing.kind == http::BodyKind::chunked),
        has_frames_(shape != http::StreamShape::bytes),
        boundary_(shape) {}

  // Sends as much of `payload` as ends on a boundary and keeps the rest. False: the client is gone.
  bool pass(std::string_view payload) {
    const std::size_t count = boundary_.release(payload);
    const bool sent = count == 0 && head_.empty() ? true : send(payload.substr(0, count), false);
    held_ += payload.substr(count);
    return sent;
  }
  // The clean end: only behind the node's own terminator.
  bool pass_last(std::string_view payload) { return send(payload, true); }

  // The unclean end: what is held back of an unfinished frame is dropped, so that the error frame stands on its own.
  // Inside a single object nobody could read one.
  bool fail(std::string_view error_frame) {
    const bool mid_frame = boundary_.held().value > held_.size();  // a long frame whose start was sent
    held_.clear();
    return send(mid_frame || !chunked_ || !has_frames_ ? std::string_view{} : error_frame, false);
  }

  Bytes sent() const { return sent_; }  // of the body

 private:
  bool send(std::string_view payload, bool last) {
    std::array<char, http::kChunkPrefixMax> prefix;
    const std::size_t size = held_.size() + payload.size();
    sent_ = sent_ + Bytes{size};
    const bool framed = chunked_ && size > 0;
    const std::size_t prefix_size = framed ? http::write_chunk_prefix(size, prefix.data()) : 0;
    const std::array<std::string_view, 6> pieces{head_,
                                                 std::string_view(prefix.data(), prefix_size),
                                                 held_,
                                                 payload,
                                                 framed ? http::kChunkEnd : std::string_view{},
                                                 chunked_ && last ? http::kLastChunk : std::string_view{}};
    const bool sent = stream_.write(pieces).has_value();
    if (!head_.empty()) loop_.give_back(head_);
    held_.clear();
    return sent;
  }

  net::Stream& stream_;
  net::Loop& loop_;
  std::string& head_;  // empty when it was sent
  bool chunked_;
  bool has_frames_;  // lines or events
  Bytes sent_;
  http::WriteBoundary boundary_;
  std::string held_;  // the start of a frame whose end has not come
};

class Relay {
 public:
  Relay(wire::ClientConnection& upstream, wire::ServerConnection& client, api::AnswerTap& tap, BufferLease& buffered,
        const GatewaySettings& settings, RelayTask& task)
      : upstream_(upstream),
        client_(client),
        tap_(tap),
        buffered_(buffered),
        settings_(settings),
        task_(task),
        outlet_(client.stream(), client.loop(), task.head, task.framing, task.shape) {}

  // Each of these: a value means that the relay is over.

  // When to stop waiting for the node: it may be silent for so long, and so may the client.
  Mono patience() const {
    const Mono deadline = std::min(task_.deadline, silent_until());
    return client_.stream().unsent() > 0 ? std::min(deadline, stalled_at()) : deadline;
  }

  // What came of that wait.
  std::optional<Relayed> took(const net::IoResult<std::string_view>& bytes) {
    const Mono now = client_.loop().now();
    if (!bytes && bytes.error() == ErrorCode::timed_out) return waited_in_vain(now);
    if (!bytes && bytes.error() == ErrorCode::cancelled) return cancelled();
    if (!bytes) return cut(api::Reason::upstream_truncated, observe::CutCause::reset);
    if (bytes->empty()) {
      if (!upstream_.ends_at_close()) return cut(api::Reason::upstream_truncated, observe::CutCause::closed);
      return take({{}, State::done, {}});
    }
    last_byte_ = now;
    return take(upstream_.decode(*bytes));
  }

  std::optional<Relayed> take(const wire::BodyDecoder::Piece& piece) {
    if (!task_.opaque) tap_.feed(piece.payload, piece.state == State::done);
    if (piece.state == State::error) {
      outlet_.pass(piece.payload);
      return cut(api::Reason::upstream_truncated, observe::CutCause::protocol);
    }
    // What a node sends behind its last line is not waited for.
    const bool told =
        task_.shape != http::StreamShape::bytes && tap_.at_boundary() && (tap_.terminator_seen() || tap_.error_seen());
    if (piece.state == State::more && !told) {
      if (!piece.payload.empty() && !outlet_.pass(piece.payload)) return gone();
      return std::nullopt;
    }
    switch (task_.opaque ? api::Verdict::complete : tap_.verdict()) {
      case api::Verdict::complete:
        if (!outlet_.pass_last(piece.payload)) return gone();
        return Relayed{End::complete};
      case api::Verdict::done_false:
        if (!outlet_.pass_last(piece.payload)) return gone();
        return Relayed{End::done_false};
      case api::Verdict::failed_in_band:
        outlet_.pass(piece.payload);
        outlet_.fail({});
        client_.close_after_this();
        return Relayed{End::failed_in_band, api::Reason::upstream_failed};
      case api::Verdict::truncated: break;
    }
    outlet_.pass(piece.payload);
    return cut(api::Reason::upstream_truncated, observe::CutCause::no_terminator);
  }

  // The client has all of its answer. A node's last chunk often comes a moment after its last line, and with it the
  // connection can be used again; anything else that comes means that it cannot.
  net::Task<> await_end_of_body() {
    const Mono deadline = client_.loop().now() + kEndOfBody;
    while (!upstream_.body_is_done()) {
      const auto bytes = co_await upstream_.stream().read_some(deadline);
      if (!bytes || bytes->empty() || !upstream_.decode(*bytes).payload.empty()) co_return;
    }
  }

  // Bounded by what one stream may hold, and by what all may.
  bool has_room() {
    const std::size_t unsent = client_.stream().unsent();
    return buffered_.resize(unsent) && unsent <= settings_.stream_buffer.value;
  }

  // Waits while the client has more of the answer before it than one stream may hold: the node is not read meanwhile.
  net::Task<std::optional<Relayed>> make_room() {
    net::Stream& stream = client_.stream();
    ++pauses_;
    while (!has_room()) {
      const auto drained = co_await stream.drained(stream.unsent() / 2, std::min(task_.deadline, stalled_at()));
      if (!drained && drained.error() == ErrorCode::cancelled) co_return cancelled();
      if (!drained && drained.error() == ErrorCode::reset) co_return gone();
      if (!drained && stalled_at() <= client_.loop().now()) co_return stalled();
      if (!drained && task_.deadline <= client_.loop().now()) {
        co_return cut(api::Reason::deadline, observe::CutCause::deadline);
      }
    }
    co_return std::nullopt;
  }

  Relayed account(Relayed relayed) const {
    relayed.sent = outlet_.sent();
    relayed.pauses = pauses_;
    return relayed;
  }

 private:
  std::optional<Relayed> waited_in_vain(Mono now) {
    if (client_.stream().unsent() > 0 && stalled_at() <= now) return stalled();
    if (task_.deadline <= now) return cut(api::Reason::deadline, observe::CutCause::deadline);
    if (silent_until() <= now) {
      if (!task_.may_be_silent()) return cut(api::Reason::upstream_stalled, observe::CutCause::stalled);
      last_byte_ = now;
    }
    return std::nullopt;
  }

  Mono silent_until() const { return after(last_byte_, settings_.silence); }
  Mono stalled_at() const { return after(client_.stream().last_progress(), settings_.server.stalled); }

  Relayed cut(api::Reason reason, observe::CutCause cause) {
    outlet_.fail(api::error_frame(api::dialect(task_.route), message(reason)));
    client_.close_after_this();
    return Relayed{End::truncated, reason, cause};
  }
  Relayed gone() {
    client_.close_after_this();
    return Relayed{End::client_left, api::Reason::client_left};
  }
  Relayed stalled() {
    client_.stream().abort();
    client_.close_after_this();
    return Relayed{End::client_stalled, api::Reason::client_stalled};
  }
  Relayed cancelled() {
    if (client_.stream().hung_up()) return gone();
    outlet_.fail(api::error_frame(api::dialect(task_.route), message(api::Reason::shutting_down)));
    client_.close_after_this();
    return Relayed{End::shut_down, api::Reason::shutting_down};
  }

  static std::string_view message(api::Reason reason) {
    switch (reason) {
      case api::Reason::deadline: return "the request took longer than the gateway allows; the answer is incomplete";
      case api::Reason::upstream_stalled: return "the node fell silent; the answer is incomplete";
      case api::Reason::shutting_down: return "the gateway is shutting down; the answer is incomplete";
      default: return "the node broke off; the answer is incomplete";
    }
  }

  wire::ClientConnection& upstream_;
  wire::ServerConnection& client_;
  api::AnswerTap& tap_;
  BufferLease& buffered_;
  const GatewaySettings& settings_;
  RelayTask& task_;
  Outlet outlet_;
  Mono last_byte_ = client_.loop().now();
  std::uint64_t pauses_ = 0;
};

}  // namespace

net::Task<Relayed> relay(wire::ClientConnection& upstream, wire::ServerConnection& client, api::AnswerTap& tap,
                         BufferLease& buffered, const GatewaySettings& settings, RelayTask& task,
                         wire::BodyDecoder::Piece first) {
  Relay relay(upstream, client, tap, buffered, settings, task);
  std::optional<Relayed> ended = relay.take(first);
  while (!ended) {
    if (relay.has_room()) {
      ended = relay.took(co_await upstream.stream().read_some(relay.patience()));
    } else {
      ended = co_await relay.make_room();
    }
  }
  if (ended->end == End::complete && !upstream.body_is_done()) co_await relay.await_end_of_body();
  co_return relay.account(*ended);
}

}  // namespace drover::gateway
