#include <gtest/gtest.h>

#include "fleet/timestamp.h"

namespace drover::fleet {
namespace {

struct TimeCase {
  std::string_view text;
  std::int64_t nanoseconds;  // since 1970
};
constexpr TimeCase kTimes[] = {
    {"1970-01-01T00:00:00Z", 0},
    {"1970-01-01T00:00:01.5Z", 1'500'000'000},
    {"1970-01-01T02:00:00+02:00", 0},
    {"1969-12-31T19:00:00-05:00", 0},
    {"2026-08-22T10:11:12.123456789+02:00", 1'787'386'272'123'456'789},
    {"2024-02-29T00:00:00Z", 1'709'164'800'000'000'000},
    {"1970-01-01T00:00:00.0000000019Z", 1},  // digits beyond the ninth
    {"2318-12-11T00:00:00Z", INT64_MAX},     // a node's "for ever"
    {"0001-01-01T00:00:00Z", INT64_MIN},     // Go's zero
};

TEST(Timestamp, reads_what_go_writes) {
  for (const auto& test : kTimes) {
    const auto time = parse_timestamp(test.text);
    ASSERT_TRUE(time) << test.text;
    EXPECT_EQ(time->time_since_epoch().count(), test.nanoseconds) << test.text;
  }
}

TEST(Timestamp, refuses_all_else) {
  for (const auto* text :
       {"", "yesterday", "2024-01-01", "2024-01-01T00:00:00", "2024-13-01T00:00:00Z", "2023-02-29T00:00:00Z",
        "2024-01-01T24:00:00Z", "2024-01-01T00:60:00Z", "2024-01-01T00:00:00.Z", "2024-01-01T00:00:00+2:00",
        "2024-01-01T00:00:00ZZ", "+024-01-01T00:00:00Z", "2024-01-01 00:00:00Z", "2024-01-01T00:00:00+25:00"}) {
    EXPECT_FALSE(parse_timestamp(text)) << text;
  }
}

TEST(Timestamp, is_safe_at_both_ends_of_what_fits) {
  EXPECT_TRUE(parse_timestamp("2262-04-11T23:47:16.999999999Z"));
  EXPECT_EQ(parse_timestamp("9999-12-31T23:59:60.999999999-23:59"), Wall::max());
  EXPECT_EQ(parse_timestamp("0000-01-01T00:00:00+23:59"), Wall::min());
}

}  // namespace
}  // namespace drover::fleet
