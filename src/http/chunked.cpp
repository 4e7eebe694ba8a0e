#include "http/chunked.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "base/check.h"
#include "http/head_syntax.h"

namespace drover::http {
namespace {

constexpr std::uint8_t kMostDigits = 16;
bool is_text(char c) { return (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) || c == '\t'; }

}  // namespace

ChunkedDecoder::Step ChunkedDecoder::step(std::string_view bytes) {
  Step step{0, {}, State::more};
  while (step.consumed < bytes.size()) {
    if (!step.payload.empty() && between_chunks()) return step;  // one chunk a step, so that its payload is one view
    if (at_ == At::payload) {
      step.payload = bytes.substr(step.consumed, left_);
      step.consumed += step.payload.size();
      left_ -= step.payload.size();
      if (left_ == 0) at_ = At::payload_cr;
      continue;
    }
    if (const auto taken = take_plain(bytes.substr(step.consumed)); taken > 0) {
      step.consumed += taken;
      continue;
    }
    if (!take(bytes[step.consumed])) {
      step.state = State::error;
      return step;
    }
    ++step.consumed;
    if (at_ == At::done) {
      step.state = State::done;
      return step;
    }
  }
  return step;
}

std::size_t ChunkedDecoder::take_plain(std::string_view bytes) {
  if (at_ == At::payload_cr && bytes.starts_with(kChunkEnd)) {
    at_ = At::size;
    return kChunkEnd.size();
  }
  if (!between_chunks()) return 0;
  std::uint64_t size = 0;
  std::size_t digits = 0;
  for (const auto most = std::min<std::size_t>(bytes.size(), kMostDigits - 1); digits < most; ++digits) {
    const int digit = hex_digit(bytes[digits]);
    if (digit == kNoHexDigit) break;
    size = size << 4 | static_cast<unsigned>(digit);
  }
  if (digits == 0 || !bytes.substr(digits).starts_with(kChunkEnd)) return 0;
  left_ = size;
  at_ = size == 0 ? At::trailer_start : At::payload;
  return digits + kChunkEnd.size();
}

bool ChunkedDecoder::take(char c) {
  switch (at_) {
    case At::size:
      if (const int digit = hex_digit(c); digit != kNoHexDigit) {
        left_ = left_ << 4 | static_cast<unsigned>(digit);
        ++digits_;
        // 2^63 and more is nobody's chunk, and sums of it would overflow.
        return (digits_ <= kMostDigits && left_ >> 63 == 0) || fail("chunk_size");
      }
      if (digits_ == 0 || (c != '\r' && c != ';')) return fail("chunk_size");
      line_ = digits_;
      return c == ';' ? extension(c) : expect(At::size_lf);
    case At::extension: return c == '\r' ? expect(At::size_lf) : extension(c);
    case At::size_lf:
      digits_ = 0;
      return c == '\n' ? expect(left_ == 0 ? At::trailer_start : At::payload) : fail("chunk_line");
    case At::payload_cr: return c == '\r' ? expect(At::payload_lf) : fail("chunk_end");
    case At::payload_lf: return c == '\n' ? expect(At::size) : fail("chunk_end");
    case At::trailer_start:
      if (c == '\r') return expect(At::final_lf);
      ++trailers_;
      plain_ = false;
      return is_token_char(c) ? trailer(At::trailer_name) : fail("trailer");
    case At::trailer_name:
      if (c == ':') return trailer(At::trailer_value);
      return is_token_char(c) ? trailer(At::trailer_name) : fail("trailer");
    case At::trailer_value:
      if (c == '\r') return trailer(At::trailer_lf);
      return is_text(c) ? trailer(At::trailer_value) : fail("trailer");
    case At::trailer_lf: return c == '\n' ? trailer(At::trailer_start) : fail("trailer");
    case At::final_lf: return c == '\n' ? expect(At::done) : fail("trailer");
    case At::payload:  // step() takes these itself
    case At::done:
    case At::failed: break;
  }
  CHECK(false && "step() after done or error");
}

bool ChunkedDecoder::expect(At next) {
  at_ = next;
  return true;
}

bool ChunkedDecoder::extension(char c) {
  plain_ = false;
  return is_text(c) && ++line_ <= limits_.line.value ? expect(At::extension) : fail("chunk_line");
}

bool ChunkedDecoder::trailer(At next) {
  return ++trailer_bytes_ <= limits_.trailers.value ? expect(next) : fail("trailer");
}

bool ChunkedDecoder::fail(std::string_view reason) {
  reason_ = reason;
  at_ = At::failed;
  return false;
}

JoinedChunks join_chunks(std::string_view bytes, char* out) {
  const char* const end = bytes.data() + bytes.size();
  const char* chunk = bytes.data();
  char* to = out;
  while (true) {
    const char* at = chunk;
    std::uint64_t size = 0;
    for (; at != end && at - chunk < kMostDigits - 1; ++at) {
      const int digit = hex_digit(*at);
      if (digit == kNoHexDigit) break;
      size = size << 4 | static_cast<unsigned>(digit);
    }
    const auto behind = static_cast<std::uint64_t>(end - at);
    if (size == 0 || behind < 4 || size > behind - 4) break;
    const char* const payload = at + 2;
    if (at[0] != '\r' || at[1] != '\n' || payload[size] != '\r' || payload[size + 1] != '\n') break;
    std::memmove(to, payload, size);
    to += size;
    chunk = payload + size + 2;
  }
  return {static_cast<std::size_t>(chunk - bytes.data()), static_cast<std::size_t>(to - out)};
}

std::size_t write_chunk_prefix(std::uint64_t size, char* out) {
  char* end = std::to_chars(out, out + kChunkPrefixMax - kChunkEnd.size(), size, 16).ptr;
  *end++ = '\r';
  *end++ = '\n';
  return static_cast<std::size_t>(end - out);
}

}  // namespace drover::http
