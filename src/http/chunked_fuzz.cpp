// Any bytes as a chunked body, whole and in pieces: the same payload, the same end.
#include <string>

#include "base/check.h"
#include "http/chunked.h"

namespace {

using drover::http::ChunkedDecoder;

struct Decoded {
  std::string payload;
  std::size_t consumed = 0;
  ChunkedDecoder::State state = ChunkedDecoder::State::more;
  bool operator==(const Decoded&) const = default;
};

Decoded decode(std::string_view bytes, std::size_t piece_size) {
  ChunkedDecoder decoder;
  Decoded decoded;
  while (decoded.consumed < bytes.size() && decoded.state == ChunkedDecoder::State::more) {
    auto piece = bytes.substr(decoded.consumed, piece_size);
    while (!piece.empty() && decoded.state == ChunkedDecoder::State::more) {
      const auto step = decoder.step(piece);
      CHECK(step.consumed <= piece.size() && (step.consumed > 0 || step.state == ChunkedDecoder::State::error));
      decoded.payload += step.payload;
      decoded.consumed += step.consumed;
      decoded.state = step.state;
      piece.remove_prefix(step.consumed);
    }
  }
  return decoded;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto whole = decode(bytes, size);
  CHECK(decode(bytes, 1) == whole);
  CHECK(decode(bytes, 7) == whole);
  return 0;
}
