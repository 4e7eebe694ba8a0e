#include "talk/http_reader.h"

#include <algorithm>
#include <charconv>

#include "base/ascii.h"

namespace drover::bench {
namespace {

constexpr std::size_t kLongestHead = 16 * 1024;
constexpr std::string_view kHeadEnd = "\r\n\r\n";

}  // namespace

HttpReader::Event HttpReader::next(std::string_view& bytes) {
  while (true) {
    switch (state_) {
      case State::head:
        if (bytes.empty()) return Event::more;
        return read_head(bytes);
      case State::length:
      case State::chunk: {
        if (left_ == 0) {
          state_ = state_ == State::length ? State::complete : State::chunk_end;
          continue;
        }
        if (bytes.empty()) return Event::more;
        payload_ = bytes.substr(0, left_);
        bytes.remove_prefix(payload_.size());
        left_ -= payload_.size();
        return Event::body;
      }
      case State::until_close:
        if (bytes.empty()) return Event::more;
        payload_ = bytes;
        bytes = {};
        return Event::body;
      case State::complete: state_ = State::head; return Event::end;
      case State::size_line: {
        std::string_view line;
        if (const Event event = read_line(bytes, line); event != Event::head) return event;
        const auto parsed = std::from_chars(line.data(), line.data() + line.size(), left_, 16);
        if (parsed.ec != std::errc() || line.size() > 16) return Event::broken;
        state_ = left_ == 0 ? State::trailer : State::chunk;
        continue;
      }
      case State::chunk_end:
      case State::trailer: {
        std::string_view line;
        if (const Event event = read_line(bytes, line); event != Event::head) return event;
        if (state_ == State::chunk_end && !line.empty()) return Event::broken;
        if (state_ == State::chunk_end) {
          state_ = State::size_line;
        } else if (line.empty()) {
          state_ = State::complete;
        }
        continue;
      }
    }
  }
}

HttpReader::Event HttpReader::read_head(std::string_view& bytes) {
  std::string_view head;
  if (held_.empty()) {
    if (const auto end = bytes.find(kHeadEnd); end != std::string_view::npos) {
      head = bytes.substr(0, end + kHeadEnd.size());
      bytes.remove_prefix(head.size());
    }
  }
  if (head.empty()) {
    const std::size_t before = held_.size();
    held_ += bytes.substr(0, kLongestHead);
    const auto end = held_.find(kHeadEnd, before < 3 ? 0 : before - 3);
    if (end == std::string::npos) {
      if (held_.size() >= kLongestHead) return Event::broken;
      bytes = {};
      return Event::more;
    }
    bytes.remove_prefix(end + kHeadEnd.size() - before);
    held_.resize(end + kHeadEnd.size());
    line_.swap(held_);
    held_.clear();
    head = line_;
  }
  return understand(head) ? Event::head : Event::broken;
}

// Only what decides about framing is looked at.
bool HttpReader::understand(std::string_view head) {
  const auto first_end = head.find("\r\n");
  start_line_ = head.substr(0, first_end);
  head.remove_prefix(first_end + 2);
  close_ = false;
  bool chunked = false, has_length = false;
  left_ = 0;
  while (head.size() > 2) {
    const auto end = head.find("\r\n");
    const std::string_view line = head.substr(0, end);
    head.remove_prefix(end + 2);
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) return false;
    const std::string_view name = line.substr(0, colon), value = ascii::trim(line.substr(colon + 1));
    if (ascii::equal_fold(name, "content-length")) {
      const auto length = ascii::to_number(value);
      if (!length) return false;
      left_ = *length;
      has_length = true;
    } else if (ascii::equal_fold(name, "transfer-encoding")) {
      chunked = ascii::equal_fold(value, "chunked");
    } else if (ascii::equal_fold(name, "connection")) {
      close_ = ascii::equal_fold(value, "close");
    }
  }
  if (chunked) {
    state_ = State::size_line;
  } else if (has_length || role_ == Role::requests) {
    state_ = State::length;
  } else {
    state_ = State::until_close;
    close_ = true;
  }
  return true;
}

// Event::head: `line` is complete, without its end.
HttpReader::Event HttpReader::read_line(std::string_view& bytes, std::string_view& line) {
  constexpr std::size_t kLongestLine = 1024;
  const auto end = bytes.find('\n');
  if (end == std::string_view::npos) {
    if (held_.size() + bytes.size() > kLongestLine) return Event::broken;
    held_ += bytes;
    bytes = {};
    return Event::more;
  }
  line = bytes.substr(0, end);
  bytes.remove_prefix(end + 1);
  if (!held_.empty()) {
    held_ += line;
    line_.swap(held_);
    held_.clear();
    line = line_;
  }
  if (line.empty() || line.back() != '\r') return Event::broken;
  line.remove_suffix(1);
  return Event::head;
}

}  // namespace drover::bench
