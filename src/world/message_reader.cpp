#include "world/message_reader.h"

#include <charconv>

#include "base/ascii.h"

namespace drover::world {
namespace {

constexpr std::size_t kLongestHead = 1 << 20;

std::optional<std::uint64_t> number(std::string_view text, int base) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

}  // namespace

std::string_view MessageHead::find(std::string_view name) const {
  for (std::size_t at = 0; at < block.size();) {
    const auto end = block.find("\r\n", at);
    const std::string_view line = std::string_view(block).substr(at, end - at);
    const auto colon = line.find(':');
    if (colon != std::string_view::npos && ascii::equal_fold(line.substr(0, colon), name)) {
      return ascii::trim(line.substr(colon + 1));
    }
    if (end == std::string::npos) break;
    at = end + 2;
  }
  return {};
}

MessageReader::Event MessageReader::next(std::string_view& bytes) {
  while (true) {
    switch (state_) {
      case State::broken: bytes = {}; return Event::more;
      case State::ended: state_ = State::head; return Event::end;
      case State::head:
        if (bytes.empty()) return Event::more;
        return read_head(bytes);
      case State::length:
      case State::chunk:
      case State::until_close: {
        if (bytes.empty()) return Event::more;
        const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), left_));
        payload_ = bytes.substr(0, size);
        bytes.remove_prefix(size);
        left_ -= size;
        if (left_ == 0) state_ = state_ == State::length ? State::ended : State::chunk_end;
        return Event::payload;
      }
      case State::chunk_size: {
        const auto line = take_line(bytes);
        if (!line) return Event::more;
        const auto size = number(std::string_view(*line).substr(0, line->find(';')), 16);
        if (!size) return fail();
        left_ = *size;
        state_ = left_ == 0 ? State::trailer : State::chunk;
        break;
      }
      case State::chunk_end: {
        const auto line = take_line(bytes);
        if (!line) return Event::more;
        if (!line->empty()) return fail();
        state_ = State::chunk_size;
        break;
      }
      case State::trailer: {
        const auto line = take_line(bytes);
        if (!line) return Event::more;
        if (line->empty()) state_ = State::ended;
        break;
      }
    }
  }
}

// A line without its end; nothing while it is not whole.
std::optional<std::string> MessageReader::take_line(std::string_view& bytes) {
  const auto end = bytes.find('\n');
  pending_ += bytes.substr(0, end == std::string_view::npos ? end : end + 1);
  bytes.remove_prefix(end == std::string_view::npos ? bytes.size() : end + 1);
  if (!pending_.ends_with('\n')) return std::nullopt;
  std::string line = std::move(pending_);
  pending_.clear();
  line.pop_back();
  if (!line.ends_with('\r')) return line + "\n";  // no end of a line here: it will not be read as one
  line.pop_back();
  return line;
}

MessageReader::Event MessageReader::read_head(std::string_view& bytes) {
  while (!bytes.empty()) {
    // To the end of the head, and not one byte more.
    const auto line = bytes.find('\n');
    const std::size_t size = line == std::string_view::npos ? bytes.size() : line + 1;
    pending_ += bytes.substr(0, size);
    bytes.remove_prefix(size);
    if (pending_ == "\r\n") pending_.clear();
    if (pending_.size() > kLongestHead) return fail();
    if (!pending_.ends_with("\r\n\r\n")) continue;
    head_ = {};
    const auto first = pending_.find("\r\n");
    head_.first_line = pending_.substr(0, first);
    head_.block = pending_.substr(first + 2, pending_.size() - first - 4);
    pending_.clear();
    if (side_ == Side::requests) return begin_body();
    const auto status = head_.first_line.starts_with("HTTP/1.") && head_.first_line.size() >= 12
                            ? number(std::string_view(head_.first_line).substr(9, 3), 10)
                            : std::nullopt;
    if (!status) return fail();
    head_.status = static_cast<int>(*status);
    if (head_.status >= 200) return begin_body();
  }
  return Event::more;
}

MessageReader::Event MessageReader::begin_body() {
  const std::string_view length = head_.find("content-length");
  if (head_.status == 204 || head_.status == 304) {
    state_ = State::ended;
  } else if (!head_.find("transfer-encoding").empty()) {
    state_ = State::chunk_size;
  } else if (!length.empty()) {
    const auto size = number(length, 10);
    if (!size) return fail();
    left_ = *size;
    state_ = left_ == 0 ? State::ended : State::length;
  } else if (side_ == Side::requests) {
    state_ = State::ended;
  } else {
    left_ = UINT64_MAX;
    state_ = State::until_close;
  }
  return Event::head;
}

bool MessageReader::peer_ended() {
  if (state_ != State::until_close) return false;
  state_ = State::head;
  return true;
}

}  // namespace drover::world
