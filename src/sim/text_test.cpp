// Texts and vectors that any client can check.
#include <gtest/gtest.h>

#include <cmath>

#include "sim/script.h"
#include "sim/settings.h"
#include "sim/text.h"

namespace drover::sim {
namespace {

TEST(Text, tokens_are_all_of_the_text_in_order) {
  for (const std::string_view text : {"", " ", "Why is the sky blue?", "a  b\n\nc", "extraordinarily long words!",
                                      "gr\xc3\xbc\xc3\x9f dich", "{\"a\": [1,2]}", "x\xff\xfey"}) {
    std::string joined;
    for (const auto token : tokenise(text)) joined += token;
    EXPECT_EQ(joined, text);
  }
}

TEST(Text, a_token_is_about_four_characters_of_english) {
  const std::string_view text =
      "The gateway holds requests itself and binds each to a node when a slot is free, by estimated finish time.";
  const double each = static_cast<double>(text.size()) / static_cast<double>(tokenise(text).size());
  EXPECT_GT(each, 3.5);
  EXPECT_LT(each, 5.5);
}

TEST(Text, every_word_of_an_answer_is_one_token_again) {
  const Babble words(42);
  const auto tokens = tokenise(words.text(500));
  const std::string text = words.text(500);
  const auto again = tokenise(text);
  ASSERT_EQ(again.size(), 500U);
  for (std::uint64_t i = 0; i < 500; ++i) EXPECT_EQ(again[i], words.token(i)) << i;
}

TEST(Text, vectors_have_length_one_and_follow_from_their_text) {
  const auto vector = embedding(1, "w", "sky", 768);
  double square = 0;
  for (const float each : vector) square += static_cast<double>(each) * static_cast<double>(each);
  EXPECT_NEAR(std::sqrt(square), 1, 1e-6);
  EXPECT_EQ(vector, embedding(1, "w", "sky", 768));
  EXPECT_NE(vector, embedding(1, "w", "sea", 768));
  EXPECT_EQ(hex_digest("x").size(), 64U);
}

Request chat(std::string_view said) {
  Request request{.route = api::Route::chat, .model = "qwen3:8b", .messages = {{"user", std::string(said), 0}}};
  return request;
}

Script script_of(const Request& request, std::int64_t limit = 1'000, std::string_view model = "qwen3:8b",
                 std::uint64_t seed = 1) {
  return Script(seed, *known_model(model), request, render_prompt(request), limit);
}

TEST(Script, follows_from_seed_model_and_prompt_alone) {
  const std::string text = script_of(chat("Hello")).content(1'000);
  EXPECT_EQ(script_of(chat("Hello")).content(1'000), text);
  EXPECT_NE(script_of(chat("Hello!")).content(1'000), text);
  EXPECT_NE(script_of(chat("Hello"), 1'000, "llama3.2:3b").content(1'000), text);
  EXPECT_NE(script_of(chat("Hello"), 1'000, "qwen3:8b", 2).content(1'000), text);
}

TEST(Script, thinks_first_unless_it_is_told_not_to) {
  Request request = chat("Hello");
  EXPECT_FALSE(script_of(request).thinking(1'000).empty());
  EXPECT_TRUE(script_of(request, 1'000, "llama3.2:3b").thinking(1'000).empty());
  request.think = Think::off;
  EXPECT_TRUE(script_of(request).thinking(1'000).empty());
}

TEST(Script, gives_as_many_tokens_as_were_named_and_says_that_it_was_cut) {
  Request request = chat("Hello");
  for (const std::int64_t length : {1, 24, 100'000}) {
    request.num_predict = length;
    EXPECT_EQ(script_of(request, length).tokens(), length);
    EXPECT_EQ(script_of(request, length).done_reason(), "length");
  }
  request.num_predict.reset();
  EXPECT_EQ(script_of(request).done_reason(), "stop");
}

TEST(Script, section_2_5_calls_the_tool_that_the_prompt_asks_for) {
  Request request = chat("What is the weather in Paris?");
  request.tools = parse_json(R"([{"type":"function","function":{"name":"get_weather","parameters":{"type":"object",
    "properties":{"city":{"type":"string"},"days":{"type":"integer"}},"required":["city"]}}}])")
                      .value();
  const Script asked = script_of(request);
  ASSERT_EQ(asked.calls().size(), 1U);
  EXPECT_EQ(asked.calls()[0].name, "get_weather");
  EXPECT_TRUE(asked.calls()[0].arguments["city"].is_string());
  EXPECT_TRUE(asked.calls()[0].id.starts_with("call_"));
  EXPECT_TRUE(asked.content(1'000).empty());
  request.messages[0].content = "Why is the sky blue?";
  EXPECT_TRUE(script_of(request).calls().empty());
}

TEST(Script, answers_in_the_format_asked_for) {
  Request request = chat("Hello");
  request.think = Think::off;
  request.format =
      parse_json(R"({"type":"object","properties":{"n":{"type":"integer"},"ok":{"type":"boolean"}}})").value();
  const auto answer = parse_json(script_of(request).content(1'000));
  ASSERT_TRUE(answer) << script_of(request).content(1'000);
  EXPECT_TRUE((*answer)["n"].is_number_integer());
  EXPECT_TRUE((*answer)["ok"].is_boolean());
}

TEST(Script, stops_before_a_stop_sequence) {
  Request request = chat("Hello");
  request.think = Think::off;
  const std::string whole = script_of(request).content(1'000);
  request.stop = {whole.substr(20, 6)};
  EXPECT_EQ(script_of(request).content(1'000), whole.substr(0, whole.find(request.stop[0])));
  EXPECT_EQ(script_of(request).done_reason(), "stop");
}

TEST(Script, a_conversation_that_goes_on_begins_with_what_was_said) {
  Request request = chat("Hello");
  request.think = Think::off;
  const std::string first = render_prompt(request);
  const std::string answer = script_of(request).content(1'000);
  request.messages.push_back({"assistant", answer, 0});
  request.messages.push_back({"user", "And now?", 0});
  EXPECT_TRUE(render_prompt(request).starts_with(first + answer));
  const auto before = token_hashes(first + answer);
  const auto now = token_hashes(render_prompt(request));
  EXPECT_TRUE(std::equal(before.begin(), before.end(), now.begin())) << "the tokens are the same too";
}

TEST(Settings, the_default_fleet_is_valid_and_its_nodes_are_unlike) {
  const Settings settings = default_fleet();
  EXPECT_TRUE(validate(settings));
  ASSERT_EQ(settings.nodes.size(), 3U);
  EXPECT_NE(settings.nodes[0].models.size(), settings.nodes[1].models.size());
  EXPECT_EQ(fleet_of(4).nodes[3].name, "sim-fast-2");
  EXPECT_NE(known_model("nomic-embed-text"), nullptr) << "the tag may be left out";
  EXPECT_EQ(known_model("nobody"), nullptr);
}

TEST(Settings, what_cannot_be_simulated_is_refused_with_its_name) {
  Settings settings = default_fleet();
  settings.nodes[1].card = "abacus";
  EXPECT_EQ(validate(settings).error().detail,
            "simulated node sim-slow: there is no card 'abacus'; use fast, slow, small or measured");
}

}  // namespace
}  // namespace drover::sim
