// The chunked coding against a slow reference; rows are those of the fault matrix.
#include "http/chunked.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>

#include "base/random.h"

namespace drover::http {
namespace {

using State = ChunkedDecoder::State;

struct Decoded {
  std::string payload;
  std::size_t consumed = 0;
  State state = State::more;
  std::string_view reason;
};

// Feeds `bytes` in pieces whose sizes `next_size` gives.
template <typename NextSize>
Decoded decode(std::string_view bytes, NextSize&& next_size, ChunkedDecoder decoder = ChunkedDecoder()) {
  Decoded decoded;
  while (decoded.consumed < bytes.size() && decoded.state == State::more) {
    auto piece = bytes.substr(decoded.consumed, next_size());
    while (!piece.empty() && decoded.state == State::more) {
      const auto step = decoder.step(piece);
      decoded.payload += step.payload;
      decoded.consumed += step.consumed;
      decoded.state = step.state;
      piece.remove_prefix(step.consumed);
    }
  }
  decoded.reason = decoder.reason();
  return decoded;
}
Decoded decode(std::string_view bytes) {
  return decode(bytes, [&] { return bytes.size(); });
}

TEST(Chunked, takes_the_framing_off) {
  const std::string_view bytes = "5\r\nhello\r\n6;name=\"v\"\r\n world\r\n00\r\nA: b\r\nC:\r\n\r\nnext";
  const auto decoded = decode(bytes);
  EXPECT_EQ(decoded.payload, "hello world");
  EXPECT_EQ(decoded.state, State::done);
  EXPECT_EQ(bytes.substr(decoded.consumed), "next");
}

TEST(Chunked, gives_one_chunk_a_step_with_its_own_framing) {
  const std::string bytes = "5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n";
  ChunkedDecoder decoder;
  const auto first = decoder.step(bytes);
  EXPECT_EQ(first.payload, "hello");
  EXPECT_EQ(first.consumed, 10U);
  const auto second = decoder.step(std::string_view(bytes).substr(first.consumed));
  EXPECT_EQ(second.payload, "!");
  EXPECT_EQ(second.state, State::more);
  const auto last = decoder.step(std::string_view(bytes).substr(first.consumed + second.consumed));
  EXPECT_EQ(last.payload, "");
  EXPECT_EQ(last.state, State::done);
}

// Cut anywhere, what join_chunks takes and what the decoder makes of the rest is the body.
TEST(Chunked, many_are_joined_as_one_by_one) {
  const std::string long_one(300, 'x');
  const std::string bytes = "1\r\na\r\n2\r\nbc\r\n12c\r\n" + long_one + "\r\n03\r\ndef\r\n1;v\r\ng\r\n0\r\n\r\n";
  const std::size_t plain = bytes.find("1;v");
  for (std::size_t end = 0; end <= bytes.size(); ++end) {
    std::string piece = bytes.substr(0, end);
    const auto joined = join_chunks(piece, piece.data());
    EXPECT_LE(joined.consumed, plain);
    std::string payload = piece.substr(0, joined.payload);
    payload += decode(bytes.substr(joined.consumed)).payload;
    EXPECT_EQ(payload, "abc" + long_one + "defg") << end;
  }
  std::string whole = bytes;
  EXPECT_EQ(join_chunks(whole, whole.data()).consumed, plain);
}

TEST(Chunked, says_when_raw_bytes_may_be_sent_on) {
  ChunkedDecoder decoder;
  EXPECT_TRUE(decoder.between_chunks());
  EXPECT_EQ(decoder.step("5\r\nhello\r\n").payload, "hello");
  EXPECT_TRUE(decoder.between_chunks() && decoder.plain());
  EXPECT_EQ(decoder.step("1").state, State::more);
  EXPECT_FALSE(decoder.between_chunks());
  EXPECT_EQ(decoder.step(";x\r\n!").payload, "!");
  EXPECT_FALSE(decoder.between_chunks() || decoder.plain());
}

TEST(Chunked, row_22_refuses_sizes_that_are_not_hex) {
  for (const auto* size : {"zz", "-1", "+5", "0x5", "1_0", " 5", "5 ", "", "5g", "11111111111111111",
                           "8000000000000000", "ffffffffffffffff", "00000000000000005"}) {
    const auto decoded = decode(std::string(size) + "\r\nhello");
    EXPECT_EQ(decoded.state, State::error) << size;
    EXPECT_EQ(decoded.reason, "chunk_size") << size;
  }
  EXPECT_EQ(decode("0000000000000005\r\nhello\r\n0\r\n\r\n").payload, "hello");
  EXPECT_EQ(decode("7fffffffffffffff\r\nhello").payload, "hello");
}

TEST(Chunked, row_23_bounds_chunk_lines_and_wants_both_line_ends) {
  struct LineCase {
    std::string_view name;
    std::string bytes;
    std::string_view reason;
  };
  const auto extended = [](std::size_t size) { return "1;" + std::string(size - 2, 'x') + "\r\na\r\n0\r\n\r\n"; };
  const LineCase cases[] = {
      {"4_KiB", extended(4096), ""},
      {"4_KiB_and_1", extended(4097), "chunk_line"},
      {"1_MiB", extended(1 << 20), "chunk_line"},
      {"bare_lf_after_size", "1\na\r\n0\r\n\r\n", "chunk_size"},
      {"bare_lf_after_extension", "1;x\na\r\n0\r\n\r\n", "chunk_line"},
      {"bare_cr_after_size", "1\ra\r\n0\r\n\r\n", "chunk_line"},
      {"nul_in_extension", std::string("1;\0\r\na\r\n0\r\n\r\n", 14), "chunk_line"},
      {"bare_lf_after_payload", "1\r\na\n0\r\n\r\n", "chunk_end"},
      {"bare_cr_after_payload", "1\r\na\r0\r\n\r\n", "chunk_end"},
      {"payload_longer_than_said", "1\r\nab\r\n0\r\n\r\n", "chunk_end"},
      {"bare_lf_at_the_end", "0\r\n\n", "trailer"},
      {"bare_cr_at_the_end", "0\r\n\rx", "trailer"},
  };
  for (const auto& [name, bytes, reason] : cases) {
    const auto decoded = decode(bytes);
    EXPECT_EQ(decoded.reason, reason) << name;
    EXPECT_EQ(decoded.state, reason.empty() ? State::done : State::error) << name;
  }
}

TEST(Chunked, row_54_drops_trailers) {
  ChunkedDecoder decoder;
  const std::string_view bytes =
      "1\r\na\r\n0\r\nAuthorization: Bearer x\r\nContent-Length: 5\r\nHost: evil\r\nTE: gzip\r\n\r\n";
  const auto chunk = decoder.step(bytes);
  EXPECT_EQ(chunk.payload, "a");
  const auto end = decoder.step(bytes.substr(chunk.consumed));
  EXPECT_EQ(end.state, State::done);
  EXPECT_EQ(chunk.consumed + end.consumed, bytes.size());
  EXPECT_EQ(decoder.trailers_dropped(), 4U);
  for (const auto* bad : {"A : b", " A: b", ": b", "A", "A: \x01", "A(: b"}) {
    EXPECT_EQ(decode("0\r\n" + std::string(bad) + "\r\n\r\n").reason, "trailer") << bad;
  }
}

TEST(Chunked, bounds_trailers) {
  const auto trailers = [](std::size_t count) {
    std::string bytes = "0\r\n";
    for (std::size_t i = 0; i < count; ++i) bytes += "A: 345\r\n";
    return bytes + "\r\n";
  };
  EXPECT_EQ(decode(trailers(4096)).state, State::done);  // of 8 bytes each: 32 KiB
  EXPECT_EQ(decode(trailers(4097)).reason, "trailer");
}

// What must come out of a body without trailers: one reading of the whole by other means than states.
std::optional<std::string> reference(std::string_view bytes) {
  std::string payload;
  while (true) {
    const auto end = bytes.find("\r\n");
    if (end == std::string_view::npos) return std::nullopt;
    const auto line = bytes.substr(0, end);
    const auto digits = line.substr(0, line.find(';'));
    if (digits.empty() || digits.size() > 16 || digits.find_first_not_of("0123456789abcdefABCDEF") != digits.npos) {
      return std::nullopt;
    }
    const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20; };
    if (std::any_of(line.begin(), line.end(), is_control)) return std::nullopt;
    const auto size = std::stoull(std::string(digits), nullptr, 16);
    bytes.remove_prefix(end + 2);
    if (size == 0) return bytes.starts_with("\r\n") ? std::optional(payload) : std::nullopt;
    if (bytes.size() < size || bytes.size() - size < 2 || bytes.substr(size, 2) != "\r\n") return std::nullopt;
    payload += bytes.substr(0, size);
    bytes.remove_prefix(size + 2);
  }
}

std::string random_body(Random& random) {
  std::string bytes;
  for (auto chunks = random.below(6); chunks > 0; --chunks) {
    const std::string payload(1 + random.below(random.chance(0.1) ? 3000 : 40), 'p');
    char prefix[kChunkPrefixMax];
    bytes.append(prefix, write_chunk_prefix(payload.size(), prefix));
    if (random.chance(0.2)) bytes.insert(bytes.size() - 2, ";ext=1");
    bytes.append(payload).append(kChunkEnd);
  }
  return bytes.append(kLastChunk);
}

TEST(Chunked, is_the_same_in_any_pieces_and_agrees_with_the_reference) {
  constexpr std::uint64_t kSeed = 7;
  Random random(kSeed);
  for (int round = 0; round < 3000; ++round) {
    std::string bytes = random_body(random);
    if (random.chance(0.5)) {
      constexpr std::string_view kEvil("\r\n;x05\0", 7);
      bytes[random.below(bytes.size())] = kEvil[random.below(kEvil.size())];
    }
    const auto whole = decode(bytes);
    const auto single = decode(bytes, [] { return std::size_t{1}; });
    const auto pieces = decode(bytes, [&] { return 1 + random.below(50); });
    for (const auto* other : {&single, &pieces}) {
      ASSERT_EQ(other->payload, whole.payload) << "seed " << kSeed << " round " << round;
      ASSERT_EQ(other->state, whole.state) << "seed " << kSeed << " round " << round;
      ASSERT_EQ(other->consumed, whole.consumed) << "seed " << kSeed << " round " << round;
      ASSERT_EQ(other->reason, whole.reason) << "seed " << kSeed << " round " << round;
    }
    const auto expected = reference(bytes);
    ASSERT_EQ(whole.state == State::done, expected.has_value())
        << "seed " << kSeed << " round " << round << ": " << bytes;
    if (expected) ASSERT_EQ(whole.payload, *expected) << "seed " << kSeed << " round " << round;
  }
}

TEST(Chunked, writes_sizes_in_hex) {
  char out[kChunkPrefixMax];
  EXPECT_EQ(std::string_view(out, write_chunk_prefix(1, out)), "1\r\n");
  EXPECT_EQ(std::string_view(out, write_chunk_prefix(0xabc, out)), "abc\r\n");
  EXPECT_EQ(std::string_view(out, write_chunk_prefix(~std::uint64_t{0}, out)), "ffffffffffffffff\r\n");
}

}  // namespace
}  // namespace drover::http
