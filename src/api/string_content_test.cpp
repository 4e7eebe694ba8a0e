// The fast way over a string against the slow one: every place it returns, for bytes of every kind at every place.
#include "api/string_content.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "api/json_text.h"
#include "base/random.h"

namespace drover::api {
namespace {

// How far a string's content is valid, one character or one-letter escape after another.
struct Valid {
  std::size_t size;
  bool ended;  // by what the fast way has to stop at: a quote, a control character, another escape, or invalid bytes
};
Valid valid_content(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const auto byte = static_cast<unsigned char>(text[at]);
    if (byte == '"' || byte < 0x20) return {at, true};
    if (byte == '\\') {
      if (text.size() - at < 2 || unescaped(text[at + 1]) == 0) return {at, true};
      at += 2;
    } else if (byte < 0x80) {
      ++at;
    } else {
      const std::size_t length = utf8_length(text.data() + at, text.data() + text.size());
      if (length == 0) return {at, true};
      at += length;
    }
  }
  return {at, false};
}

// Follows skip_content to the end, as a reader does that looks at what it stops at by itself.
void expect_valid_up_to_the_same_place(const std::string& text, SkipSteps* steps) {
  const Valid expected = valid_content(text);
  const char* const end = text.data() + text.size();
  const char* at = text.data();
  while (true) {
    const char* const next = skip_content(at, end, steps);
    ASSERT_GE(next, at);
    const auto done = static_cast<std::size_t>(next - text.data());
    ASSERT_LE(done, expected.size) << "went over what is invalid in " << testing::PrintToString(text);
    // A place where a character begins: what is valid up to here does not depend on what follows.
    ASSERT_EQ(valid_content(std::string_view(text).substr(0, done)).size, done) << testing::PrintToString(text);
    if (done == expected.size) break;
    const bool escape = *next == '\\';
    const std::size_t length = escape ? 2 : utf8_length(next, end);
    ASSERT_TRUE(escape || length > 0) << "stopped at a plain byte, " << done << " in " << testing::PrintToString(text);
    at = next + length;
  }
}

struct Way {
  std::string_view name;
  SkipSteps* steps;
  bool here;  // this machine can
};
std::vector<Way> all_ways() {
  std::vector<Way> ways = {{"plain", nullptr, true}};
#ifdef __x86_64__
  ways.push_back({"avx2", skip_steps_avx2, best_skip_steps() != nullptr});
  ways.push_back({"avx512", skip_steps_avx512, best_skip_steps() == skip_steps_avx512});
#endif
  return ways;
}
class StringContent : public testing::TestWithParam<Way> {
  void SetUp() override {
    if (!GetParam().here) GTEST_SKIP() << "this machine has no " << GetParam().name;
  }
};

TEST_P(StringContent, stops_where_one_character_after_another_would) {
  static constexpr std::string_view kParts[] = {"a",
                                                "some words of text, and a few more of them",
                                                "é",
                                                "日本語",
                                                "😀",
                                                "\\n",
                                                "\\\"",
                                                "\\\\",
                                                "\\u",
                                                "\"",
                                                "\x01",
                                                "\x80",
                                                "\xc3",
                                                "\xe3\x81",
                                                "\xed\xa0\x80",
                                                "\xf4\x90\x80\x80",
                                                "\xc0\xaf",
                                                "\xf0\x8f\xbf\xbf"};
  Random random(1);
  for (int i = 0; i < 200'000; ++i) {
    std::string text;
    // Those that are wrong are rare, so that there is a long way to them.
    while (text.size() < random.below(160)) text += kParts[random.below(random.below(8) == 0 ? std::size(kParts) : 8)];
    text.resize(text.size() - random.below(std::min<std::size_t>(text.size() + 1, 4)));
    ASSERT_NO_FATAL_FAILURE(expect_valid_up_to_the_same_place(text, GetParam().steps));
  }
}

TEST_P(StringContent, knows_every_sequence_of_three_bytes) {
  for (const std::size_t before : {0UZ, 13UZ, 29UZ, 30UZ, 31UZ}) {
    std::string text(64, '.');
    for (unsigned lead = 0x7f; lead <= 0xff; ++lead) {
      for (unsigned second = 0x70; second <= 0xff; ++second) {
        for (unsigned third = 0x70; third <= 0xff; third += third < 0xc1 ? 1 : 7) {
          text[before] = static_cast<char>(lead);
          text[before + 1] = static_cast<char>(second);
          text[before + 2] = static_cast<char>(third);
          ASSERT_NO_FATAL_FAILURE(expect_valid_up_to_the_same_place(text, GetParam().steps));
        }
      }
    }
  }
}

TEST_P(StringContent, knows_every_sequence_of_four_bytes) {
  std::string text(64, '.');
  for (unsigned lead = 0xef; lead <= 0xff; ++lead) {
    for (unsigned second = 0x7f; second <= 0xc1; ++second) {
      for (const unsigned third : {0x7fU, 0x80U, 0x9fU, 0xbfU, 0xc0U}) {
        for (const unsigned fourth : {0x2eU, 0x80U, 0xbfU, 0xc2U}) {
          for (const std::size_t before : {10UZ, 28UZ, 30UZ}) {
            text.assign(64, '.');
            const unsigned bytes[] = {lead, second, third, fourth};
            for (std::size_t i = 0; i < 4; ++i) text[before + i] = static_cast<char>(bytes[i]);
            ASSERT_NO_FATAL_FAILURE(expect_valid_up_to_the_same_place(text, GetParam().steps));
          }
        }
      }
    }
  }
}

constexpr auto kName = [](const auto& info) { return std::string(info.param.name); };
INSTANTIATE_TEST_SUITE_P(, StringContent, testing::ValuesIn(all_ways()), kName);

}  // namespace
}  // namespace drover::api
