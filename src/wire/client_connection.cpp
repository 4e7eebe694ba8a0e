#include "wire/client_connection.h"

#include "base/check.h"

namespace drover::wire {
namespace {

constexpr unsigned kMaxInterim = 8;

std::unexpected<Failure> fail(ErrorCode code, std::string_view reason = {}) {
  return std::unexpected(Failure{code, reason});
}

}  // namespace

net::Task<std::expected<void, Failure>> ClientConnection::send(std::span<std::string_view> pieces, Duration stalled) {
  while (!pieces.empty()) {
    // Each taking earns a new deadline: a large body on a slow link is not a stalled node.
    const auto taken = co_await stream_->write_some(pieces, loop_.now() + stalled);
    if (!taken) co_return fail(taken.error());
    std::size_t left = *taken;
    while (!pieces.empty() && left >= pieces.front().size()) {
      left -= pieces.front().size();
      pieces = pieces.subspan(1);
    }
    if (!pieces.empty()) pieces.front().remove_prefix(left);
  }
  co_return {};
}

net::Task<std::expected<void, Failure>> ClientConnection::read_head(http::Method asked, Mono deadline) {
  done_ = trailing_ = false;
  behind_ = {};
  head_bytes_.clear();
  if (head_ == nullptr) head_ = make_pooled<http::ResponseHead>();
  std::size_t seen = 0;
  interim_ = 0;
  while (true) {
    const auto bytes = co_await stream_->read_some(deadline);
    if (!bytes) co_return fail(bytes.error());
    if (bytes->empty()) co_return fail(head_bytes_.empty() ? ErrorCode::closed : ErrorCode::protocol, "headers");
    // An answer's head is usually whole in one read; the copy is what makes it outlive the relay's waits.
    head_bytes_ += *bytes;
    while (true) {
      auto outcome = http::parse(head_bytes_, http::ResponseLimits{}, asked, *head_, seen);
      if (outcome.state == http::ParseOutcome::State::rejected) {
        co_return fail(ErrorCode::protocol, outcome.reject.reason);
      }
      if (outcome.state == http::ParseOutcome::State::more) {
        seen = head_bytes_.size();
        break;
      }
      if (head_->interim()) {
        if (++interim_ > kMaxInterim) co_return fail(ErrorCode::protocol, "interim");
        head_bytes_.erase(0, outcome.consumed);
        seen = 0;
        if (head_bytes_.empty()) break;
        continue;
      }
      const std::size_t rest = head_bytes_.size() - outcome.consumed;
      CHECK(rest <= bytes->size());  // an earlier read ended within this head
      behind_ = loop_.buffer().subspan(bytes->size() - rest, rest);
      head_bytes_.resize(outcome.consumed);
      head_->rebase(head_bytes_.data());
      body_ = BodyDecoder{head_->body(), head_->content_length().value_or(0)};
      head_allows_reuse_ = head_->reusable();
      done_ = body_.empty();
      trailing_ = done_ && rest > 0;
      co_return {};
    }
  }
}

void ClientConnection::drop_head() {
  head_.reset();
  loop_.give_back(head_bytes_);
}

BodyDecoder::Piece ClientConnection::first() {
  if (body_.empty() && done_) return {{}, BodyDecoder::State::done, {}};
  if (behind_.empty()) return {{}, BodyDecoder::State::more, {}};
  const auto bytes = std::exchange(behind_, {});
  return decode(std::string_view(bytes.data(), bytes.size()));
}

BodyDecoder::Piece ClientConnection::decode(std::string_view bytes) {
  // `bytes` lie in the loop's buffer, which is ours to overwrite until the next suspension.
  const auto offset = static_cast<std::size_t>(bytes.data() - loop_.buffer().data());
  const auto piece = body_.decode(loop_.buffer().subspan(offset, bytes.size()));
  if (piece.state == BodyDecoder::State::done) {
    done_ = true;
    trailing_ = !piece.behind.empty();
  }
  return piece;
}

net::Task<std::expected<std::string, Failure>> ClientConnection::read_all(Bytes limit, Mono deadline) {
  std::string text;
  auto piece = first();
  while (true) {
    text += piece.payload;
    if (text.size() > limit.value) co_return fail(ErrorCode::too_large);
    if (piece.state == BodyDecoder::State::error) co_return fail(ErrorCode::protocol, body_.reason());
    if (piece.state == BodyDecoder::State::done) co_return text;
    const auto bytes = co_await stream_->read_some(deadline);
    if (!bytes) co_return fail(bytes.error());
    if (bytes->empty()) {
      if (body_.ends_at_close()) co_return text;
      co_return fail(ErrorCode::closed);
    }
    piece = decode(*bytes);
  }
}

}  // namespace drover::wire
