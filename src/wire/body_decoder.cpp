#include "wire/body_decoder.h"

#include <algorithm>
#include <cstring>

namespace drover::wire {

BodyDecoder::Piece BodyDecoder::decode(std::span<char> bytes) {
  const std::string_view all(bytes.data(), bytes.size());
  switch (kind_) {
    case http::BodyKind::none: return {{}, State::done, all};
    case http::BodyKind::until_close: return {all, State::more, {}};
    case http::BodyKind::length: {
      const auto taken = std::min<std::uint64_t>(left_, all.size());
      left_ -= taken;
      return {all.substr(0, taken), left_ == 0 ? State::done : State::more, all.substr(taken)};
    }
    case http::BodyKind::chunked: break;
  }
  std::size_t at = 0, kept = 0;
  while (at < bytes.size()) {
    if (chunks_.between_chunks()) {
      const auto joined = http::join_chunks(all.substr(at), bytes.data() + kept);
      at += joined.consumed;
      kept += joined.payload;
      if (at == bytes.size()) break;
    }
    const auto step = chunks_.step(all.substr(at));
    if (!step.payload.empty()) std::memmove(bytes.data() + kept, step.payload.data(), step.payload.size());
    kept += step.payload.size();
    at += step.consumed;
    if (step.state == http::ChunkedDecoder::State::error) return {all.substr(0, kept), State::error, {}};
    if (step.state == http::ChunkedDecoder::State::done) return {all.substr(0, kept), State::done, all.substr(at)};
  }
  return {all.substr(0, kept), State::more, {}};
}

}  // namespace drover::wire
