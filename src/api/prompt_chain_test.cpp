// Equal beginnings have equal hashes, and nothing else has.
#include "api/prompt_chain.h"

#include <gtest/gtest.h>

#include <string>

#include "api/body_scanner.h"
#include "api/reference_scanner.h"
#include "base/random.h"

namespace drover::api {
namespace {

PromptHashes hashes_of(std::initializer_list<std::string_view> texts, std::uint64_t salt = 0) {
  PromptChain chain(salt);
  for (const std::string_view text : texts) {
    chain.text(text);
    chain.end_text();
  }
  return chain.take();
}

std::size_t in_common(const PromptHashes& a, const PromptHashes& b) {
  const auto [end, other] = std::ranges::mismatch(a.all(), b.all());
  return static_cast<std::size_t>(end - a.all().begin());
}

TEST(PromptChain, has_one_hash_for_each_whole_block) {
  EXPECT_EQ(hashes_of({}).all().size(), 0U);
  EXPECT_EQ(hashes_of({std::string(254, 'a')}).all().size(), 0U);
  EXPECT_EQ(hashes_of({std::string(255, 'a')}).all().size(), 1U) << "the end of a text counts";
  EXPECT_EQ(hashes_of({std::string(2559, 'a')}).all().size(), 10U);
}

TEST(PromptChain, tells_how_far_two_conversations_are_alike) {
  const std::string system(700, 's'), question(600, 'q'), answer(900, 'a');
  const auto first = hashes_of({system, question});
  const auto second = hashes_of({system, question, answer, "and then?"});
  EXPECT_EQ(in_common(first, second), first.all().size());
  std::string other = question;
  other[599] = 'Q';
  EXPECT_EQ(in_common(first, hashes_of({system, other, answer})), (701 + 599) / kPromptBlock);
  EXPECT_EQ(in_common(first, hashes_of({"x" + system.substr(1), question})), 0U);
}

TEST(PromptChain, is_another_one_for_another_cut_order_or_salt) {
  const std::string a(300, 'a'), b(300, 'b');
  EXPECT_NE(hashes_of({a, b}), hashes_of({b, a}));
  EXPECT_NE(hashes_of({a, b}), hashes_of({a + b}));
  EXPECT_EQ(in_common(hashes_of({a, b}), hashes_of({a, b}, 1)), 0U);
}

TEST(PromptChain, repeats_no_hash_where_the_text_repeats) {
  const auto hashes = hashes_of({std::string(4096, 'a')});
  for (std::size_t i = 1; i < hashes.all().size(); ++i) EXPECT_NE(hashes.all()[i], hashes.all()[i - 1]);
}

TEST(PromptChain, an_image_is_one_hash_whatever_its_size) {
  const auto with = [](std::string_view image) {
    PromptChain chain;
    chain.text("look");
    chain.image(image);
    chain.end_image();
    return chain.take();
  };
  for (const std::size_t size : {1U, 255U, 256U, 100'000U}) {
    EXPECT_EQ(with(std::string(size, 'x')).all().size(), 1U) << size;
    EXPECT_NE(with(std::string(size, 'x')), with(std::string(size + 1, 'x'))) << size;
  }
  EXPECT_EQ(with("").all().size(), 0U);
}

TEST(PromptChain, stops_at_its_bound) {
  EXPECT_EQ(hashes_of({std::string((kMaxPromptHashes + 10) * kPromptBlock, 'a')}).all().size(), kMaxPromptHashes);
}

// Bodies large enough to have blocks, cut anywhere, against the slow reference.
TEST(PromptChain, of_a_body_is_the_references_however_it_is_cut) {
  const std::string bodies[] = {
      R"({"system":")" + std::string(500, 's') + R"(","prompt":")" + std::string(3000, 'p') + R"(","images":[")" +
          std::string(999, 'i') + R"(","",")" + std::string(512, 'j') + R"(",7],"model":"m"})",
      R"({"messages":[{"role":"user","content":")" + std::string(1000, 'u') + R"(\n\"é"},{"content":[{"type":"text",)" +
          R"("text":")" + std::string(600, 't') + R"("},{"type":"image_url","image_url":{"url":"data:)" +
          std::string(700, 'd') + R"(","detail":"low"}},{"image_url":"u"},{"input_audio":{"data":")" +
          std::string(300, 'w') + R"(","format":"wav"}}],"role":"user","images":["a","b"]},3,"x"],"model":"m"})"};
  Random random(7);
  for (const std::string& body : bodies) {
    const auto expected = reference_scan(Route::chat, body);
    ASSERT_TRUE(expected);
    ASSERT_GT(expected->prompt_hashes.all().size(), 8U);
    for (int round = 0; round < 50; ++round) {
      BodyScanner scanner(Route::chat);
      for (std::size_t at = 0; at < body.size();) {
        const std::size_t size = std::min<std::size_t>(1 + random.below(400), body.size() - at);
        ASSERT_TRUE(scanner.feed(std::string(body, at, size)));
        at += size;
      }
      EXPECT_EQ(scanner.finish()->prompt_hashes, expected->prompt_hashes) << round;
    }
  }
}

}  // namespace
}  // namespace drover::api
