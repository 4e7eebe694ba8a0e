#pragma once
// Compares an answer with what the stub must have sent, byte for byte, as it arrives in parts of any size.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "talk/script.h"

namespace drover::bench {

// Some routers write messages anew.
struct Leniency {
  bool any_body = false;    // the node may have seen another body than was sent
  bool any_answer = false;  // only the echoes in the answer are looked for, each in its turn
};

class AnswerCheck {
 public:
  AnswerCheck(const Script& lines, Leniency leniency) : lines_(&lines), leniency_(leniency) {}

  void begin(const Tag& tag, BodySeen body);
  // False: something is wrong, and fault() says what. `chunk(stamp_us)` is called for each chunk that is complete.
  template <typename OnChunk>
  bool feed(std::string_view part, OnChunk on_chunk) {
    chunk_ended_ = false;
    while (!part.empty() || (chunk_ended_ && leniency_.any_answer)) {
      if (!take(part)) return false;
      if (chunk_ended_) on_chunk(stamp_);
    }
    return true;
  }
  bool complete() const { return piece_ == pieces(); }
  // Pieces that came whole.
  std::uint32_t received() const { return piece_; }
  std::string fault() const;

 private:
  std::uint32_t pieces() const { return tag_.chunks == 0 ? 1 : tag_.chunks + 1; }
  const Piece& piece() const;
  bool take(std::string_view& part);
  bool same(std::string_view got, const char* expected, const Piece& piece);
  bool take_echoes(std::string_view& part);

  const Script* lines_;
  Leniency leniency_;
  Tag tag_;
  BodySeen body_;
  std::uint32_t piece_ = 0;  // the one that is coming
  std::size_t offset_ = 0;   // in it
  bool chunk_ended_ = false;
  std::uint64_t stamp_ = 0;  // of the piece that is coming, as far as its digits came
  std::string loose_;        // with any_answer: what came behind the last echo
  std::string fault_;
};

}  // namespace drover::bench
