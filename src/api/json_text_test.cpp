// The inner loops, each against the plain way to do the same.
#include "api/json_text.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "base/random.h"

namespace drover::api {
namespace {

bool is_plain(char c) { return c != '"' && c != '\\' && static_cast<unsigned char>(c) >= 0x20 && (c & 0x80) == 0; }

TEST(JsonText, skips_to_the_first_byte_that_is_not_plain) {
  for (const char stop : {'"', '\\', '\0', '\x1f', '\x80', '\xff'}) {
    for (std::size_t size = 0; size < 100; ++size) {
      for (std::size_t at = 0; at <= size; ++at) {
        std::string text(size, '!');
        if (at < size) text[at] = stop;
        ASSERT_EQ(skip_plain(text.data(), text.data() + size) - text.data(), static_cast<std::ptrdiff_t>(at))
            << int(stop) << " in " << size;
      }
    }
  }
}

TEST(JsonText, skips_as_one_byte_after_another_would) {
  Random random(1);
  for (int i = 0; i < 20'000; ++i) {
    std::string text(random.below(80), ' ');
    for (char& c : text) c = static_cast<char>(random.below(20) == 0 ? random.below(256) : 'a' + random.below(26));
    const auto expected = std::find_if_not(text.begin(), text.end(), is_plain) - text.begin();
    ASSERT_EQ(skip_plain(text.data(), text.data() + text.size()) - text.data(), expected) << text;
  }
}

TEST(JsonText, skips_digits_up_to_any_other_byte) {
  for (int stop = 0; stop < 256; ++stop) {
    for (std::size_t at = 0; at <= 20; ++at) {
      std::string text = "98765432101234567890";
      if (at < text.size()) text[at] = static_cast<char>(stop);
      const auto expected = std::find_if_not(text.begin(), text.end(), ascii::is_digit) - text.begin();
      ASSERT_EQ(skip_digits(text.data(), text.data() + text.size()) - text.data(), expected) << stop << " at " << at;
    }
  }
}

TEST(JsonText, finds_what_is_quoted_where_the_library_does) {
  Random random(2);
  for (int i = 0; i < 20'000; ++i) {
    std::string text;
    while (text.size() < random.below(200))
      text += std::string_view("\"m\"\"mo\"model\":\"").substr(random.below(14), 4);
    if (random.below(2) == 0) text.insert(random.below(text.size() + 1), R"("model":")");
    ASSERT_EQ(find_quoted(text, R"("model":")"), text.find(R"("model":")")) << text;
  }
}

// The table of RFC 3629, section 4, for three bytes.
TEST(JsonText, takes_exactly_the_valid_sequences_of_three_bytes) {
  for (unsigned lead = 0xe0; lead <= 0xef; ++lead) {
    for (unsigned second = 0; second < 0x100; ++second) {
      for (unsigned third = 0; third < 0x100; ++third) {
        const bool tail = second >= 0x80 && second <= 0xbf && third >= 0x80 && third <= 0xbf;
        const bool overlong = lead == 0xe0 && second < 0xa0;
        const bool surrogate = lead == 0xed && second >= 0xa0;
        const char bytes[] = {static_cast<char>(lead), static_cast<char>(second), static_cast<char>(third), 'x'};
        const std::size_t expected = tail && !overlong && !surrogate ? 3 : 0;
        ASSERT_EQ(utf8_length(bytes, bytes + 3), expected) << lead << ' ' << second << ' ' << third;
        ASSERT_EQ(utf8_length(bytes, bytes + 4), expected) << lead << ' ' << second << ' ' << third;
      }
    }
  }
}

}  // namespace
}  // namespace drover::api
