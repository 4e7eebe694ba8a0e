#pragma once
// Cuts what comes over a connection into HTTP/1.1 messages. It trusts the other side to be a program of the benchmark,
// but not to be right: what does not fit the framing is `broken`. Written apart from Drover's own parser on purpose,
// since it judges Drover's output.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace drover::bench {

class HttpReader {
 public:
  enum class Role : std::uint8_t { requests, responses };
  enum class Event : std::uint8_t {
    more,    // all bytes are taken; feed more
    head,    // a head is complete: start_line() and close() are valid
    body,    // payload() is the next part of the body
    end,     // the message is complete; the next event belongs to the next message
    broken,  // no HTTP, or a head above 16 KiB; nothing more comes of this connection
  };

  explicit HttpReader(Role role) : role_(role) {}

  // Takes from the front of `bytes` what belongs to the next event. Views that it gives are valid until `bytes` is
  // overwritten or next() is called again.
  Event next(std::string_view& bytes);

  std::string_view start_line() const { return start_line_; }
  std::string_view payload() const { return payload_; }
  bool close() const { return close_; }  // `Connection: close`, or the body ends with the connection
  bool until_close() const { return state_ == State::until_close; }  // the connection's end is the message's

  void restart() { *this = HttpReader(role_); }

 private:
  enum class State : std::uint8_t { head, length, size_line, chunk, chunk_end, trailer, until_close, complete };

  Event read_head(std::string_view& bytes);
  bool understand(std::string_view head);
  Event read_line(std::string_view& bytes, std::string_view& line);

  Role role_;
  State state_ = State::head;
  bool close_ = false;
  std::uint64_t left_ = 0;  // of the body, or of the chunk
  std::string held_;        // a head or line of which the end has not come
  std::string line_;        // what start_line_ and lines point into if they came in parts
  std::string_view start_line_, payload_;
};

}  // namespace drover::bench
