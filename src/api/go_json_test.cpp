// The bytes that Go would write.
#include "api/go_json.h"

#include <gtest/gtest.h>

#include "api/go_duration.h"

namespace drover::api {
namespace {

using std::chrono::nanoseconds;
using std::chrono::seconds;

TEST(GoJson, escapes_strings_as_go_does) {
  EXPECT_EQ(go_string("plain"), R"("plain")");
  EXPECT_EQ(go_string("a\"b\\c"), R"("a\"b\\c")");
  EXPECT_EQ(go_string("<a href='x'>&"), R"("\u003ca href='x'\u003e\u0026")");
  EXPECT_EQ(go_string("\b\f\n\r\t"), R"("\b\f\n\r\t")");
  EXPECT_EQ(go_string(std::string_view("\0\x1f\x7f", 3)), "\"\\u0000\\u001f\x7f\"");
  EXPECT_EQ(go_string("\xe2\x80\xa8|\xe2\x80\xa9|\xe2\x80\xaa"), "\"\\u2028|\\u2029|\xe2\x80\xaa\"");
  EXPECT_EQ(go_string("\xe2\x82\xac \xf0\x9f\xa6\x99"), "\"\xe2\x82\xac \xf0\x9f\xa6\x99\"");
  EXPECT_EQ(go_string("\xff|\xe2\x82|\xed\xa0\x80"), R"("\ufffd|\ufffd\ufffd|\ufffd\ufffd\ufffd")");
  EXPECT_EQ(go_string(std::string(100, 'x') + "<"), "\"" + std::string(100, 'x') + R"(\u003c")");
}

TEST(GoJson, writes_times_without_trailing_zeros) {
  const Wall second{seconds(1'787'392'800)};
  EXPECT_EQ(go_time(second), "2026-08-22T10:00:00Z");
  EXPECT_EQ(go_time(second + nanoseconds(140'000'000)), "2026-08-22T10:00:00.14Z");
  EXPECT_EQ(go_time(second + nanoseconds(123'456'789)), "2026-08-22T10:00:00.123456789Z");
  EXPECT_EQ(go_time(second + nanoseconds(1)), "2026-08-22T10:00:00.000000001Z");
  EXPECT_EQ(go_time(Wall{}), "1970-01-01T00:00:00Z");
  EXPECT_EQ(go_time(Wall{} - nanoseconds(1)), "1969-12-31T23:59:59.999999999Z");
  EXPECT_EQ(go_time(Wall{std::chrono::sys_days{std::chrono::year(2028) / 2 / 29}}), "2028-02-29T00:00:00Z");
  EXPECT_EQ(go_time(Wall::max()), "2262-04-11T23:47:16.854775807Z");
}

struct FloatCase {
  float value;
  std::string_view text;
};
// Printed by Go's json.Marshal of the same float32.
constexpr FloatCase kFloats[] = {
    {0.0F, "0"},
    {-0.0F, "-0"},
    {1.0F, "1"},
    {-0.5F, "-0.5"},
    {0.1F, "0.1"},
    {0.0123F, "0.0123"},
    {3.4028235e38F, "3.4028235e+38"},
    {1e20F, "100000000000000000000"},
    {1e21F, "1e+21"},
    {1e-6F, "0.000001"},
    {9.9e-7F, "9.9e-7"},
    {1e-45F, "1e-45"},
    {123456.79F, "123456.79"},
    {16777216.0F, "16777216"},
    {-2.5e-10F, "-2.5e-10"},
};

TEST(GoJson, writes_the_shortest_float32) {
  for (const auto& [value, text] : kFloats) {
    std::string out;
    append_go_float(out, value);
    EXPECT_EQ(out, text);
  }
}

struct DurationCase {
  std::string_view text;
  std::int64_t nanoseconds;
};
constexpr DurationCase kDurations[] = {
    {"0", 0},
    {"-0", 0},
    {"5s", 5'000'000'000},
    {"1.5s", 1'500'000'000},
    {".5s", 500'000'000},
    {"1.s", 1'000'000'000},
    {"1h30m", 5'400'000'000'000},
    {"-1m", -60'000'000'000},
    {"+1m", 60'000'000'000},
    {"1us2\xc2\xb5s3\xce\xbcs", 6'000},
    {"0.3333333333333333333h", 1'200'000'000'000},
    {"9223372036854775807ns", INT64_MAX},
    {"-9223372036854775808ns", INT64_MIN},
};

TEST(GoDuration, reads_what_go_reads) {
  for (const auto& [text, expected] : kDurations) {
    const auto read = parse_go_duration(text);
    ASSERT_TRUE(read) << text;
    EXPECT_EQ(read->count(), expected) << text;
  }
}

TEST(GoDuration, refuses_what_go_refuses) {
  for (const std::string_view text :
       {"", "-", "3", "s", ".s", "1x", "1 s", " 1s", "1s ", "1e3s", "--1s", "+-1s", "1.2.3s", "9223372036854775808ns",
        "99999999999999999999h", "3000000h", "-9223372036854775809ns"}) {
    EXPECT_FALSE(parse_go_duration(text)) << text;
  }
}

}  // namespace
}  // namespace drover::api
