// The small tools everything stands on.
#include <gtest/gtest.h>

#include "base/ascii.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/random.h"
#include "base/result.h"
#include "base/short_text.h"
#include "base/units.h"

namespace drover {
namespace {

TEST(Result, carries_a_value_or_an_error) {
  const auto half = [](int number) -> Result<int> {
    if (number % 2 != 0) return Error{ErrorCode::invalid, Side::client, "odd"};
    return number / 2;
  };
  EXPECT_EQ(half(4).value(), 2);
  EXPECT_EQ(half(3).error().detail, "odd");
}

TEST(Log, quotes_what_could_forge_a_line) {
  EXPECT_EQ(format_event("started", {{"port", 80}, {"name", "a b"}, {"evil", "x\n\"y"}, {"empty", ""}}),
            R"(started port=80 name="a b" evil="x\x0a\"y" empty="")");
}

TEST(Json, refuses_what_is_not_one_shallow_document) {
  EXPECT_TRUE(parse_json(R"({"a":[1,2]})"));
  EXPECT_FALSE(parse_json(""));
  EXPECT_FALSE(parse_json("{} {}"));
  EXPECT_TRUE(parse_json(std::string(64, '[') + std::string(64, ']')));
  EXPECT_FALSE(parse_json(std::string(66, '[') + std::string(66, ']')));
}

TEST(Json, reads_members_by_type_with_a_fallback) {
  const Json object = parse_json(R"({"text":"x","number":1.5,"whole":7,"flag":true})").value();
  EXPECT_EQ(text_at(object, "text"), "x");
  EXPECT_EQ(text_at(object, "number", "none"), "none");
  EXPECT_EQ(number_at(object, "number"), 1.5);
  EXPECT_EQ(integer_at(object, "whole"), 7);
  EXPECT_EQ(integer_at(object, "absent", -1), -1);
  EXPECT_TRUE(flag_at(object, "flag"));
}

TEST(Json, writes_invalid_utf8_as_replacement_characters) {
  EXPECT_EQ(to_text(Json{{"bad", "a\xff"}}), "{\"bad\":\"a\xef\xbf\xbd\"}");
}

TEST(Random, replays_from_its_seed_and_splits_into_independent_streams) {
  Random one(7), two(7);
  EXPECT_EQ(one.next(), two.next());
  Random child = one.split(1);
  two.split(1);
  EXPECT_EQ(one.next(), two.next());
  EXPECT_NE(child.next(), one.next());
  for (int i = 0; i < 1000; ++i) EXPECT_LT(one.below(3), 3U);
}

TEST(Clock, adds_without_overflow) {
  EXPECT_EQ(after(Mono{} + std::chrono::hours(1), Duration::max()), kNever);
  EXPECT_LT(after(Mono::min(), std::chrono::hours(1)), Mono{});
  EXPECT_EQ(after(Mono{}, std::chrono::seconds(1)), Mono{} + std::chrono::seconds(1));
}

TEST(Ascii, reads_numbers_of_digits_only) {
  EXPECT_EQ(ascii::to_number("120"), 120U);
  for (const auto* bad : {"", "+1", "-1", " 1", "1 ", "0x1", "1e3", "18446744073709551616"}) {
    EXPECT_FALSE(ascii::to_number(bad)) << bad;
  }
}

TEST(Ascii, folds_case_and_trims) {
  EXPECT_TRUE(ascii::equal_fold("Content-Type", "content-TYPE"));
  EXPECT_FALSE(ascii::equal_fold("a", "ab"));
  EXPECT_EQ(ascii::trim(" \t x y \t"), "x y");
  EXPECT_EQ(ascii::trim("   "), "");
}

TEST(ShortText, differs_wherever_a_byte_of_the_text_does) {
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwx";
  static_assert(kLetters.size() == ShortText::kMost);
  for (std::size_t size = 0; size <= kLetters.size(); ++size) {
    const std::string text(kLetters.substr(0, size));
    EXPECT_EQ(short_text(text), short_text(kLetters.substr(0, size))) << text;
    for (std::size_t at = 0; at < size; ++at) {
      std::string other = text;
      other[at] ^= 1;
      EXPECT_NE(short_text(other), short_text(text)) << text << " at " << at;
    }
  }
}

TEST(Units, count_one_kind_of_thing) {
  EXPECT_EQ((1_KiB + Bytes{1}).value, 1025U);
  EXPECT_LT(1_MiB, 1_GiB);
}

}  // namespace
}  // namespace drover
