#include "net/stream.h"

#include <utility>

#include "base/check.h"
#include "net/loop.h"

namespace drover::net {

Stream::~Stream() { CHECK(reader_ == nullptr && writer_ == nullptr && watcher_ == nullptr); }

std::expected<void, ErrorCode> Stream::write(std::span<const std::string_view> pieces) {
  if (unsent() == 0 && !broken_ && put_off(pieces)) {
    last_progress_ = loop().now();
    return {};
  }
  send_put_off();
  return send(pieces);
}

std::expected<void, ErrorCode> Stream::send(std::span<const std::string_view> pieces) {
  if (broken_) return std::unexpected(ErrorCode::reset);
  std::size_t sent = 0;
  if (unsent() == 0) {
    const Attempt attempt = try_write(pieces);
    if (attempt.outcome == Outcome::failed) {
      broken_ = true;
      return std::unexpected(ErrorCode::reset);
    }
    sent = attempt.bytes;
    last_progress_ = loop().now();
  }
  for (const std::string_view piece : pieces) {
    if (sent >= piece.size()) {
      sent -= piece.size();
      continue;
    }
    unsent_.append(piece.substr(sent));
    sent = 0;
  }
  return {};
}

void Stream::became_readable() {
  if (reader_ != nullptr) reader_->wake();
  if (outer_ != nullptr) outer_->became_readable();
}

void Stream::became_writable() {
  if (unsent() > 0 && !broken_) {
    const std::string_view rest = std::string_view(unsent_).substr(unsent_offset_);
    const Attempt attempt = try_write(std::span(&rest, 1));
    if (attempt.outcome == Outcome::failed) {
      broken_ = true;
    } else if (attempt.bytes > 0) {
      unsent_offset_ += attempt.bytes;
      last_progress_ = loop().now();
    }
    if (unsent() == 0 || broken_) {
      unsent_ = {};  // a stream that keeps up owns no memory
      unsent_offset_ = 0;
    } else if (unsent_offset_ > unsent_.size() / 2) {
      unsent_.erase(0, unsent_offset_);
      unsent_offset_ = 0;
    }
  }
  if (writer_ != nullptr) writer_->wake();
  if (outer_ != nullptr && unsent() == 0) outer_->became_writable();
}

void Stream::peer_hung_up() {
  hung_up_ = true;
  if (watcher_ != nullptr) watcher_->cancel();
  if (outer_ != nullptr) outer_->peer_hung_up();
  became_readable();
}

void Stream::ReadWait::attach(Flow& flow) {
  CHECK(stream_.reader_ == nullptr);
  stream_.reader_ = &flow;
}

void Stream::WriteWait::attach(Flow& flow) {
  CHECK(stream_.writer_ == nullptr);
  stream_.writer_ = &flow;
}

bool Stream::ReadSome::step(Flow& flow) {
  const auto space = into_.empty() ? flow.loop().buffer() : into_;
  const Attempt attempt = stream_.try_read(space);
  switch (attempt.outcome) {
    case Outcome::blocked: return false;
    case Outcome::done: result_ = std::string_view(space.data(), attempt.bytes); return true;
    case Outcome::ended: result_ = std::string_view(); return true;
    case Outcome::failed: result_ = std::unexpected(ErrorCode::reset); return true;
  }
  return false;
}

void Stream::WriteSome::attach(Flow& flow) {
  WriteWait::attach(flow);
  if (!std::exchange(tried_, true)) flow.wake();
}

bool Stream::WriteSome::step(Flow& flow) {
  if (stream_.unsent() == 0 && !stream_.broken_ && stream_.put_off(pieces_)) {
    result_ = size_;
    stream_.last_progress_ = stream_.loop().now();
    return true;
  }
  if (!tried_ && size_ <= kMostGivesWay && flow.loop().others_follow()) return false;
  tried_ = true;
  stream_.send_put_off();
  if (!stream_.broken_ && stream_.unsent() > 0) return false;  // what was written before goes first
  const Attempt attempt = stream_.broken_ ? Attempt{Outcome::failed} : stream_.try_write(pieces_);
  if (attempt.outcome == Outcome::blocked) return false;
  if (attempt.outcome == Outcome::failed) {
    stream_.broken_ = true;
    result_ = std::unexpected(ErrorCode::reset);
    return true;
  }
  stream_.last_progress_ = stream_.loop().now();
  result_ = attempt.bytes;
  return true;
}

bool Stream::Drained::step(Flow&) {
  stream_.send_put_off();
  if (stream_.broken_) {
    result_ = std::unexpected(ErrorCode::reset);
    return true;
  }
  return stream_.unsent() <= limit_;
}

HangupGuard::HangupGuard(Stream& stream, Flow& flow) : stream_(stream) {
  CHECK(stream.watcher_ == nullptr);
  stream.watcher_ = &flow;
  if (stream.hung_up()) flow.cancel();
}

}  // namespace drover::net
