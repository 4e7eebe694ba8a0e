#include "wire/server_connection.h"

#include <algorithm>
#include <array>

#include "base/check.h"

namespace drover::wire {

using Read = ServerConnection::Read;

// Of the read that brings a head: with it nearly every body comes whole. Most of a larger one is left in the socket, to
// be read to where it is kept.
static constexpr std::size_t kFirstRead = 16 << 10;

std::optional<http::Reject> TextBody::take(std::string_view piece) {
  if (text_.size() + piece.size() > limit_.value) {
    return http::Reject{413, "body_too_large", "the body is larger than " + std::to_string(limit_.value) + " bytes"};
  }
  text_ += piece;
  return std::nullopt;
}

Read ServerConnection::refuse(int status, std::string_view reason, std::string detail) {
  refusal_ = make_pooled<http::Reject>(status, reason, std::move(detail));
  closing_ = true;
  return Read::refused;
}

net::Task<bool> ServerConnection::wait_for_request() {
  if (!carry_.empty()) co_return true;
  if (!idle_until_) idle_until_ = loop_.now() + limits_.idle;
  const auto ready = co_await stream_.readable(*idle_until_);
  co_return ready.has_value();
}

net::Task<Read> ServerConnection::read_head(Incoming& into) {
  const Mono began = loop_.now();
  into.head = make_pooled<http::RequestHead>();
  into.head_bytes = carry_.empty() ? loop_.take_string() : std::exchange(carry_, {});
  std::size_t seen = 0;
  while (true) {
    if (into.head_bytes.size() > seen) {
      // Bytes of our own: a pipelined request, or a head that came in pieces.
      auto outcome = http::parse(into.head_bytes, limits_.head, *into.head, seen);
      if (outcome.state == http::ParseOutcome::State::rejected) {
        co_return refuse(outcome.reject.status, outcome.reject.reason, std::move(outcome.reject.detail));
      }
      if (outcome.state == http::ParseOutcome::State::complete) {
        const auto behind = std::string_view(into.head_bytes).substr(outcome.consumed);
        std::copy(behind.begin(), behind.end(), loop_.buffer().begin());
        behind_ = loop_.buffer().first(behind.size());
        into.head_bytes.resize(outcome.consumed);
        into.head->rebase(into.head_bytes.data());
        break;
      }
      seen = into.head_bytes.size();
    }
    // The notice of bytes that were read long ago may come late, and is none of a new request.
    const bool has_begun = !into.head_bytes.empty();
    const Mono deadline = has_begun ? began + limits_.head_time : began;
    const auto bytes = co_await stream_.read_some(loop_.buffer().first(kFirstRead), deadline);
    if (!bytes) {
      if (bytes.error() == ErrorCode::cancelled) co_return Read::cancelled;
      if (bytes.error() != ErrorCode::timed_out) co_return Read::ended;
      if (!has_begun) co_return loop_.now() < idle_until_.value_or(began) ? Read::nothing : Read::ended;
      co_return refuse(408, "slow", "the request's head did not arrive in time");
    }
    if (bytes->empty()) co_return Read::ended;
    if (has_begun) {
      into.head_bytes += *bytes;
      continue;
    }
    // The usual case: the whole head in one read, parsed where it lies and copied once.
    auto outcome = http::parse(*bytes, limits_.head, *into.head);
    if (outcome.state == http::ParseOutcome::State::rejected) {
      co_return refuse(outcome.reject.status, outcome.reject.reason, std::move(outcome.reject.detail));
    }
    if (outcome.state == http::ParseOutcome::State::more) {
      into.head_bytes = *bytes;
      seen = bytes->size();
      continue;
    }
    into.head_bytes = bytes->substr(0, outcome.consumed);
    into.head->rebase(into.head_bytes.data());
    behind_ = loop_.buffer().subspan(outcome.consumed, bytes->size() - outcome.consumed);
    break;
  }
  idle_until_.reset();
  if (++requests_ >= limits_.requests) closing_ = true;
  into.keep_alive = into.head->keep_alive();
  into.body = BodyDecoder{into.head->body(), into.head->content_length()};
  into.body_read = into.body.empty();
  if (into.body_read) carry_.assign(behind_.begin(), behind_.end());
  co_return Read::complete;
}

// Decodes what arrived and hands it to the sink, where it may lie already. A value: the body has ended, in this way.
std::optional<Read> ServerConnection::feed(Incoming& request, BodySink& sink, std::span<char> bytes, bool in_place) {
  const auto piece = request.body.decode(bytes);
  if (piece.state == BodyDecoder::State::error) {
    return refuse(400, "framing", "the request's chunked body is malformed: " + std::string(request.body.reason()));
  }
  if (!piece.payload.empty()) {
    if (auto reject = in_place ? sink.took(piece.payload.size()) : sink.take(piece.payload)) {
      return refuse(reject->status, reject->reason, std::move(reject->detail));
    }
  }
  if (piece.state == BodyDecoder::State::more) return std::nullopt;
  carry_.assign(piece.behind);
  request.body_read = true;
  return Read::complete;
}

net::Soon<Read> ServerConnection::read_body(Incoming& request, BodySink& sink, Mono deadline) {
  if (request.body_read) return Read::complete;
  if (!behind_.empty()) {
    if (const auto ended = feed(request, sink, std::exchange(behind_, {}), false)) return *ended;
  } else if (request.head->expects_continue()) {
    if (!stream_.write("HTTP/1.1 100 Continue\r\n\r\n")) return Read::ended;
  }
  return read_rest(request, sink, deadline);
}

// What did not come with the head.
net::Task<Read> ServerConnection::read_rest(Incoming& request, BodySink& sink, Mono deadline) {
  const Mono start = loop_.now();
  std::uint64_t received = 0;
  while (true) {
    // The floor of the rate, as a deadline: who has sent n bytes has earned n / rate seconds.
    const Mono earned = start + limits_.body_silence + std::chrono::seconds(received / limits_.body_rate.value);
    const std::span<char> room = request.body.is_plain() ? sink.room() : std::span<char>{};
    const Mono patience = std::min({loop_.now() + limits_.body_silence, earned, deadline});
    const auto bytes = co_await stream_.read_some(room, patience);
    const bool late = bytes && deadline <= loop_.now();  // it never stops coming
    if (!bytes || late) {
      if (!bytes && bytes.error() == ErrorCode::cancelled) co_return Read::cancelled;
      if (!bytes && bytes.error() != ErrorCode::timed_out) co_return Read::ended;
      co_return refuse(408, "slow", "the request's body arrives too slowly");
    }
    if (bytes->empty()) co_return Read::ended;
    received += bytes->size();
    const bool in_place = !room.empty();
    const auto read = in_place ? room.first(bytes->size()) : loop_.buffer().first(bytes->size());
    if (const auto ended = feed(request, sink, read, in_place)) co_return *ended;
  }
}

void ServerConnection::append_date(std::string& out) {
  thread_local std::optional<std::chrono::seconds> formatted;
  thread_local http::HttpDate date;
  const Wall now = loop_.wall();
  const auto second = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch());
  if (second != formatted) {
    date = http::http_date(now);
    formatted = second;
  }
  http::append_field(out, "Date", std::string_view(date.data(), date.size()));
}

net::Task<bool> ServerConnection::answer(const Incoming& request, Answer answer) {
  std::string head = loop_.take_string();
  http::append_status_line(head, answer.status);
  if (!answer.content_type.empty()) http::append_field(head, "Content-Type", answer.content_type);
  append_date(head);
  for (const http::Field& field : answer.fields) http::append_field(head, field.name, field.value);
  const bool has_body = answer.status != 204 && answer.status != 304;
  if (has_body) http::append_framing(head, {http::BodyKind::length, answer.body.size()});
  http::append_connection(head, keep_alive(request), request.head->minor());
  http::end_head(head);
  const bool send_body = has_body && request.head->method() != http::Method::head;
  const std::array<std::string_view, 2> pieces{head, send_body ? answer.body : std::string_view{}};
  const bool written = stream_.write(pieces).has_value();
  loop_.give_back(head);
  if (!written) co_return false;
  const auto taken = co_await stream_.drained(0, loop_.now() + limits_.stalled);
  co_return taken.has_value();
}

namespace {

class Discard final : public BodySink {
 public:
  explicit Discard(Bytes limit) : left_(limit.value) {}
  std::optional<http::Reject> take(std::string_view piece) override {
    if (piece.size() > left_) return http::Reject{413, "drain", "the unread body is too large"};
    left_ -= piece.size();
    return std::nullopt;
  }

 private:
  std::uint64_t left_;
};

}  // namespace

void ServerConnection::drop_head(Incoming& request) {
  request.head.reset();
  loop_.give_back(request.head_bytes);
}

net::Soon<bool> ServerConnection::finish_request(Incoming& request) {
  if (!keep_alive(request)) return false;
  if (!request.body_read) return drain(request);
  drop_head(request);
  return true;
}

net::Task<bool> ServerConnection::drain(Incoming& request) {
  if (request.head->content_length() > limits_.drained.value || request.head->expects_continue()) co_return false;
  Discard discard(limits_.drained);
  co_return co_await read_body(request, discard) == Read::complete;
}

net::Task<> ServerConnection::linger() {
  stream_.finish();
  const Mono deadline = loop_.now() + limits_.linger;
  std::uint64_t discarded = 0;
  while (discarded < limits_.drained.value) {
    const auto bytes = co_await stream_.read_some(deadline);
    if (!bytes || bytes->empty()) co_return;
    discarded += bytes->size();
  }
}

}  // namespace drover::wire
