// Names that stand for models: what nodes are asked, and what clients are told.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>

#include "gateway/test_world.h"

namespace drover::gateway::test {
namespace {

WorldOptions with(std::vector<fleet::AliasSettings> aliases, std::size_t nodes = 1) {
  return {.nodes = nodes, .change = [aliases = std::move(aliases)](GatewaySetup& setup) { setup.aliases = aliases; }};
}

struct AliasCase {
  std::string_view path, body, sent;
};
constexpr AliasCase kCases[] = {
    {"/api/chat", R"({ "model" : "gpt-4o", "messages":[{}] })", R"({ "model" : "m:latest", "messages":[{}] })"},
    {"/api/generate", R"({"prompt":"hi","MODEL":"GPT-4o:latest"})", R"({"prompt":"hi","MODEL":"m:latest"})"},
    {"/api/generate", R"({"model":"gpt-4o","options":{"num_ctx":512},"prompt":"hi"})",
     R"({"model":"m:latest","options":{"num_ctx":4096},"prompt":"hi"})"},
    {"/api/generate", R"({"options":{"num_ctx":512},"prompt":"hi","model":"gpt-4o"})",
     R"({"options":{"num_ctx":4096},"prompt":"hi","model":"m:latest"})"},
    {"/api/embed", R"({"model":"gpt-4o","input":"hi"})", R"({"model":"m:latest","input":"hi"})"},
    {"/v1/chat/completions", R"({"model":"gpt\u002d4o","messages":[{}]})", R"({"model":"m:latest","messages":[{}]})"},
    {"/v1/embeddings", R"({"input":"hi","model":"gpt-4o"})", R"({"input":"hi","model":"m:latest"})"},
    {"/api/generate", R"({"model":"gpt-4o"})", R"({"model":"m:latest"})"},
    {"/api/generate", R"({"model":"gpt-4o","keep_alive":0})", R"({"model":"m:latest","keep_alive":0})"},
};

TEST(Alias, nodes_are_asked_for_its_model_and_the_answer_says_which_it_was) {
  World world(with({{"gpt-4o", {{"m"}}}}));
  for (const auto& [path, body, sent] : kCases) {
    world.nodes[0]->play({{Send{whole(done_line())}}});
    const auto got = world.send(post(path, body, "Connection: close\r\n"));
    ASSERT_TRUE(world.finish()) << body;
    EXPECT_EQ(got->status(), "HTTP/1.1 200") << got->bytes;
    EXPECT_EQ(world.nodes[0]->seen().back().body, sent);
    EXPECT_EQ(got->field("x-drover-model"), "m:latest") << body;
    EXPECT_EQ(world.log().back()["gen_ai.response.model"], "m:latest") << body;
  }
  EXPECT_EQ(world.log()[0]["gen_ai.request.model"], "gpt-4o");
  EXPECT_EQ(
      world.counted(R"(drover_requests_total{model="m:latest",node="a",dialect="ollama",code="200",outcome="ok"})"),
      7U);
  world.expect_at_rest();
}

TEST(Alias, is_listed_shown_and_found_as_a_model) {
  World world(with({{"gpt-4o", {{"m"}}}, {"nowhere", {{"absent"}}}}));
  const auto get = [&](std::string_view path) {
    const auto got = world.send(fmt::format("GET {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path));
    EXPECT_TRUE(world.finish());
    return got;
  };
  EXPECT_NE(get("/api/tags")->body().find(R"("name":"gpt-4o","model":"gpt-4o")"), std::string::npos);
  EXPECT_NE(get("/v1/models")->body().find(R"("id":"gpt-4o")"), std::string::npos);
  EXPECT_EQ(get("/v1/models/gpt-4o")->status(), "HTTP/1.1 200");
  const auto shown = world.send(post("/api/show", R"({"model":"gpt-4o"})", "Connection: close\r\n"));
  const auto verbose = world.send(post("/api/show", R"({"model":"gpt-4o","verbose":true})", "Connection: close\r\n"));
  const auto nowhere = world.send(post("/api/chat", R"({"model":"nowhere","messages":[{}]})", "Connection: close\r\n"));
  ASSERT_TRUE(world.finish());
  EXPECT_EQ(shown->status(), "HTTP/1.1 200");
  EXPECT_EQ(shown->field("x-drover-model"), "m:latest");
  EXPECT_EQ(verbose->status(), "HTTP/1.1 200");
  EXPECT_EQ(nowhere->status(), "HTTP/1.1 404");
  EXPECT_NE(nowhere->body().find("model 'nowhere' not found"), std::string::npos);
  world.expect_at_rest();
}

TEST(Alias, of_several_models_shares_requests_by_weight_and_keeps_a_session_with_one) {
  World world(with({{"assistant", {{"big", 3}, {"m", 1}}}}));
  world.nodes[0]->set_models({"m:latest", "big:latest"});
  world.run_for(36s);  // a listing and a probe interval
  world.nodes[0]->play({{Send{whole(done_line())}}});
  const auto ask = [&](std::string_view session) {
    const auto got = world.send(post("/api/chat", R"({"model":"assistant","messages":[{"content":"hi"}]})",
                                     fmt::format("Connection: close\r\n{}", session)));
    EXPECT_TRUE(world.finish());
    return got->field("x-drover-model");
  };
  std::map<std::string, int> met;
  for (int i = 0; i < 40; ++i) ++met[ask("")];
  EXPECT_NEAR(met["big:latest"], 30, 2);
  EXPECT_NEAR(met["m:latest"], 10, 2);
  std::map<std::string, int> sessions;
  for (int session = 0; session < 20; ++session) {
    const std::string header = fmt::format("x-session-id: {}\r\n", session);
    const std::string first = ask(header);
    ++sessions[first];
    for (int i = 0; i < 3; ++i) EXPECT_EQ(ask(header), first);
  }
  EXPECT_EQ(sessions.size(), 2U);
  world.expect_at_rest();
}

TEST(Alias, of_a_cloud_model_is_refused_as_that_is) {
  World world(with({{"far", {{"big:cloud"}}}}));
  world.nodes[0]->set_models({"big:cloud"});
  world.run_for(36s);  // a listing and a probe interval
  const auto got = world.send(post("/api/chat", R"({"model":"far","messages":[{}]})", "Connection: close\r\n"));
  ASSERT_TRUE(world.finish());
  EXPECT_EQ(got->field("x-drover-reason"), "cloud_model");
}

TEST(Alias, may_be_a_cloud_name_for_a_model_of_ours) {
  World world(with({{"gpt-oss:120b-cloud", {{"m"}}}}));
  const auto got =
      world.send(post("/api/chat", R"({"model":"gpt-oss:120b-cloud","messages":[{}]})", "Connection: close\r\n"));
  ASSERT_TRUE(world.finish());
  EXPECT_EQ(got->status(), "HTTP/1.1 200") << got->bytes;
}

TEST(Alias, changes_with_the_settings) {
  World world(with({{"fast", {{"m"}}}}));
  world.nodes[0]->set_models({"m:latest", "big:latest"});
  world.run_for(36s);  // a listing and a probe interval
  const auto ask = [&](std::string_view name) {
    const auto got = world.send(
        post("/api/chat", fmt::format(R"({{"model":"{}","messages":[{{}}]}})", name), "Connection: close\r\n"));
    EXPECT_TRUE(world.finish());
    return got->status() == "HTTP/1.1 200" ? got->field("x-drover-model") : got->status();
  };
  EXPECT_EQ(ask("fast"), "m:latest");
  GatewaySetup setup = world.setup();
  setup.aliases = {{"fast", {{"big"}}}, {"new", {{"m"}}}};
  world.gateway->apply(std::move(setup));
  world.run_for(1s);
  EXPECT_EQ(ask("fast"), "big:latest");
  EXPECT_EQ(ask("new"), "m:latest");
  world.gateway->apply([&] {
    GatewaySetup none = world.setup();
    none.aliases.clear();
    return none;
  }());
  world.run_for(1s);
  EXPECT_EQ(ask("fast"), "HTTP/1.1 404");
}

}  // namespace
}  // namespace drover::gateway::test
