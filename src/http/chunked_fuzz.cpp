// Any bytes as a chunked body, whole, in pieces, and with its first chunks joined: the same payload, the same end.
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

Decoded decode(std::string_view bytes, std::size_t piece_size, Decoded decoded = {}) {
  ChunkedDecoder decoder;
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

// A decoder that is between chunks cannot tell what was before them.
Decoded decode_rest(std::string_view bytes) {
  std::string joined(bytes);
  const auto [consumed, payload] = drover::http::join_chunks(joined, joined.data());
  CHECK(payload <= consumed && consumed <= bytes.size());
  joined.resize(payload);
  return decode(bytes, bytes.size(), {.payload = joined, .consumed = consumed});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto whole = decode(bytes, size);
  CHECK(decode(bytes, 1) == whole);
  CHECK(decode(bytes, 7) == whole);
  CHECK(decode_rest(bytes) == whole);
  return 0;
}
