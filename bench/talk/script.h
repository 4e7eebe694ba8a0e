#pragma once
// What the stub and the load tool say to one another, so that the one can send it and the other knows every byte that
// must come. A request says in its first message what it wants and who it is (Tag); every piece of the answer echoes
// that, so that an answer that was cut, changed, repeated or given to somebody else is seen.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace drover::bench {

enum class Dialect : std::uint8_t { ollama, openai };

// `[bench IIIIIIII CCCCCCCC UUUUUUUU]`, all in hexadecimal digits.
struct Tag {
  std::uint32_t id = 0;           // of the request; answers echo its lower 20 bits
  std::uint32_t chunks = 0;       // of the stream before its last piece; 0: one whole JSON answer
  std::uint32_t interval_us = 0;  // between two chunks; 0: as fast as they are taken
};
inline constexpr std::size_t kTagSize = 34;
// Writes kTagSize bytes.
void write_tag(const Tag& tag, char* out);
// The first tag in `text`, and where it ends. nullopt: none that is whole.
struct FoundTag {
  Tag tag;
  std::size_t end;
};
std::optional<FoundTag> find_tag(std::string_view text);

// What a node saw of a request's body; echoed, so that a changed body is seen by the client.
struct BodySeen {
  std::uint32_t size = 0;
  std::uint64_t digest = 0;  // BodyDigest over all behind the tag
  friend bool operator==(const BodySeen&, const BodySeen&) = default;
};

// What differs between two pieces of one kind.
struct Echo {
  std::uint32_t id = 0;
  std::uint32_t sequence = 0;  // of the chunk, from 0; in the last piece the number of chunks
  std::uint64_t stamp_us = 0;  // when it was sent, of now_ns()
  BodySeen body;
};

// A part of an answer: fixed text with an echo of fixed width in it.
class Piece {
 public:
  // %i id, %s sequence, %t stamp, `%l %d` size and digest of the body.
  explicit Piece(std::string_view pattern);

  std::size_t size() const { return text_.size(); }
  // `into` has room for size() bytes.
  void write(const Echo& echo, char* into) const;
  // `into` holds this piece already: only the echo is written.
  void patch(const Echo& echo, char* into) const;
  std::string text(const Echo& echo) const;

  // Where a part of the echo stands: bytes `from` to `to`; the same: nowhere.
  struct Place {
    std::size_t from = 0, to = 0;
  };
  Place stamp() const { return stamp_ == kNone ? Place() : Place{stamp_, stamp_ + kStampWidth}; }
  Place body() const { return length_ == kNone ? Place() : Place{length_, length_ + kBodyWidth}; }

  static constexpr std::size_t kStampWidth = 9;
  static constexpr std::uint64_t kStampMask = (1ULL << (4 * kStampWidth)) - 1;

 private:
  static constexpr std::size_t kNone = std::string::npos;
  static constexpr std::size_t kBodyWidth = 8 + 1 + 16;
  std::string text_;
  std::size_t id_ = kNone, sequence_ = kNone, stamp_ = kNone, length_ = kNone, digest_ = kNone;
};

// All that is ever answered to an inference request in a dialect.
struct Script {
  Piece whole;                               // an answer in one
  Piece chunk;                               // of a stream
  Piece last;                                // of a stream: its end and its counts
  std::string_view whole_type, stream_type;  // Content-Type
};
inline constexpr std::size_t kLongestPiece = 1024;
const Script& script(Dialect dialect);

// The model that stub nodes hold, and that requests ask for.
inline constexpr std::string_view kModel = "m";

// nullopt: not all are hexadecimal digits.
std::optional<std::uint64_t> read_hex(std::string_view digits);

}  // namespace drover::bench
