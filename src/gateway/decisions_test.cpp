// What is told about decisions: by a header, by a metric, and to whoever asks.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "gateway/test_world.h"

namespace drover::gateway::test {
namespace {

std::string ask(std::string_view name) {
  return post("/api/chat", kChat, fmt::format("Connection: close\r\nx-request-id: {}\r\n", name));
}

Json decisions(const World& world, std::string_view name) {
  const auto text = world.gateway->decisions(name);
  EXPECT_TRUE(text) << text.error().detail;
  return text ? parse_json(*text).value()["decisions"] : Json::array();
}

TEST(Decisions, are_told_while_a_request_runs_and_when_it_has_ended) {
  World world;
  world.nodes[0]->play({chat_stream(100, 10ms)});
  world.nodes[1]->play({chat_stream(100, 10ms)});
  const auto got = world.send(ask("one"));
  world.run_for(500ms);
  Json one = decisions(world, "one").at(0);
  EXPECT_EQ(one["state"], "running");
  EXPECT_NEAR(one["running_s"].get<double>(), 0.5, 0.1);
  ASSERT_TRUE(world.finish());

  one = decisions(world, "one").at(0);
  EXPECT_EQ(one["state"], "ended");
  EXPECT_EQ(one["outcome"], "ok");
  EXPECT_EQ(one["node"], got->field("x-drover-node"));
  EXPECT_EQ(one["reason"], got->field("x-drover-picked"));
  EXPECT_GT(one["took"]["total_s"].get<double>(), 1);
  ASSERT_EQ(one["candidates"].size(), 2U);
  for (const Json& candidate : one["candidates"]) {
    EXPECT_EQ(candidate["chosen"], candidate["node"] == one["node"]);
    if (candidate["chosen"] != true) continue;
    const double expected = candidate["estimate"]["total_s"].get<double>();
    EXPECT_EQ(got->field("x-drover-estimate-ms"), fmt::format("{}", static_cast<int>(expected * 1000)));
    const double error = 100 * (one["took"]["total_s"].get<double>() / expected - 1);
    EXPECT_NEAR(one["error_percent"]["total"].get<double>(), error, 0.01);
  }
  EXPECT_EQ(world.counted(R"(drover_estimate_ratio_count{model="m:latest",part="answer"})"), 1U);
  EXPECT_EQ(world.counted(R"(drover_estimate_ratio_count{model="m:latest",part="wait"})"), 0U);
}

TEST(Decisions, of_one_that_waited_say_what_it_was_told) {
  World world({.nodes = 1, .slots = 1});
  world.nodes[0]->play({chat_stream(100, 10ms)});
  for (const std::string_view name : {"first", "second", "third"}) {  // what a line does is known by its ends
    world.send(ask(name));
    ASSERT_TRUE(world.finish());
  }
  world.send(ask("runs"));
  world.run_for(500ms);
  world.send(ask("waits"));
  world.run_for(200ms);
  Json waits = decisions(world, "waits").at(0);
  EXPECT_EQ(waits["state"], "waiting");
  EXPECT_EQ(waits["told"]["position"], 1);
  EXPECT_EQ(waits["candidates"].at(0)["readiness"], "busy");
  EXPECT_FALSE(waits.contains("node"));
  ASSERT_TRUE(world.finish());
  waits = decisions(world, "waits").at(0);
  EXPECT_EQ(waits["state"], "ended");
  EXPECT_GT(waits["waited_s"].get<double>(), 0.3);
  ASSERT_TRUE(waits["told"].contains("wait_s"));
  EXPECT_TRUE(waits["error_percent"].contains("wait"));
  EXPECT_EQ(world.counted(R"(drover_estimate_ratio_count{model="m:latest",part="wait"})"), 1U);
}

TEST(Decisions, of_a_request_that_was_repeated_are_told_in_their_order) {
  World world;
  world.nodes[0]->play({{Close{}}});
  const auto got = world.send(ask("one"));
  ASSERT_TRUE(world.finish());
  EXPECT_EQ(got->field("x-drover-node"), "b");
  const Json all = decisions(world, "one");
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0]["node"], "a");
  EXPECT_EQ(all[0]["outcome"], "closed");
  EXPECT_FALSE(all[0].contains("error_percent")) << "what broke off says nothing of the estimate";
  EXPECT_EQ(all[1]["node"], "b");
  EXPECT_EQ(all[1]["outcome"], "ok");
}

TEST(Decisions, without_estimates_are_told_without) {
  World world({.change = [](GatewaySetup& setup) { setup.scheduler.policy = balance::PolicyKind::round_robin; }});
  const auto got = world.send(ask("one"));
  ASSERT_TRUE(world.finish());
  EXPECT_EQ(got->field("x-drover-estimate-ms"), "");
  const Json one = decisions(world, "one").at(0);
  EXPECT_EQ(one["policy"], "round_robin");
  EXPECT_FALSE(one["candidates"].at(0).contains("estimate"));
  EXPECT_FALSE(one.contains("error_percent"));
  EXPECT_EQ(world.counted(R"(drover_estimate_ratio_count{model="m:latest",part="answer"})"), 0U);
}

TEST(Decisions, that_are_not_remembered_are_said_to_be_none) {
  World world;
  EXPECT_NE(world.gateway->decisions("one").error().detail.find("request one: 0 decisions"), std::string::npos);
  world.send(ask("one"));
  ASSERT_TRUE(world.finish());
  EXPECT_EQ(decisions(world, "").at(0)["state"], "ended") << "of the last request";
  EXPECT_NE(world.gateway->decisions("two").error().detail.find("request two: 1 decisions"), std::string::npos);
}

}  // namespace
}  // namespace drover::gateway::test
