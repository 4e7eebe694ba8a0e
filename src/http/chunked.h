#pragma once
// Chunked transfer coding (RFC 9112, section 7.1): an incremental, strict decoder, and what is needed to write it.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/units.h"

namespace drover::http {

struct ChunkedLimits {
  Bytes line = 4_KiB;       // a chunk's size with its extension
  Bytes trailers = 32_KiB;  // all trailer lines together
};

// Takes the framing off a body as it arrives, in pieces of any size. Trailers are checked and dropped: nothing a peer
// puts there (Host, Authorization, Content-Length) ever joins the head. No allocation.
//
//   while (!bytes.empty()) {
//     const auto step = decoder.step(bytes);
//     use(step.payload);                       // a view into `bytes`, perhaps empty
//     bytes.remove_prefix(step.consumed);
//     if (step.state != ChunkedDecoder::State::more) break;   // done: the rest of `bytes` is not of this body
//   }
class ChunkedDecoder {
 public:
  enum class State : std::uint8_t { more, done, error };
  struct Step {
    std::size_t consumed;  // framing and payload
    std::string_view payload;
    State state;
  };

  explicit ChunkedDecoder(const ChunkedLimits& limits = {}) : limits_(limits) {}

  // Consumes the framing at the start of `bytes`, then payload of at most one chunk, then the line end behind it as far
  // as it is there. Consumes all of `bytes` over repeated calls unless `done` or `error`. After either, do not call it.
  // With `error`, `payload` still holds what came before the fault.
  Step step(std::string_view bytes);

  // Why `error`: chunk_size, chunk_line (too long, or bad bytes in an extension), chunk_end (no CRLF behind the
  // payload), trailer.
  std::string_view reason() const { return reason_; }
  // The next byte is the first of a chunk's size line. When it holds before and after a piece, and plain() after it,
  // the raw bytes of the piece can be sent on as they came.
  bool between_chunks() const { return at_ == At::size && digits_ == 0; }
  bool plain() const { return plain_; }                       // no extension and no trailer has been seen
  std::size_t trailers_dropped() const { return trailers_; }  // lines

 private:
  enum class At : std::uint8_t {
    size,           // hex digits of a chunk's size
    extension,      // behind the ';'
    size_lf,        // CR seen, LF must follow
    payload,        // left_ bytes to come
    payload_cr,     // the payload has ended
    payload_lf,     //
    trailer_start,  // at the start of a line behind the last chunk
    trailer_name,   //
    trailer_value,  //
    trailer_lf,     // CR of a trailer line seen
    final_lf,       // CR of the blank line seen
    done,
    failed,
  };

  // The framing at the start of `bytes` that is as most framing is: a size line without extension, or the CRLF behind
  // a payload, and whole. Returns its length; 0: it is not, so take() must look at it.
  std::size_t take_plain(std::string_view bytes);
  // One byte of framing. False: it breaks the rules and reason_ is set.
  bool take(char c);
  // What take() came to: on to `next`, one more byte of an extension or a trailer, or the end.
  bool expect(At next);
  bool extension(char c);
  bool trailer(At next);
  bool fail(std::string_view reason);

  ChunkedLimits limits_;
  std::uint64_t left_ = 0;  // of the present chunk: its size while that is read, then bytes still to come
  std::uint32_t line_ = 0;  // bytes of the present chunk line
  std::uint32_t trailer_bytes_ = 0;
  std::uint32_t trailers_ = 0;
  std::uint8_t digits_ = 0;
  At at_ = At::size;
  bool plain_ = true;
  std::string_view reason_;
};

// Many small chunks at once: takes whole ones with plain framing from the start of `bytes`, which is between chunks,
// and moves their payloads together. `out` may lie within or before `bytes`, but not behind its start. What is left of
// `bytes` is for a ChunkedDecoder that is between chunks.
struct JoinedChunks {
  std::size_t consumed = 0;  // framing and payload
  std::size_t payload = 0;   // written to `out`
};
JoinedChunks join_chunks(std::string_view bytes, char* out);

inline constexpr std::size_t kChunkPrefixMax = 18;  // 16 hex digits and CRLF
// Writes `size` in hex and CRLF to `out`, which has room for kChunkPrefixMax bytes; returns how many it wrote. The
// payload follows, then kChunkEnd. `size` > 0, since a chunk of 0 ends the body.
std::size_t write_chunk_prefix(std::uint64_t size, char* out);
inline constexpr std::string_view kChunkEnd = "\r\n";
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

}  // namespace drover::http
