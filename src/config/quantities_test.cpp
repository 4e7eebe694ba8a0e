#include <gtest/gtest.h>

#include <array>

#include "config/nearest.h"
#include "config/quantities.h"

namespace drover::config {
namespace {

using namespace std::chrono_literals;

struct DurationCase {
  std::string_view text;
  Duration duration;
  std::string_view shortest;
};
const DurationCase kDurations[] = {
    {"30s", 30s, "30s"},
    {"5m", 5min, "5m"},
    {"1h30m", 90min, "1h30m"},
    {"250ms", 250ms, "250ms"},
    {"90s", 90s, "1m30s"},
    {"2d", 48h, "2d"},
    {"0s", 0s, "0s"},
    {"1s500ms", 1500ms, "1s500ms"},
    {"1500us", 1500us, "1ms500us"},
    {"7ns", 7ns, "7ns"},
};

TEST(Duration, is_read_and_written) {
  for (const auto& test : kDurations) {
    EXPECT_EQ(parse_duration(test.text), test.duration) << test.text;
    EXPECT_EQ(duration_text(test.duration), test.shortest);
  }
}

TEST(Duration, of_another_form_is_none) {
  for (const auto* text : {"", "30", "s", "30 s", "-30s", "30S", "1.5s", "30m1h", "1m1m", "1h30", "30sec",
                           "99999999999d", "99999999999999999999s", "200000d"}) {
    EXPECT_FALSE(parse_duration(text)) << text;
  }
}

struct SizeCase {
  std::string_view text;
  Bytes size;
  std::string_view shortest;
};
constexpr SizeCase kSizes[] = {
    {"64MiB", 64_MiB, "64MiB"},
    {"1024MiB", 1_GiB, "1GiB"},
    {"1KiB", 1_KiB, "1KiB"},
    {"0B", Bytes{0}, "0B"},
    {"1MB", Bytes{1'000'000}, "1000000B"},
    {"1536KiB", Bytes{1536ULL << 10}, "1536KiB"},
};

TEST(Size, is_read_and_written) {
  for (const auto& test : kSizes) {
    EXPECT_EQ(parse_size(test.text), test.size) << test.text;
    EXPECT_EQ(size_text(test.size), test.shortest);
  }
}

TEST(Size, of_another_form_is_none) {
  for (const auto* text :
       {"", "64", "MiB", "64 MiB", "-1B", "64mib", "1.5GiB", "64MiBs", "99999999TiB", "99999999999999999999B"}) {
    EXPECT_FALSE(parse_size(text)) << text;
  }
}

TEST(Nearest, word_is_offered_only_when_it_is_near) {
  constexpr std::array<std::string_view, 4> kWords = {"queue", "request_body", "least_connections", "drain"};
  EXPECT_EQ(nearest_word("quue", kWords), "queue");
  EXPECT_EQ(nearest_word("qeuue", kWords), "queue");
  EXPECT_EQ(nearest_word("request-body", kWords), "request_body");
  EXPECT_EQ(nearest_word("Least_Connection", kWords), "least_connections");
  EXPECT_EQ(nearest_word("dr", kWords), "");
  EXPECT_EQ(nearest_word("x", kWords), "");
  EXPECT_EQ(nearest_word("balancing", kWords), "");
  EXPECT_EQ(nearest_word(std::string(1000, 'q'), kWords), "");
}

}  // namespace
}  // namespace drover::config
