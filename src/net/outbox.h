#pragma once
// What the flows of one turn write, if it is little: it leaves at the turn's end, one write after another. A peer on
// this machine that sleeps is woken by the first of them and still awake at the others; sent each for itself, with what
// a flow does in between, every one would wake it anew, and waking costs more than sending.

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace drover::net {

class Outbox {
 public:
  static constexpr std::size_t kLargest = 2048;  // bytes of a write
  static constexpr std::size_t kMost = 32;       // writes: with these all leave, so that none waits for a long turn

  class Sender {
   public:
    // What it put off. Must put nothing off meanwhile.
    virtual void send_now(std::string_view bytes) = 0;

   protected:
    ~Sender() = default;
  };

  // Of `size` bytes in all, at most kLargest. `sender` must live until flush().
  void add(Sender& sender, std::span<const std::string_view> pieces, std::size_t size) {
    letters_[count_++] = {&sender, size};
    for (const std::string_view piece : pieces) end_ = std::copy(piece.begin(), piece.end(), end_);
    if (count_ == kMost) flush();
  }

  void flush() {
    const char* at = bytes_.data();
    for (const Letter& letter : std::span(letters_).first(count_)) {
      letter.sender->send_now({at, letter.size});
      at += letter.size;
    }
    count_ = 0;
    end_ = bytes_.data();
  }

 private:
  struct Letter {
    Sender* sender;
    std::size_t size;
  };

  std::array<Letter, kMost> letters_;
  std::size_t count_ = 0;
  std::vector<char> bytes_ = std::vector<char>(kMost * kLargest);
  char* end_ = bytes_.data();
};

}  // namespace drover::net
