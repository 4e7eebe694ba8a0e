#include "gateway/attempt.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "api/node_error.h"
#include "http/media_type.h"

namespace drover::gateway {
namespace {

constexpr Bytes kRefusalLimit = 64_KiB;                      // of a node's error answer
constexpr Duration kLookEvery = std::chrono::seconds(5);     // while a node is silent before its first byte
constexpr Duration kRefusalTime = std::chrono::seconds(10);  // to read an error answer's body

bool is_json_error(std::string_view content_type) {
  return http::is_media_type(content_type, "application/json") ||
         http::is_media_type(content_type, "application/x-ndjson");
}

bool is_answer_type(std::string_view content_type) {
  return is_json_error(content_type) || http::is_media_type(content_type, "text/event-stream");
}

api::Reason reason_for(ErrorCode code, std::string_view slug) {
  switch (code) {
    case ErrorCode::connect_refused:
    case ErrorCode::unreachable:
    case ErrorCode::slot_leaked:
    case ErrorCode::system: return api::Reason::no_backend;
    case ErrorCode::connect_timed_out: return api::Reason::connect_timeout;
    case ErrorCode::response_timed_out: return api::Reason::first_byte_timeout;
    case ErrorCode::timed_out: return api::Reason::deadline;
    case ErrorCode::protocol:
      return slug == "headers" ? api::Reason::upstream_headers : api::Reason::bad_upstream_response;
    default: return api::Reason::upstream_reset;
  }
}

// Waits until the node had the request for long enough, then cuts it; the slot is free only after that.
net::Task<> cut_later(std::unique_ptr<net::Stream> stream, Slot slot, Mono when) {
  co_await net::sleep_until(when);
  stream->abort();
  // The stream's end and the slot's are the same moment for whoever comes next.
}

}  // namespace

Slot::~Slot() {
  if (scheduler_ == nullptr) return;
  const auto told = durations ? std::optional(*durations) : std::nullopt;
  scheduler_->finished(request_, node_, outcome, told, loop_->now());
}

Attempt::~Attempt() {
  if (!upstream_ || complete_) return;
  const Mono safe = sent_at_ == kNever ? exchange_.loop().now() : sent_at_ + exchange_.settings().minimum_run;
  auto stream = upstream_->release();
  // Where the connection is over nothing is left to cut, and the request may be submitted again at once.
  if (safe > exchange_.loop().now() && !node_left_ && !stream->hung_up()) {
    exchange_.worker.run_in_background(cut_later(std::move(stream), std::move(slot_), safe));
  } else {
    stream->abort();
  }
}

// One failed probe among others is no death; and one that a reload has taken away is not asked any more, while what
// runs there may end in peace.
bool Attempt::node_is_alive() const {
  const NodeAddress* node = exchange_.worker.published()->node(node_.id);
  return node == nullptr || exchange_.loop().now() < after(node->unreachable_since, kLookEvery);
}

AttemptFailure Attempt::failed(ErrorCode code, api::Reason reason, std::string_view what) {
  return {Error{code, Side::upstream, fmt::format("node {}: {}", node_.name, what)}, std::nullopt, reason};
}

AttemptFailure Attempt::failed(const wire::Failure& failure, std::string_view what) {
  // Before the deadline of the whole request only the node's silence can have been too long.
  if (failure.code == ErrorCode::timed_out && exchange_.loop().now() < exchange_.deadline) {
    return failed(wire::Failure{ErrorCode::response_timed_out, failure.reason}, what);
  }
  if (failure.code == ErrorCode::protocol) count_fault(failure.reason);
  // A read can meet the reset before the event that tells of it.
  node_left_ |= failure.code == ErrorCode::reset || failure.code == ErrorCode::closed;
  return failed(failure.code, reason_for(failure.code, failure.reason),
                failure.reason.empty() ? fmt::format("{}: {}", what, name(failure.code))
                                       : fmt::format("{}: {}: {}", what, name(failure.code), failure.reason));
}

void Attempt::count_fault(std::string_view reason) {
  const auto anomaly = observe::anomaly_named(reason);
  // More interim heads than may be are counted one by one already.
  if (anomaly && *anomaly != observe::Anomaly::interim) metrics().count(*anomaly);
}

net::Task<std::expected<wire::BodyDecoder::Piece, AttemptFailure>> Attempt::start(NodeRequest request, bool fresh) {
  exchange_.phase = observe::Phase::connecting;
  reused_ = node_left_ = false;
  sent_at_ = kNever;
  const Mono dial_by = std::min(exchange_.deadline, exchange_.loop().now() + exchange_.settings().connect);
  auto taken = co_await exchange_.worker.pool().take(node_.id, node_.endpoint, dial_by, fresh);
  if (!taken) co_return std::unexpected(failed(wire::Failure{taken.error()}, "connecting"));
  reused_ = taken->reused;
  upstream_.emplace(std::move(taken->stream), exchange_.loop());

  exchange_.phase = observe::Phase::waiting;
  std::string request_head = head_for_node(request);
  std::array<std::string_view, 1 + api::EditedBody::kMostPieces> pieces{request_head};
  const auto body_end = std::ranges::copy(request.body.pieces(), pieces.begin() + 1).out;
  const auto sent = co_await upstream_->send({pieces.begin(), body_end}, exchange_.settings().silence);
  exchange_.loop().give_back(request_head);
  if (!sent) co_return std::unexpected(failed(sent.error(), "sending the request"));
  sent_at_ = exchange_.loop().now();
  std::expected<void, wire::Failure> head;
  do {
    const auto waited = co_await await_first_byte(false);
    if (!waited) co_return std::unexpected(failed(waited.error(), "waiting for the answer"));
    const Mono silent_until = after(exchange_.loop().now(), exchange_.settings().silence);
    head = co_await upstream_->read_head(http::Method::post, std::min(exchange_.deadline, silent_until));
    // A poller may have told of bytes that were read before: those of the last answer.
  } while (!head && head.error().code == ErrorCode::timed_out && !upstream_->head_began());
  if (upstream_->interim_heads() > 0) metrics().count(observe::Anomaly::interim, upstream_->interim_heads());
  if (!head) co_return std::unexpected(failed(head.error(), "reading the answer's head"));
  reused_ = false;  // it was alive: what goes wrong from here on is the node's doing
  if (upstream_->head().status() >= 400) co_return std::unexpected(co_await read_refusal());
  if (!is_answer_type(upstream_->head().content_type())) {
    metrics().count(observe::Anomaly::content_type);
    co_return std::unexpected(
        failed(ErrorCode::protocol, api::Reason::bad_upstream_response,
               fmt::format("answered {} with a content type that is not the API's", upstream_->head().status())));
  }
  // Some engines send their head before they work: it is held until the first byte of the body, so that a failure in
  // between can still be repeated elsewhere.
  auto piece = upstream_->first();
  while (piece.state == wire::BodyDecoder::State::more && piece.payload.empty()) {
    const auto more = co_await await_first_byte(true);
    if (!more) co_return std::unexpected(failed(more.error(), "waiting for the first byte"));
    const Mono look_again = std::min(exchange_.deadline, exchange_.loop().now() + kLookEvery);
    const auto bytes = co_await upstream_->stream().read_some(look_again);
    if (!bytes && bytes.error() == ErrorCode::timed_out) continue;
    if (!bytes) co_return std::unexpected(failed(wire::Failure{bytes.error()}, "reading the first byte"));
    if (bytes->empty()) co_return std::unexpected(failed(wire::Failure{ErrorCode::closed}, "reading the first byte"));
    piece = upstream_->decode(*bytes);
  }
  if (piece.state == wire::BodyDecoder::State::error && piece.payload.empty()) {
    co_return std::unexpected(
        failed(wire::Failure{ErrorCode::protocol, upstream_->decode_reason()}, "the answer's body"));
  }
  co_return piece;
}

std::string Attempt::head_for_node(NodeRequest request) {
  const std::array<http::Field, 2> own{
      {{"x-request-id", exchange_.request_id}, {"x-drover-hop", exchange_.worker.shared().instance}}};
  const std::string prefixed = node_.prefix.empty() ? std::string() : node_.prefix + std::string(request.path);
  const std::string_view target = prefixed.empty() ? request.path : prefixed;
  std::string head = exchange_.loop().take_string();
  http::append_upstream_request(head,
                                {.method = "POST",
                                 .target = target,
                                 .host = node_.host,
                                 .framing = {http::BodyKind::length, request.body.size()},
                                 .own = own},
                                exchange_.incoming.head.get());
  return head;
}

// A node says nothing until it has loaded the model and read the prompt, however long that takes: while it is alive
// only the request's own deadline ends the wait, or that its slot has leaked there. Who `began` has one for certain.
net::Task<std::expected<void, wire::Failure>> Attempt::await_first_byte(bool began) {
  while (true) {
    const Mono now = exchange_.loop().now();
    if (exchange_.deadline <= now) co_return std::unexpected(wire::Failure{ErrorCode::timed_out});
    const auto ready = co_await upstream_->stream().readable(std::min(exchange_.deadline, now + kLookEvery));
    if (ready) co_return {};
    if (ready.error() != ErrorCode::timed_out) co_return std::unexpected(wire::Failure{ready.error()});
    if (!node_is_alive()) co_return std::unexpected(wire::Failure{ErrorCode::response_timed_out});
    const Mono then = exchange_.loop().now();
    if (began || then >= exchange_.deadline) continue;
    if (exchange_.worker.shared().scheduler.waits_in_vain(exchange_.id, then)) {
      co_return std::unexpected(wire::Failure{ErrorCode::slot_leaked});
    }
  }
}

net::Task<AttemptFailure> Attempt::read_refusal() {
  const int status = upstream_->head().status();
  const std::string content_type(upstream_->head().content_type());
  const std::string retry_after(upstream_->head().find("retry-after").value_or(std::string_view{}));
  auto body = co_await upstream_->read_all(kRefusalLimit, exchange_.loop().now() + kRefusalTime);
  if (!body) co_return failed(body.error(), fmt::format("reading its error answer {}", status));
  complete();
  const ErrorCode code = api::node_error(status, *body);
  slot_.outcome.status = status;
  if (!is_json_error(content_type)) {
    metrics().count(observe::Anomaly::content_type);
    co_return failed(ErrorCode::protocol, api::Reason::bad_upstream_response,
                     fmt::format("answered {} with a page that is not the API's", status));
  }
  AttemptFailure failure = failed(code, api::Reason::upstream_failed, fmt::format("answered {}", status));
  failure.answer = NodeRefusal{status, content_type, std::move(*body), retry_after};
  co_return failure;
}

void Attempt::complete() {
  complete_ = true;
  if (upstream_->trailing_bytes()) metrics().count(observe::Anomaly::trailing_bytes);
  if (upstream_->reusable()) exchange_.worker.pool().give_back(node_.id, node_.endpoint, upstream_->release());
}

}  // namespace drover::gateway
