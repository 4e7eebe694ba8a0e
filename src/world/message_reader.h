#pragma once
// Reads HTTP/1.1 messages from a stream of bytes, one after another: an oracle's own reader, written apart from the
// parsers of http/ so that a fault of theirs does not hide itself. It is lenient in heads and strict in framing.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace drover::world {

// The first line and the fields that oracles ask for.
struct MessageHead {
  std::string first_line;
  int status = 0;  // of a response
  std::string block;
  // The value of a field, by its name in any case; empty: there is none.
  std::string_view find(std::string_view name) const;
};

class MessageReader {
 public:
  enum class Side : std::uint8_t { requests, responses };
  enum class Event : std::uint8_t {
    more,     // nothing whole is left in the bytes
    head,     // head() is set; interim answers are skipped
    payload,  // of the body; views into the bytes given
    end,      // of the message, properly
    broken,   // this is no HTTP: nothing more is read
  };

  explicit MessageReader(Side side) : side_(side) {}

  // The next event; takes what it read from the front of `bytes`.
  Event next(std::string_view& bytes);
  // The peer has ended its side. True: a body that lasts until then has ended properly.
  bool peer_ended();

  const MessageHead& head() const { return head_; }
  std::string_view payload() const { return payload_; }
  // Some bytes of a message have come, its end has not.
  bool inside() const { return state_ != State::head || !pending_.empty(); }
  bool broken() const { return state_ == State::broken; }

 private:
  enum class State : std::uint8_t { head, length, chunk_size, chunk, chunk_end, trailer, until_close, ended, broken };

  Event read_head(std::string_view& bytes);
  Event begin_body();
  std::optional<std::string> take_line(std::string_view& bytes);
  Event fail() {
    state_ = State::broken;
    return Event::broken;
  }

  Side side_;
  State state_ = State::head;
  MessageHead head_;
  std::string pending_;  // an unfinished head or line
  std::uint64_t left_ = 0;
  std::string_view payload_;
};

}  // namespace drover::world
