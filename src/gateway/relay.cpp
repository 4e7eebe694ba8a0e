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
  Outlet(net::Stream& stream, net::Loop& loop, std::string head, http::Framing framing, http::StreamShape shape)
      : stream_(stream),
        loop_(loop),
        head_(std::move(head)),
        chunked_(framing.kind == http::BodyKind::chunked),
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
  bool fail(std::string_view error_frame) {
    const bool mid_frame = boundary_.held().value > held_.size();  // a long frame whose start was sent
    held_.clear();
    return send(mid_frame || !chunked_ ? std::string_view{} : error_frame, false);
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
    if (!head_.empty()) {
      loop_.give_back(std::move(head_));
      head_ = {};
    }
    held_.clear();
    return sent;
  }

  net::Stream& stream_;
  net::Loop& loop_;
  std::string head_;
  bool chunked_;
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
        outlet_(client.stream(), client.loop(), std::move(task.head), task.framing, task.shape) {}

  net::Task<Relayed> run(wire::BodyDecoder::Piece piece) {
    Mono last_byte = client_.loop().now();
    while (true) {
      if (const auto ended = take(piece)) {
        if (ended->end == End::complete && !upstream_.body_is_done()) co_await await_end_of_body();
        co_return *ended;
      }
      if (!has_room()) {
        ++pauses_;
        if (const auto stopped = co_await make_room()) co_return *stopped;
      }
      // One wait at a time: on the node, but not longer than the client may stall.
      const Mono silent_until = after(last_byte, settings_.silence);
      Mono deadline = std::min(task_.deadline, silent_until);
      if (client_.stream().unsent() > 0) deadline = std::min(deadline, stalled_at());
      const auto bytes = co_await upstream_.stream().read_some(deadline);
      const Mono now = client_.loop().now();
      if (!bytes && bytes.error() == ErrorCode::timed_out) {
        if (client_.stream().unsent() > 0 && stalled_at() <= now) co_return stalled();
        if (task_.deadline <= now) co_return cut(api::Reason::deadline, observe::CutCause::deadline);
        if (silent_until <= now) {
          if (!task_.may_be_silent()) co_return cut(api::Reason::upstream_stalled, observe::CutCause::stalled);
          last_byte = now;
        }
        piece = {{}, State::more, {}};
        continue;
      }
      if (!bytes && bytes.error() == ErrorCode::cancelled) co_return cancelled();
      if (!bytes) co_return cut(api::Reason::upstream_truncated, observe::CutCause::reset);
      if (bytes->empty()) {
        if (!upstream_.ends_at_close()) co_return cut(api::Reason::upstream_truncated, observe::CutCause::closed);
        piece = {{}, State::done, {}};
        continue;
      }
      last_byte = now;
      piece = upstream_.decode(*bytes);
    }
  }

  Bytes sent() const { return outlet_.sent(); }
  std::uint64_t pauses() const { return pauses_; }

 private:
  // A value: the relay is over.
  std::optional<Relayed> take(const wire::BodyDecoder::Piece& piece) {
    if (!task_.opaque) tap_.feed(piece.payload);
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

  bool has_room() {
    const std::size_t unsent = client_.stream().unsent();
    return buffered_.resize(unsent) && unsent <= settings_.stream_buffer.value;
  }

  // Waits while the client has more of the answer before it than one stream may hold: the node is not read meanwhile.
  net::Task<std::optional<Relayed>> make_room() {
    net::Stream& stream = client_.stream();
    while (!has_room()) {
      const auto drained = co_await stream.drained(stream.unsent() / 2, stalled_at());
      if (!drained && drained.error() == ErrorCode::cancelled) co_return cancelled();
      if (!drained && drained.error() == ErrorCode::reset) co_return gone();
      if (!drained && stalled_at() <= client_.loop().now()) co_return stalled();
    }
    co_return std::nullopt;
  }

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
  std::uint64_t pauses_ = 0;
};

}  // namespace

net::Task<Relayed> relay(wire::ClientConnection& upstream, wire::ServerConnection& client, api::AnswerTap& tap,
                         BufferLease& buffered, const GatewaySettings& settings, RelayTask& task,
                         wire::BodyDecoder::Piece first) {
  Relay relay(upstream, client, tap, buffered, settings, task);
  Relayed relayed = co_await relay.run(first);
  relayed.sent = relay.sent();
  relayed.pauses = relay.pauses();
  co_return relayed;
}

}  // namespace drover::gateway
