// While no node can serve a model, its route may name another one to take its place.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "gateway/test_world.h"

namespace drover::gateway::test {
namespace {

const std::string kAsk = R"({"model":"big","messages":[{"role":"user","content":"hi"}]})";
const std::string kInstead = R"({"model":"small:1b","messages":[{"role":"user","content":"hi"}]})";
constexpr std::string_view kCounted = R"(drover_fallbacks_total{model="big:latest"})";

// Node a has the big model, node b the small one.
struct Pair : World {
  explicit Pair(std::string route = "big", unsigned slots = 4)
      : World({.nodes = 2, .slots = slots, .change = [route](GatewaySetup& setup) {
                 setup.scheduler.routes = {{.model = route, .fallback = "small:1b"}};
                 setup.scheduler.max_queue = 1;
               }}) {
    nodes[0]->set_models({"big:latest"});
    nodes[1]->set_models({"small:1b"});
    run_for(36s);  // a listing and a probe interval
  }
  std::shared_ptr<Got> ask(std::string_view body = kAsk) {
    return send(post("/api/chat", body, "Connection: close\r\n"));
  }
  void expect_fallback(const Got& got) {
    EXPECT_EQ(got.status(), "HTTP/1.1 200") << got.bytes;
    EXPECT_EQ(got.field("x-drover-fallback"), "big:latest");
    EXPECT_EQ(got.field("x-drover-model"), "small:1b");
    EXPECT_EQ(got.field("x-drover-node"), "b");
    EXPECT_EQ(nodes[1]->seen().back().body, kInstead);
    EXPECT_EQ(log().back()["drover.fallback"], "big:latest");
    EXPECT_EQ(log().back()["gen_ai.response.model"], "small:1b");
  }
};

TEST(Fallback, is_not_taken_while_the_model_can_be_served) {
  Pair world;
  const auto got = world.ask();
  ASSERT_TRUE(world.finish());
  EXPECT_EQ(got->field("x-drover-node"), "a");
  EXPECT_EQ(got->field("x-drover-fallback"), "");
  EXPECT_EQ(world.nodes[0]->seen().back().body, kAsk);
  EXPECT_EQ(world.counted(kCounted), 0U);
  world.expect_at_rest();
}

TEST(Fallback, is_taken_when_the_last_node_has_just_gone_and_while_it_is_away) {
  Pair world;
  world.nodes[0]->kill();
  for (const Duration later : {Duration{0s}, Duration{60s}}) {
    world.run_for(later);
    const auto got = world.ask();
    ASSERT_TRUE(world.finish());
    world.expect_fallback(*got);
  }
  EXPECT_EQ(world.counted(kCounted), 2U);
  world.nodes[0]->revive();
  world.run_for(30s);
  const auto back = world.ask();
  ASSERT_TRUE(world.finish());
  EXPECT_EQ(back->field("x-drover-node"), "a");
  world.expect_at_rest();
}

TEST(Fallback, is_taken_by_those_that_wait_when_all_loads_have_failed) {
  Pair world;
  world.nodes[0]->set_resident(false);
  world.run_for(6s);
  world.nodes[0]->play({{Pause{2s}, Send{whole(R"({"error":"cannot load"})", 500)}}});
  const auto got = world.ask();
  ASSERT_TRUE(world.finish());
  world.expect_fallback(*got);
  EXPECT_EQ(world.nodes[0]->seen().size(), 1U) << "the load";
  world.expect_at_rest();
}

TEST(Fallback, is_not_for_a_model_that_is_merely_busy) {
  Pair world("big", 1);
  world.nodes[0]->play({{Pause{5s}, Send{whole(done_line())}}});
  const auto running = world.ask();
  world.run_for(100ms);
  const auto waiting = world.ask();
  world.run_for(100ms);
  const auto refused = world.ask();
  ASSERT_TRUE(world.finish());
  EXPECT_EQ(running->field("x-drover-node"), "a");
  EXPECT_EQ(waiting->field("x-drover-node"), "a");
  EXPECT_EQ(refused->field("x-drover-reason"), "queue_full");
  EXPECT_TRUE(world.nodes[1]->seen().empty());
  world.expect_at_rest();
}

TEST(Fallback, that_cannot_be_served_either_is_told_as_no_backend) {
  Pair world;
  for (auto& node : world.nodes) node->kill();
  world.run_for(60s);
  const auto got = world.ask();
  ASSERT_TRUE(world.finish());
  EXPECT_EQ(got->status(), "HTTP/1.1 503");
  EXPECT_EQ(got->field("x-drover-reason"), "no_backend");
  EXPECT_EQ(got->field("x-drover-fallback"), "big:latest");
  world.expect_at_rest();
}

TEST(Fallback, is_not_for_itself) {
  Pair world("*");
  world.nodes[1]->kill();
  world.run_for(60s);
  const auto got = world.ask(kInstead);
  ASSERT_TRUE(world.finish());
  EXPECT_EQ(got->field("x-drover-reason"), "no_backend");
  EXPECT_EQ(got->field("x-drover-fallback"), "");
}

TEST(Fallback, of_a_model_that_nobody_ever_had_needs_a_route_that_names_it) {
  for (const auto& [route, status] : {std::pair("absent", "HTTP/1.1 200"), std::pair("*", "HTTP/1.1 404")}) {
    Pair world(route);
    const auto got = world.ask(R"({"model":"absent","messages":[{}]})");
    ASSERT_TRUE(world.finish());
    EXPECT_EQ(got->status(), status) << got->bytes;
    if (got->status() != "HTTP/1.1 200") continue;
    EXPECT_EQ(got->field("x-drover-fallback"), "absent");
    EXPECT_EQ(world.nodes[1]->seen().back().body, R"({"model":"small:1b","messages":[{}]})");
    const auto command = world.send(post("/api/generate", R"({"model":"absent"})", "Connection: close\r\n"));
    ASSERT_TRUE(world.finish());
    EXPECT_EQ(command->status(), "HTTP/1.1 404") << "what loads a model is about that one";
  }
}

}  // namespace
}  // namespace drover::gateway::test
