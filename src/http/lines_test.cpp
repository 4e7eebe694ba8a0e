// Streams cut anywhere come out in whole lines and events.
#include "http/lines.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/random.h"

namespace drover::http {
namespace {

// Calls `use` with pieces of `text` of random sizes.
template <typename Use>
void in_pieces(std::string_view text, Random& random, Use&& use) {
  while (!text.empty()) {
    const auto piece = text.substr(0, 1 + random.below(9));
    text.remove_prefix(piece.size());
    use(piece);
  }
}

TEST(FrameEnds, finds_the_last_line_or_event) {
  struct EndCase {
    StreamShape shape;
    std::string_view bytes;
    std::size_t last;
  };
  constexpr EndCase kCases[] = {
      {StreamShape::lines, "", 0},
      {StreamShape::lines, "{}", 0},
      {StreamShape::lines, "{}\n", 3},
      {StreamShape::lines, "{}\n{}\n{", 6},
      {StreamShape::events, "data: a\n", 0},
      {StreamShape::events, "data: a\n\n", 9},
      {StreamShape::events, "data: a\r\n\r\n", 11},
      {StreamShape::events, "data: a\r\n\n", 10},
      {StreamShape::events, "data: a\n\ndata: b\n", 9},
      {StreamShape::events, "data: a\n\ndata: b\n\nd", 18},
      {StreamShape::events, "data: a\n\r\r\n", 0},
      {StreamShape::events, ": ping\n\n", 8},
      {StreamShape::bytes, "abc", 3},
  };
  for (const auto& [shape, bytes, last] : kCases) {
    EXPECT_EQ(FrameEnds(shape).last(bytes), last) << bytes;
    FrameEnds single(shape);
    std::size_t end = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      if (single.last(bytes.substr(i, 1)) == 1) end = i + 1;
    }
    EXPECT_EQ(end, last) << "byte by byte: " << bytes;
  }
}

TEST(WriteBoundary, holds_back_what_is_not_whole) {
  WriteBoundary boundary(StreamShape::lines);
  EXPECT_EQ(boundary.release("{\"a\":1}\n{\"b\""), 8U);
  EXPECT_EQ(boundary.held(), Bytes{4});
  EXPECT_EQ(boundary.release(":2"), 0U);
  EXPECT_EQ(boundary.held(), Bytes{6});
  EXPECT_EQ(boundary.release("}\n"), 2U);
  EXPECT_EQ(boundary.held(), Bytes{0});
}

TEST(WriteBoundary, splits_a_line_that_is_too_long_but_no_character) {
  WriteBoundary boundary(StreamShape::lines, Bytes{10});
  EXPECT_EQ(boundary.release("0123456789"), 0U);
  EXPECT_EQ(boundary.release("abc\xe2\x82"), 3U);
  EXPECT_EQ(boundary.held(), Bytes{2});
  EXPECT_EQ(boundary.release("\xac\n"), 2U);
  EXPECT_EQ(boundary.release("\n0123456789\xf0\x9f\x98\x80"), 15U);
}

TEST(WriteBoundary, does_not_wait_for_ever_for_the_rest_of_a_character) {
  WriteBoundary boundary(StreamShape::lines, Bytes{10});
  for (int i = 0; i < 100; ++i) {
    boundary.release("\xc3");  // each the start of a character that does not come
    EXPECT_LE(boundary.held(), Bytes{13});
  }
}

TEST(WriteBoundary, ends_every_write_with_a_frame) {
  constexpr std::uint64_t kSeed = 11;
  Random random(kSeed);
  for (int round = 0; round < 300; ++round) {
    std::string text;
    for (auto events = random.below(8); events > 0; --events) {
      text += "data: " + std::string(random.below(30), 'x') + (random.chance(0.5) ? "\n\n" : "\r\n\r\n");
    }
    WriteBoundary boundary(StreamShape::events);
    std::string written, held;
    in_pieces(text, random, [&](std::string_view piece) {
      const auto now = boundary.release(piece);
      held += piece.substr(0, now);
      if (now > 0) {
        ASSERT_TRUE(held.ends_with("\n\n") || held.ends_with("\r\n\r\n")) << "seed " << kSeed << " round " << round;
        written += held;
        held.clear();
      }
      held += piece.substr(now);
      ASSERT_EQ(boundary.held(), Bytes{held.size()});
    });
    EXPECT_EQ(written, text);
  }
}

TEST(LineReader, gives_views_of_the_piece_where_it_can) {
  const std::string piece = "one\ntwo\r\nthr";
  LineReader lines;
  lines.feed(piece);
  const auto one = lines.next();
  ASSERT_EQ(one, "one");
  EXPECT_EQ(one->data(), piece.data());
  EXPECT_EQ(lines.next(), "two");
  EXPECT_EQ(lines.next(), std::nullopt);
  EXPECT_EQ(lines.rest(), "thr");
  lines.feed("ee\n\nfive");
  EXPECT_EQ(lines.next(), "three");
  EXPECT_EQ(lines.next(), "");
  EXPECT_EQ(lines.next(), std::nullopt);
  EXPECT_EQ(lines.rest(), "five");
}

TEST(LineReader, row_34_reads_no_line_above_its_bound) {
  for (const bool in_one_piece : {true, false}) {
    LineReader lines(Bytes{10});
    const std::string_view longest = "123456789\n", longer = "1234567890\n";
    lines.feed(longest);
    EXPECT_EQ(lines.next(), "123456789");
    EXPECT_EQ(lines.next(), std::nullopt);
    EXPECT_FALSE(lines.too_long());
    lines.feed(in_one_piece ? longer : longer.substr(0, 8));
    EXPECT_EQ(lines.next(), std::nullopt);
    if (!in_one_piece) {
      lines.feed("90\n");
      EXPECT_EQ(lines.next(), std::nullopt);
    }
    EXPECT_TRUE(lines.too_long());
    lines.feed("x\n");
    EXPECT_EQ(lines.next(), std::nullopt);
  }
}

TEST(LineReader, row_35_loses_no_byte_in_any_pieces) {
  constexpr std::uint64_t kSeed = 13;
  Random random(kSeed);
  const std::string text = "{\"\xe2\x82\xac\":1}\n\n{\"a\":\"\xf0\x9f\x98\x80\"}\r\nlast";
  for (int round = 0; round < 500; ++round) {
    LineReader lines;
    std::vector<std::string> seen;
    in_pieces(text, random, [&](std::string_view piece) {
      const std::string copy(piece);  // views of an old piece would be caught by the sanitizer
      lines.feed(copy);
      while (const auto line = lines.next()) seen.emplace_back(*line);
    });
    ASSERT_EQ(seen, (std::vector<std::string>{"{\"\xe2\x82\xac\":1}", "", "{\"a\":\"\xf0\x9f\x98\x80\"}"}));
    ASSERT_EQ(lines.rest(), "last");
  }
}

TEST(EventReader, reads_fields_and_joins_data_in_any_pieces) {
  constexpr std::uint64_t kSeed = 17;
  Random random(kSeed);
  const std::string text =
      ": ping\n\ndata: {\"a\":1}\n\nevent: delta\r\ndata:x\r\nid: 7\r\ndata: y\r\ndata\r\n\r\n\ndata: [DONE]\n\ndata: "
      "cut";
  const std::vector<std::pair<std::string, std::string>> expected = {
      {"", "{\"a\":1}"}, {"delta", "x\ny\n"}, {"", "[DONE]"}};
  for (int round = 0; round < 500; ++round) {
    EventReader events;
    std::vector<std::pair<std::string, std::string>> seen;
    in_pieces(text, random, [&](std::string_view piece) {
      const std::string copy(piece);
      events.feed(copy);
      while (const auto event = events.next()) seen.emplace_back(event->name, event->data);
    });
    ASSERT_EQ(seen, expected) << "seed " << kSeed << " round " << round;
    ASSERT_EQ(events.rest(), "data: cut");
  }
}

}  // namespace
}  // namespace drover::http
