// What `drover why` shows.
#include "cli/why_view.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace drover::cli {
namespace {

constexpr Style kPlain{.colour = false, .unicode = true};

struct Times {
  double wait, load, prompt, answer, harm, saved, cost, late = 0;
};

Json candidate(std::string_view name, std::string_view readiness, bool chosen, const Times& times) {
  return {{"node", name},
          {"chosen", chosen},
          {"readiness", readiness},
          {"in_flight", 1},
          {"slots", 4},
          {"weight", 1.0},
          {"estimate",
           {{"wait_s", times.wait},
            {"load_s", times.load},
            {"prompt_s", times.prompt},
            {"answer_s", times.answer},
            {"saved_s", times.saved},
            {"harm_s", times.harm},
            {"late_s", times.late},
            {"total_s", times.wait + times.load + times.prompt + times.answer},
            {"cost_s", times.cost}}}};
}

// As gateway::decisions_json writes it.
Json decision(std::vector<Json> candidates) {
  return {{"at", "2026-12-01T01:02:03.456Z"},
          {"age_s", 12.3},
          {"state", "ended"},
          {"model", "registry.ollama.ai/library/llama3.2:3b"},
          {"route", "*"},
          {"policy", "earliest_finish"},
          {"waited_s", 0.8},
          {"told", {{"position", 3}, {"wait_s", 1.0}}},
          {"node", "gpu-1"},
          {"reason", "earliest_finish"},
          {"candidates_in_all", candidates.size()},
          {"candidates", std::move(candidates)},
          {"outcome", "ok"},
          {"took", {{"total_s", 4.0}, {"load_s", 0.0}, {"prompt_s", 1.5}, {"answer_s", 2.25}}},
          {"error_percent", {{"wait", -20.0}, {"prompt", 50.0}, {"answer", 2.27}, {"total", 25.0}}}};
}

Json answer(std::vector<Json> decisions) {
  return {{"request", "demo-1"}, {"remembered", 7}, {"decisions", std::move(decisions)}};
}

const Json kChosen = candidate("gpu-1", "ready", true, {0, 0, 1, 2.2, 0, 0, 3.2});
const Json kCold = candidate("gpu-2", "cold", false, {0, 3, 0.9, 1, 0, 0.5, 8.9, 4});

std::string first_line(const Json& json) {
  const std::string text = why_text(json, kPlain);
  return text.substr(0, text.find('\n'));
}

TEST(WhyText, begins_with_a_sentence_and_shows_what_it_rests_on) {
  Json one = decision({kCold, kChosen, candidate("gpu-3", "blocked", false, {0, 0, 0.5, 0.5, 0, 0, 1})});
  one["candidates_in_all"] = 12;
  EXPECT_EQ(why_text(answer({one}), kPlain),
            "demo-1 took gpu-1 because it was expected to have the answer in 3.20 s; the next best, gpu-2, in 4.90 s "
            "(a load of 3.00 s).\n"
            "\n"
            "Model     llama3.2:3b\n"
            "Policy    earliest_finish, route *\n"
            "Decided   12s ago, at 2026-12-01T01:02:03.456Z\n"
            "Waited    800 ms, told 1.00 s as number 3 of its line (-20 %)\n"
            "Outcome   ok\n"
            "Took      4.00 s, expected 3.20 s (+25 %)\n"
            "  prompt  1.50 s, expected 1.00 s (+50 %)\n"
            "  answer  2.25 s, expected 2.20 s (+2 %)\n"
            "\n"
            "   NODE   STATE    IN FLIGHT  WEIGHT    COST   TOTAL  WAIT    LOAD  PROMPT  ANSWER  HARM    LATE   SAVED\n"
            "*  gpu-1  ready          1/4       1  3.20 s  3.20 s     -       -  1.00 s  2.20 s     -       -       -\n"
            "   gpu-2  cold           1/4       1  8.90 s  4.90 s     -  3.00 s  900 ms  1.00 s     -  4.00 s  500 ms\n"
            "   gpu-3  blocked        1/4       1  1.00 s  1.00 s     -       -  500 ms  500 ms     -       -       -\n"
            "and 9 more\n");
}

struct SentenceCase {
  std::string_view name;
  std::function<void(Json&)> change;
  std::string_view sentence;
};
const SentenceCase kSentences[] = {
    {"one_that_would_have_delayed_others",
     [](Json& one) { one["candidates"] = {kChosen, candidate("gpu-2", "ready", false, {0, 0, 1, 1, 4, 0, 6})}; },
     "demo-1 took gpu-1 because it was expected to have the answer in 3.20 s; the next best, gpu-2, in 2.00 s, at "
     "4.00 s more for those that run there."},
    {"one_of_less_weight",
     [](Json& one) { one["candidates"] = {kChosen, candidate("gpu-2", "ready", false, {0, 0, 1, 1, 0, 0, 6})}; },
     "demo-1 took gpu-1 because it was expected to have the answer in 3.20 s; the next best, gpu-2, in 2.00 s, but "
     "less "
     "by its weight."},
    {"one_whose_first_token_would_have_been_late",
     [](Json& one) { one["candidates"] = {kChosen, candidate("gpu-2", "ready", false, {0, 0, 3, 0, 0, 0, 9, 6})}; },
     "demo-1 took gpu-1 because it was expected to have the answer in 3.20 s; the next best, gpu-2, in 3.00 s, but its "
     "first token would be late."},
    {"one_that_would_have_had_to_wait",
     [](Json& one) { one["candidates"] = {kChosen, candidate("gpu-2", "busy", false, {1, 0, 1, 1, 0, 0, 5})}; },
     "demo-1 took gpu-1 because it was expected to have the answer in 3.20 s; the next best, gpu-2, in 3.00 s (a wait "
     "of 1.00 s), but waits count for more."},
    {"nobody_else", [](Json& one) { one["candidates"] = Json::array({kChosen}); },
     "demo-1 took gpu-1 because it was expected to have the answer in 3.20 s."},
    {"the_only_one", [](Json& one) { one["reason"] = "only_one"; },
     "demo-1 took gpu-1, the only node that could serve it."},
    {"a_pinned_one", [](Json& one) { one["reason"] = "pinned"; }, "demo-1 took gpu-1, which it had to take."},
    {"a_policy_that_does_not_estimate",
     [](Json& one) {
       one["reason"] = "round_robin";
       for (Json& each : one["candidates"]) each.erase("estimate");
     },
     "demo-1 took gpu-1, chosen by round_robin among 2 candidates."},
    {"one_that_waits",
     [](Json& one) {
       one["state"] = "waiting";
       one["candidates"] = {kCold, candidate("gpu-1", "busy", false, {1, 0, 1, 2, 0, 0, 4})};
     },
     "demo-1 has waited for 800 ms; best was gpu-1, in 4.00 s (a wait of 1.00 s)."},
    {"one_that_left", [](Json& one) { one["state"] = "left"; }, "demo-1 left after it had waited for 800 ms."},
    {"a_refused_one",
     [](Json& one) {
       one["state"] = "refused";
       one["refused"] = "load_failed";
     },
     "demo-1 was refused after 800 ms: load failed."},
};

TEST(WhyText, says_in_a_sentence_what_was_decided) {
  for (const SentenceCase& each : kSentences) {
    Json one = decision({kChosen, kCold});
    each.change(one);
    EXPECT_EQ(first_line(answer({one})), each.sentence) << each.name;
  }
}

TEST(WhyText, tells_the_attempts_apart) {
  const std::string text = why_text(answer({decision({kChosen}), decision({kCold})}), kPlain);
  EXPECT_NE(text.find("demo-1, attempt 1, took"), std::string::npos) << text;
  EXPECT_NE(text.find("\n\ndemo-1, attempt 2, took"), std::string::npos) << text;
}

TEST(WhyText, reads_anything) {
  for (const char* text : {"{}", "[]", R"({"decisions":[{}]})", R"({"decisions":[7,{"candidates":[1,{}],"took":3}]})",
                           R"({"request":"\u001b[2J","decisions":[{"state":"waiting","candidates":[{"estimate":5}]}]})",
                           R"({"decisions":[{"age_s":1e300,"waited_s":-1,"took":{"total_s":1e300},"told":[]}]})"}) {
    EXPECT_EQ(why_text(parse_json(text).value(), kPlain).find('\x1b'), std::string::npos) << text;
  }
}

}  // namespace
}  // namespace drover::cli
