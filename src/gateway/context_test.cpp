// What becomes of a request's `num_ctx`: it is fitted to the runner that has enough, so that no node loads anew for it.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "gateway/test_world.h"

namespace drover::gateway::test {
namespace {

constexpr std::string_view kAvoided = R"(drover_reloads_avoided_total{model="m:latest"})";

std::string chat_with(std::string_view options) {
  return fmt::format(R"({{"model":"m","messages":[{{"role":"user","content":"hi"}}],"options":{{{}}}}})", options);
}

// The node loads the model for a second, and then has so many tokens.
void load_with(World& world, std::size_t node, std::uint64_t tokens) {
  const std::size_t before = world.nodes[node]->seen().size();
  ASSERT_TRUE(world.run_until([&] { return world.nodes[node]->seen().size() > before; }, 1min)) << "no load began";
  world.nodes[node]->set_resident(true);
  world.nodes[node]->set_context(tokens);
}
const Script kLoad = {Pause{1s}, Send{whole(R"({"model":"m","done":true,"done_reason":"load"})")}};

// A node that holds the model but has not loaded it, seen to be so.
void make_cold(World& world, std::size_t node) {
  world.nodes[node]->set_resident(false);
  world.nodes[node]->play({kLoad, chat_stream(2)});
  world.run_for(6s);
}

TEST(Context, of_a_runner_that_the_gateway_loaded_is_not_asked_for_where_it_is_enough) {
  World world({.nodes = 1});
  make_cold(world, 0);
  const auto plain = world.send(post("/api/chat", kChat), 1min);
  load_with(world, 0, 4096);
  ASSERT_TRUE(world.run_until([&] { return world.nodes[0]->seen().size() == 2; }));
  const auto got = world.send(post("/api/chat", chat_with(R"("seed":1, "num_ctx" : 2048)"), "Connection: close\r\n"));
  ASSERT_TRUE(world.finish());
  EXPECT_EQ(got->status(), "HTTP/1.1 200") << got->bytes;
  EXPECT_EQ(got->field("x-drover-context"), "4096");
  EXPECT_EQ(plain->field("x-drover-context"), "");
  ASSERT_EQ(world.nodes[0]->seen().size(), 3U);
  EXPECT_EQ(world.nodes[0]->seen()[0].body, R"({"model":"m:latest"})") << "a load with the node's own options";
  EXPECT_EQ(world.nodes[0]->seen()[1].body, kChat);
  EXPECT_EQ(world.nodes[0]->seen()[2].body, chat_with(R"("seed":1)"));
  EXPECT_EQ(world.counted(kAvoided), 1U);
  world.expect_at_rest();
}

struct FitCase {
  std::string_view path, body, sent;
};
// On a runner of 4096 tokens that others have loaded, who knows how.
constexpr FitCase kFits[] = {
    {"/api/chat", R"({"model":"m","messages":[{}],"options":{"num_ctx":2048}})",
     R"({"model":"m","messages":[{}],"options":{"num_ctx":4096}})"},
    {"/api/generate", R"({"options": {"num_ctx" :1e3 ,"seed":1}, "model":"m","prompt":"hi"})",
     R"({"options": {"num_ctx" :4096 ,"seed":1}, "model":"m","prompt":"hi"})"},
    {"/api/embed", R"({"model":"m","input":"hi","options":{"num_ctx":10}})",
     R"({"model":"m","input":"hi","options":{"num_ctx":4096}})"},
    {"/api/embeddings", R"({"model":"m","prompt":"hi","options":{"num_ctx":2048.5}})",
     R"({"model":"m","prompt":"hi","options":{"num_ctx":4096}})"},
};

TEST(Context, of_a_runner_that_others_loaded_is_said_as_the_node_tells_it) {
  World world({.nodes = 1});
  std::size_t number = 0;
  for (const auto& [path, body, sent] : kFits) {
    const auto got = world.send(post(path, body, "Connection: close\r\n"));
    ASSERT_TRUE(world.finish()) << path;
    EXPECT_EQ(got->status(), "HTTP/1.1 200") << got->bytes;
    EXPECT_EQ(got->field("x-drover-context"), "4096") << path;
    ASSERT_EQ(world.nodes[0]->seen().size(), ++number) << path;
    EXPECT_EQ(world.nodes[0]->seen().back().body, sent) << path;
  }
  EXPECT_EQ(world.counted(kAvoided), number);
  world.expect_at_rest();
}

// Nothing in them is to be fitted.
constexpr FitCase kAsTheyCame[] = {
    {"/api/chat", R"({ "model" : "m", "messages":[{}] })", ""},
    {"/api/chat", R"({"model":"m","messages":[{}],"options":{"num_ctx":4096}})", ""},
    {"/api/chat", R"({"model":"m","messages":[{}],"options":{"NUM_CTX":10}})", ""},
    {"/api/chat", R"({"model":"m","messages":[{}],"num_ctx":10,"options":{"seed":2}})", ""},
    {"/api/chat", R"({"model":"m","messages":[{}],"options":{"num_ctx":"10"}})", ""},
    {"/v1/chat/completions", R"({"model":"m","messages":[{}],"options":{"num_ctx":10}})", ""},
    {"/v1/embeddings", R"({"model":"m","input":"hi","options":{"num_ctx":10}})", ""},
};

TEST(Context, leaves_every_other_body_byte_for_byte) {
  World world({.nodes = 1});
  for (const FitCase& each : kAsTheyCame) {
    world.nodes[0]->play({{Send{whole(done_line())}}});
    const auto got = world.send(post(each.path, each.body, "Connection: close\r\n"));
    ASSERT_TRUE(world.finish()) << each.body;
    EXPECT_EQ(got->status(), "HTTP/1.1 200") << got->bytes;
    EXPECT_EQ(got->field("x-drover-context"), "") << each.body;
    EXPECT_EQ(world.nodes[0]->seen().back().body, each.body);
  }
  EXPECT_EQ(world.counted(kAvoided), 0U);
}

TEST(Context, goes_to_the_node_that_has_enough) {
  World world({.nodes = 2});
  world.nodes[1]->set_context(16384);
  world.run_for(6s);
  for (int i = 0; i < 4; ++i) {
    const auto got = world.send(post("/api/chat", chat_with(R"("num_ctx":8192)"), "Connection: close\r\n"));
    ASSERT_TRUE(world.finish());
    EXPECT_EQ(got->field("x-drover-node"), "b");
    EXPECT_EQ(got->field("x-drover-context"), "16384");
  }
  EXPECT_EQ(world.nodes[0]->seen().size(), 0U);
  for (const auto& seen : world.nodes[1]->seen()) EXPECT_EQ(seen.body, chat_with(R"("num_ctx":16384)"));
  world.expect_at_rest();
}

TEST(Context, is_loaded_where_nobody_has_enough_and_what_the_model_lacks_is_told) {
  for (const auto& [has, told] : {std::pair(8192U, ""), std::pair(6000U, "6000")}) {
    World world({.nodes = 1});
    world.nodes[0]->play({kLoad, chat_stream(2)});
    const auto got = world.send(post("/api/chat", chat_with(R"("num_ctx":8192)"), "Connection: close\r\n"));
    load_with(world, 0, has);
    ASSERT_TRUE(world.finish());
    EXPECT_EQ(got->status(), "HTTP/1.1 200") << got->bytes;
    ASSERT_EQ(world.nodes[0]->seen().size(), 2U);
    EXPECT_EQ(world.nodes[0]->seen()[0].body, R"({"model":"m:latest","options":{"num_ctx":8192}})");
    EXPECT_EQ(world.nodes[0]->seen()[1].body, chat_with(R"("num_ctx":8192)")) << "it was loaded for just that";
    EXPECT_EQ(got->field("x-drover-context"), told);
    EXPECT_EQ(world.counted(kAvoided), 0U);

    const auto again = world.send(post("/api/chat", chat_with(R"("num_ctx":7000)"), "Connection: close\r\n"));
    ASSERT_TRUE(world.finish());
    EXPECT_EQ(again->field("x-drover-context"), fmt::format("{}", has));
    EXPECT_EQ(world.nodes[0]->seen().size(), 3U) << "no further load";
    world.expect_at_rest();
  }
}

TEST(Context, is_fitted_anew_for_each_attempt) {
  World world({.nodes = 2, .change = [](GatewaySetup& setup) {
                 setup.scheduler.routes = {{.model = "m", .policy = balance::PolicyKind::manual, .nodes = {"a", "b"}}};
               }});
  world.nodes[1]->set_context(16384);
  world.run_for(6s);
  world.nodes[0]->play({{Pause{10ms}, Close{}}});
  const auto got = world.send(post("/api/chat", chat_with(R"("num_ctx":2048)"), "Connection: close\r\n"));
  ASSERT_TRUE(world.finish());
  EXPECT_EQ(got->status(), "HTTP/1.1 200") << got->bytes;
  for (const auto& [node, tokens] : {std::pair(0U, 4096), std::pair(1U, 16384)}) {
    ASSERT_EQ(world.nodes[node]->seen().size(), 1U);
    const auto& seen = world.nodes[node]->seen()[0];
    EXPECT_EQ(seen.body, chat_with(fmt::format(R"("num_ctx":{})", tokens)));
    EXPECT_NE(seen.head.find(fmt::format("Content-Length: {}\r\n", seen.body.size())), std::string::npos);
  }
  EXPECT_EQ(world.counted(kAvoided), 1U) << "the first one came to nothing";
  world.expect_at_rest();
}

TEST(Context, is_left_alone_where_the_route_says_so) {
  World world({.nodes = 1, .change = [](GatewaySetup& setup) {
                 setup.scheduler.routes = {{.model = "m", .context = balance::ContextRule::as_sent}};
               }});
  world.nodes[0]->play({kLoad, chat_stream(2)});
  const std::string body = chat_with(R"("num_ctx":2048)");
  const auto got = world.send(post("/api/chat", body, "Connection: close\r\n"));
  load_with(world, 0, 2048);
  ASSERT_TRUE(world.finish());
  EXPECT_EQ(got->status(), "HTTP/1.1 200") << got->bytes;
  ASSERT_EQ(world.nodes[0]->seen().size(), 2U);
  EXPECT_EQ(world.nodes[0]->seen()[0].body, R"({"model":"m:latest","options":{"num_ctx":2048}})");
  EXPECT_EQ(world.nodes[0]->seen()[1].body, body);
  EXPECT_EQ(got->field("x-drover-context"), "");
  EXPECT_EQ(world.counted(kAvoided), 0U);
  world.expect_at_rest();
}

TEST(Context, of_a_large_body_is_fitted_without_a_second_copy) {
  World world({.nodes = 1});
  const std::string text(3 << 20, 'x');
  const auto body = [&](int tokens) {
    return fmt::format(R"({{"options":{{"num_ctx":{}}},"model":"m","prompt":"{}"}})", tokens, text);
  };
  const auto got = world.send(post("/api/generate", body(100), "Connection: close\r\n"));
  ASSERT_TRUE(world.finish());
  EXPECT_EQ(got->status(), "HTTP/1.1 200");
  EXPECT_EQ(world.nodes[0]->seen().back().body, body(4096));
  world.expect_at_rest();
}

}  // namespace
}  // namespace drover::gateway::test
