// What clients do: leave in every phase, stall, send too much, ask for what is not there. Rows of the fault matrix.
#include <gtest/gtest.h>

#include "gateway/test_world.h"

namespace drover::gateway::test {
namespace {

const std::string kChatPath = "/api/chat";
const std::string kOpenAi = R"({"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]})";

struct LeaveCase {
  std::string_view name;
  Script script;
  Duration stay;
};

TEST(Clients, row_79_and_80_a_client_that_leaves_frees_its_node_in_every_phase_and_both_dialects) {
  const LeaveCase cases[] = {
      {"waiting for the first token", {Hang{}}, 200ms},
      {"in the first milliseconds", {Hang{}}, 1ms},
      {"streaming", {Send{stream_head() + chunk(token_line(0))}, Hang{}}, 200ms},
  };
  for (const LeaveCase& leave : cases) {
    for (const bool openai : {false, true}) {
      World world({.nodes = 1, .slots = 1});
      world.nodes[0]->play({leave.script});
      const Mono began = world.now();
      world.send(openai ? post("/v1/chat/completions", kOpenAi) : post(kChatPath, kChat), leave.stay);
      ASSERT_TRUE(
          world.run_until([&] { return !world.nodes[0]->seen().empty() && world.nodes[0]->seen()[0].left; }, 1min))
          << leave.name;
      const auto& seen = world.nodes[0]->seen()[0];
      EXPECT_GE(*seen.left - seen.came, 20ms) << leave.name << ": an Ollama leaks a slot when cut before";
      const Mono due = std::max(began + leave.stay, seen.came + 20ms);
      EXPECT_LE(*seen.left - due, 50ms) << leave.name;
      world.expect_at_rest();
      EXPECT_EQ(world.log().back()["drover.outcome"], "cancelled") << leave.name;
    }
  }
}

TEST(Clients, row_78_a_client_that_leaves_the_queue_never_reached_a_node) {
  World world({.nodes = 1, .slots = 1});
  world.nodes[0]->play({{Pause{10s}, Send{whole(done_line())}}});
  const auto first = world.send(post(kChatPath, kChat), 30s);
  world.run_for(100ms);
  world.send(post(kChatPath, kChat), 500ms);
  world.run_for(200ms);
  EXPECT_EQ(world.status()["queue"]["waiting"], 1);
  world.run_for(400ms);
  EXPECT_EQ(world.status()["queue"]["waiting"], 0);
  ASSERT_TRUE(world.finish());
  EXPECT_EQ(first->status(), "HTTP/1.1 200");
  EXPECT_EQ(world.nodes[0]->seen().size(), 1U);
  world.expect_at_rest();
}

TEST(Clients, row_79_a_client_that_leaves_while_the_node_is_dialled_is_gone) {
  World world({.nodes = 1});
  world.world.set_reach(world.nodes[0]->endpoint(), net::Reach::blackhole);
  world.send(post(kChatPath, kChat), 500ms);
  ASSERT_TRUE(world.finish());
  world.run_for(50ms);
  EXPECT_EQ(world.log().size(), 1U);
  EXPECT_EQ(world.log().back()["drover.outcome"], "cancelled");
  EXPECT_TRUE(world.nodes[0]->seen().empty());
  world.world.set_reach(world.nodes[0]->endpoint(), net::Reach::normal);
  world.expect_at_rest();
}

net::Task<> half_close(World& world, std::string request, std::string& got) {
  auto dialled = co_await world.network.dial(world.endpoint, kNever);
  EXPECT_TRUE((*dialled)->write(request));
  (*dialled)->finish();
  while (true) {
    const auto bytes = co_await (*dialled)->read_some(world.loop.now() + 10s);
    if (!bytes || bytes->empty()) co_return;
    got += *bytes;
  }
}

TEST(Clients, row_79_a_client_that_leaves_behind_a_stale_connection_is_cut_no_sooner_than_any_other) {
  World world({.nodes = 1});
  world.nodes[0]->play({chat_stream(1), {Reset{}}, {Hang{}}});
  world.send(post(kChatPath, kChat), 1s);
  ASSERT_TRUE(world.finish());
  world.send_and_never_read(post(kChatPath, kChat), 5ms);
  ASSERT_TRUE(world.finish());
  world.run_for(1s);
  ASSERT_EQ(world.nodes[0]->seen().size(), 3U);
  const auto& last = world.nodes[0]->seen()[2];
  ASSERT_TRUE(last.left);
  EXPECT_GE(*last.left - last.came, 20ms);
  EXPECT_LE(*last.left - last.came, 50ms);
  world.expect_at_rest();
}

TEST(Clients, row_81_a_half_close_after_a_whole_request_counts_as_leaving) {
  World world({.nodes = 1});
  world.nodes[0]->play({{Hang{}}});
  std::string got;
  world.clients.spawn(half_close(world, post(kChatPath, kChat), got));
  ASSERT_TRUE(world.finish());
  EXPECT_EQ(got, "");
  world.expect_at_rest();
  EXPECT_EQ(world.log().back()["drover.outcome"], "cancelled");
}

TEST(Clients, row_82_a_client_that_reads_nothing_is_cut_after_a_minute) {
  World world({.nodes = 1, .network = {.window = 4096}});
  Script script{Send{stream_head()}};
  for (int i = 0; i < 50; ++i) script.push_back(Send{chunk(std::string(10'000, 'x') + "\n")});
  script.push_back(Hang{});
  world.nodes[0]->play({script});
  const Mono began = world.now();
  const auto got = world.send_and_never_read(post(kChatPath, kChat), 5min);
  ASSERT_TRUE(world.run_until([&] { return !world.nodes[0]->seen().empty() && world.nodes[0]->seen()[0].left; }, 5min));
  EXPECT_GE(world.now() - began, 60s);
  EXPECT_LE(world.now() - began, 63s);
  ASSERT_TRUE(world.finish());
  EXPECT_EQ(got->broke, ErrorCode::reset);
  world.expect_at_rest();
}

TEST(Clients, row_82_an_answer_that_its_client_never_took_was_not_delivered) {
  World world({.nodes = 1, .change = [](GatewaySetup& setup) {
                 setup.settings.server.stalled = 5s;
                 setup.settings.server.idle = 2s;
               }});
  world.nodes[0]->play({{Send{whole(R"({"embeddings":[[)" + std::string(400'000, '1') + "]]}")}}});
  const auto got = world.send_and_never_read(post("/api/embed", R"({"model":"m","input":"hi"})"), 30s);
  world.run_for(3s);
  EXPECT_EQ(world.nodes[0]->busy(), 0U) << "the node is free long before";
  EXPECT_GT(world.gateway->buffers().used().value, 0U);
  ASSERT_TRUE(world.finish());
  EXPECT_EQ(got->broke, ErrorCode::reset);
  EXPECT_EQ(world.log().back()["drover.outcome"], "cancelled");
  EXPECT_EQ(world.log().back()["drover.reason"], "client_stalled");
  world.expect_at_rest();
}

TEST(Clients, row_55_a_body_that_never_stops_coming_ends_with_the_deadline_of_the_request) {
  World world({.nodes = 1, .change = [](GatewaySetup& setup) {
                 setup.settings.request = 3s;
                 setup.settings.server.body_rate = Bytes{1};
               }});
  const auto got = world.send_in_drops(post(kChatPath, std::string(1'000, ' ') + kChat), 20ms);
  ASSERT_TRUE(world.finish());
  EXPECT_EQ(got->status(), "HTTP/1.1 408");
  EXPECT_NEAR(world.log().back()["event.duration"].get<double>() / 1e9, 3, 0.3);
  world.expect_at_rest();
}

TEST(Clients, row_83_the_next_request_may_come_while_a_stream_runs) {
  World world({.nodes = 1});
  const auto got = world.send(post(kChatPath, kChat) + "GET /api/version HTTP/1.1\r\nHost: localhost\r\n\r\n", 2s);
  ASSERT_TRUE(world.finish());
  const auto end = got->bytes.find(kEnd);
  ASSERT_NE(end, std::string::npos);
  EXPECT_NE(got->bytes.find(R"({"version":"0.34.4"})", end), std::string::npos) << got->bytes;
  world.expect_at_rest();
}

TEST(Clients, row_84_idle_connections_time_out_and_the_oldest_make_room) {
  World world({.nodes = 1, .change = [](GatewaySetup& setup) { setup.settings.connections = 3; }});
  const std::string ask = "GET /api/version HTTP/1.1\r\nHost: localhost\r\n\r\n";
  const auto oldest = world.send(ask, 10min);
  world.run_for(1s);
  const auto second = world.send(ask, 10min);
  const auto third = world.send(ask, 10min);
  world.run_for(1s);
  EXPECT_FALSE(oldest->ended);
  const auto fourth = world.send(ask, 10min);
  world.run_for(1s);
  EXPECT_TRUE(oldest->ended);
  EXPECT_EQ(fourth->status(), "HTTP/1.1 200");
  EXPECT_FALSE(second->ended);
  world.run_for(80s);
  EXPECT_TRUE(second->ended && third->ended && fourth->ended);
  world.expect_at_rest();
}

TEST(Clients, row_85_the_last_answer_before_a_shutdown_says_close) {
  World world({.nodes = 1});
  world.nodes[0]->play({chat_stream(20, 100ms)});
  const auto got = world.send(post(kChatPath, kChat), 1min);
  world.run_for(500ms);
  world.stop();
  bool clean = false;
  got->body(&clean);
  EXPECT_TRUE(clean) << "the stream was finished, not cut";
  EXPECT_TRUE(got->ended);
}

TEST(Clients, a_connection_that_comes_as_the_drain_begins_does_not_hold_it_up) {
  World world({.nodes = 1});
  world.send("", 10min);
  // In the very turn in which the connection is accepted, before it waits for its first request.
  world.world.schedule(world.now() + world.world.settings().latency, [&] { world.begin_stop(); });
  world.run_for(1ms);
  const Mono began = world.now();
  world.stop();
  EXPECT_LT(world.now() - began, 5s);
}

// ---- bodies
TEST(Clients, a_connection_that_comes_while_the_drain_begins_does_not_hold_it_up) {
  for (int offset = 0; offset < 600; offset += 25) {
    World world({.nodes = 1});
    world.send("", 10min);
    world.run_for(std::chrono::microseconds(offset));
    const Mono began = world.now();
    world.stop();
    EXPECT_LT(world.now() - began, 5s) << offset << " us after the dial";
  }
}

TEST(Clients, who_connects_as_the_drain_begins_is_served_refused_or_told_so) {
  std::size_t told = 0;
  for (int offset = 0; offset < 600; offset += 10) {
    World world({.nodes = 1});
    const auto got = world.send(post(kChatPath, kChat), 1min);
    world.run_for(std::chrono::microseconds(offset));
    world.stop();
    if (!got->connected || got->status() == "HTTP/1.1 200") continue;
    EXPECT_EQ(got->status(), "HTTP/1.1 503") << offset << " us after the dial";
    EXPECT_NE(got->bytes.find("x-drover-reason: shutting_down"), std::string::npos) << got->bytes;
    EXPECT_TRUE(got->ended) << "no reset takes the answer away";
    ++told;
  }
  EXPECT_GT(told, 0U);
}

// ----------------------------------------------------------------------------------------------------------

struct BodyCase {
  std::string_view name, path, body, status, reason;
};
const std::string kDeep = R"({"model":"m","messages":)" + std::string(100, '[') + std::string(100, ']') + "}";
const BodyCase kBodies[] = {
    {"row_65_duplicate_key", "/api/chat", R"({"model":"m","MODEL":"n","messages":[]})", "HTTP/1.1 400",
     "duplicate_key"},
    {"row_66_model_is_a_number", "/api/chat", R"({"model":1,"messages":[]})", "HTTP/1.1 400", ""},
    {"row_66_model_absent_on_generate", "/api/generate", R"({"prompt":"x"})", "HTTP/1.1 404", ""},
    {"row_66_model_absent_on_chat", "/api/chat", R"({"messages":[{"role":"user","content":"x"}]})", "HTTP/1.1 400", ""},
    {"row_67_unknown_model", "/api/chat", R"({"model":"nobody","messages":[]})", "HTTP/1.1 404", "model_not_found"},
    {"row_68_too_deep", "/api/chat", kDeep, "HTTP/1.1 400", "json_depth"},
    {"row_70_trailing_garbage", "/api/chat", R"({"model":"m","messages":[]} x)", "HTTP/1.1 400", "json"},
    {"row_70_empty", "/api/chat", "", "HTTP/1.1 400", "json"},
    {"row_77_not_an_object", "/api/chat", "[1]", "HTTP/1.1 400", "json"},
    {"cloud_name", "/api/chat", R"({"model":"m:cloud","messages":[]})", "HTTP/1.1 403", "cloud_model"},
};

TEST(Clients, bodies_that_no_node_should_see_are_refused_here) {
  World world;
  for (const BodyCase& row : kBodies) {
    const auto got = world.send(post(row.path, row.body), 5s);
    ASSERT_TRUE(world.run_until([&] { return !got->bytes.empty(); }, 10s)) << row.name;
    EXPECT_EQ(got->status(), row.status) << row.name << "\n" << got->bytes;
    if (!row.reason.empty()) {
      EXPECT_NE(got->bytes.find(fmt::format("x-drover-reason: {}\r\n", row.reason)), std::string::npos)
          << row.name << "\n"
          << got->bytes;
    }
    world.clients.cancel_all();
  }
  EXPECT_TRUE(world.nodes[0]->seen().empty() && world.nodes[1]->seen().empty());
  world.expect_at_rest();
}

TEST(Clients, row_62_a_body_too_large_is_refused_before_it_is_read) {
  World world({.nodes = 1, .change = [](GatewaySetup& setup) { setup.settings.prompt_body = 1000_KiB; }});
  const auto got = world.send("POST /api/chat HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2000000\r\n\r\n", 5s);
  ASSERT_TRUE(world.run_until([&] { return !got->bytes.empty(); }, 1s));
  EXPECT_EQ(got->status(), "HTTP/1.1 413");
  world.clients.cancel_all();
  world.expect_at_rest();
}

TEST(Clients, row_63_a_chunked_body_is_refused_when_it_crosses_the_limit) {
  World world({.nodes = 1, .change = [](GatewaySetup& setup) { setup.settings.prompt_body = 100_KiB; }});
  const auto got = world.send("POST /api/chat HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" +
                                  chunk(std::string(200'000, ' ')) + kEnd,
                              5s);
  ASSERT_TRUE(world.run_until([&] { return !got->bytes.empty(); }, 1s));
  EXPECT_EQ(got->status(), "HTTP/1.1 413");
  world.clients.cancel_all();
  world.expect_at_rest();
}

TEST(Clients, row_64_the_model_may_stand_behind_megabytes_and_the_budget_bounds_all_bodies_together) {
  World world({.nodes = 1, .change = [](GatewaySetup& setup) { setup.settings.buffers = 30_MiB; }});
  const std::string body = R"({"messages":[{"role":"user","content":"x","images":[")" + std::string(10'000'000, 'A') +
                           R"("]}],"model":"m"})";
  const auto got = world.send(post(kChatPath, body), 30s);
  ASSERT_TRUE(world.finish());
  EXPECT_EQ(got->status(), "HTTP/1.1 200") << got->bytes.substr(0, 500);
  EXPECT_TRUE(world.nodes[0]->seen()[0].body == body);
  world.nodes[0]->play({{Hang{}}});
  std::vector<std::shared_ptr<Got>> all;
  for (int i = 0; i < 4; ++i) all.push_back(world.send(post(kChatPath, body), 30s));
  world.run_for(10s);
  std::size_t refused = 0;
  for (const auto& one : all) refused += one->status() == "HTTP/1.1 503" ? 1 : 0;
  EXPECT_GE(refused, 1U);
  EXPECT_LE(world.gateway->buffers().used().value, (30_MiB).value);
  ASSERT_TRUE(world.finish());
  world.expect_at_rest();
}

TEST(Clients, row_75_other_encodings_than_zstd_are_415) {
  World world({.nodes = 1});
  for (const auto* encoding : {"gzip", "br", "zstd"}) {
    const auto got = world.send(post(kChatPath, kChat, fmt::format("Content-Encoding: {}\r\n", encoding)), 1s);
    ASSERT_TRUE(world.finish());
    EXPECT_EQ(got->status(), "HTTP/1.1 415") << encoding;
  }
  world.expect_at_rest();
}

TEST(Clients, row_76_the_content_type_of_json_routes_is_ignored) {
  World world({.nodes = 1});
  const auto got = world.send(post(kChatPath, kChat, "Content-Type: application/x-www-form-urlencoded\r\n"), 1s);
  ASSERT_TRUE(world.finish());
  EXPECT_EQ(got->status(), "HTTP/1.1 200");
  const auto bad = world.send(
      post(kChatPath, kChat, "Content-Type: multipart/form-data; boundary=" + std::string(100, 'x') + "\r\n"), 1s);
  ASSERT_TRUE(world.finish());
  EXPECT_EQ(bad->status(), "HTTP/1.1 400");
  world.expect_at_rest();
}

// ---- names
// -----------------------------------------------------------------------------------------------------------

struct NameCase {
  std::string_view name, request, status;
};
const NameCase kNames[] = {
    {"localhost", "GET / HTTP/1.1\r\nHost: localhost:11435\r\n\r\n", "HTTP/1.1 200"},
    {"an address", "GET / HTTP/1.1\r\nHost: 10.1.2.3\r\n\r\n", "HTTP/1.1 200"},
    {"a stranger's name", "GET / HTTP/1.1\r\nHost: evil.example.com\r\n\r\n", "HTTP/1.1 421"},
    {"a stranger's page", "GET /api/tags HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.example.com\r\n\r\n",
     "HTTP/1.1 403"},
    {"a local page", "GET /api/tags HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost:3000\r\n\r\n",
     "HTTP/1.1 200"},
    {"a preflight",
     "OPTIONS /api/chat HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost:3000\r\nAccess-Control-Request-Method: "
     "POST\r\n\r\n",
     "HTTP/1.1 204"},
    {"unknown path", "GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP/1.1 404"},
    {"wrong method", "GET /api/chat HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP/1.1 405"},
    {"row_49_trace", "TRACE /api/chat HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP/1.1 405"},
    {"trailing slash", "POST /api/chat/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 307"},
    {"not served", "POST /api/pull HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}", "HTTP/1.1 501"},
    {"codex", "POST /api/codex/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 404"},
    {"head of root", "HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP/1.1 200"},
    {"row_50_upgrade_is_ignored",
     "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", "HTTP/1.1 200"},
    {"row_48_dot_segments", "GET /api/../admin HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP/1.1 400"},
    {"row_41_two_framings",
     "POST /api/chat HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     "HTTP/1.1 400"},
    {"row_52_a_get_with_a_body", "GET /api/version HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello",
     "HTTP/1.1 200"},
    {"metrics are not here", "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP/1.1 404"},
};

TEST(Clients, hosts_origins_paths_and_methods_are_answered_by_the_rules) {
  World world({.nodes = 1});
  for (const NameCase& row : kNames) {
    const auto got = world.send(std::string(row.request), 1s);
    ASSERT_TRUE(world.finish()) << row.name;
    EXPECT_EQ(got->status(), row.status) << row.name << "\n" << got->bytes;
  }
  EXPECT_TRUE(world.nodes[0]->seen().empty());
  world.expect_at_rest();
}

TEST(Clients, the_node_gets_its_own_host_and_nothing_that_identifies_the_client) {
  World world({.nodes = 1});
  const auto got = world.send(post(kChatPath, kChat,
                                   "Authorization: Bearer secret\r\nCookie: a=b\r\nX-Forwarded-For: 1.2.3.4\r\n"
                                   "Origin: http://localhost\r\nx-request-id: mine-1\r\nUser-Agent: test\r\n"),
                              1s);
  ASSERT_TRUE(world.finish());
  EXPECT_NE(got->bytes.find("x-request-id: mine-1\r\n"), std::string::npos);
  const std::string& head = world.nodes[0]->seen()[0].head;
  EXPECT_NE(head.find(fmt::format("Host: {}\r\n", net::to_text(world.nodes[0]->endpoint()))), std::string::npos)
      << head;
  EXPECT_NE(head.find("x-request-id: mine-1\r\n"), std::string::npos);
  for (const auto* secret : {"secret", "Cookie", "1.2.3.4", "Origin"})
    EXPECT_EQ(head.find(secret), std::string::npos) << head;
  world.expect_at_rest();
}

TEST(Clients, listings_come_from_memory_and_no_node_is_asked) {
  World world;
  world.run_for(3s);
  const std::size_t before = world.nodes[0]->probes() + world.nodes[1]->probes();
  for (const auto* path : {"/api/tags", "/api/ps", "/v1/models", "/v1/models/m", "/api/version", "/"}) {
    const auto got = world.send(fmt::format("GET {} HTTP/1.1\r\nHost: localhost\r\n\r\n", path), 10ms);
    ASSERT_TRUE(world.finish());
    EXPECT_EQ(got->status(), "HTTP/1.1 200") << path;
  }
  const auto show = world.send(post("/api/show", R"({"model":"m"})"), 10ms);
  ASSERT_TRUE(world.finish());
  EXPECT_EQ(show->status(), "HTTP/1.1 200");
  EXPECT_EQ(world.nodes[0]->probes() + world.nodes[1]->probes(), before);
  world.expect_at_rest();
}

TEST(Clients, a_model_that_just_appeared_is_found_by_one_shared_refresh) {
  World world;
  world.nodes[0]->set_models({"m:latest", "new:latest"});
  std::vector<std::shared_ptr<Got>> all;
  const std::size_t before = world.nodes[0]->probes();
  for (int i = 0; i < 10; ++i) {
    all.push_back(world.send(post(kChatPath, R"({"model":"new","messages":[{"role":"user","content":"x"}]})"), 900ms));
  }
  ASSERT_TRUE(world.finish());
  for (const auto& got : all) EXPECT_EQ(got->status(), "HTTP/1.1 200") << got->bytes;
  EXPECT_LE(world.nodes[0]->probes() - before, 12U) << "one refresh, not ten";
  world.expect_at_rest();
}

// ---- admission
// -------------------------------------------------------------------------------------------------------

TEST(Clients, no_node_ever_has_more_requests_than_slots_and_all_are_served) {
  for (const std::size_t workers : {1U, 3U}) {
    World world({.nodes = 3, .slots = 2, .workers = workers, .network = {.jitter = 1ms}});
    std::vector<std::shared_ptr<Got>> all;
    for (int i = 0; i < 60; ++i) all.push_back(world.send(post(kChatPath, kChat, "Connection: close\r\n"), 5min));
    ASSERT_TRUE(world.finish());
    for (const auto& got : all) {
      bool clean = false;
      got->body(&clean);
      EXPECT_TRUE(clean && got->status() == "HTTP/1.1 200") << got->bytes;
    }
    for (const auto& node : world.nodes) {
      EXPECT_LE(node->most_busy(), 2U);
      EXPECT_GE(node->seen().size(), 10U);
    }
    world.expect_at_rest();
  }
}

TEST(Clients, nobody_waits_longer_than_the_queue_allows) {
  World world({.nodes = 1, .slots = 1, .change = [](GatewaySetup& setup) { setup.scheduler.queue_timeout = 1s; }});
  world.nodes[0]->play({{Hang{}}});
  world.send(post(kChatPath, kChat), 2s);
  for (const Duration pause : {100ms, 137ms, 1ms, 61ms}) {
    world.run_for(pause);
    world.send(post(kChatPath, kChat));
  }
  ASSERT_TRUE(world.finish());
  const auto log = world.log();
  ASSERT_EQ(log.size(), 5U);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(log[i]["drover.reason"], "queue_timeout");
    const Duration waited(log[i]["event.duration"].get<std::int64_t>());
    EXPECT_GE(waited, 1s);
    EXPECT_LE(waited, 1s + 5ms);
  }
  world.expect_at_rest();
}

TEST(Clients, a_full_queue_refuses_at_once_and_says_when_to_come_back) {
  World world({.nodes = 1, .slots = 1, .change = [](GatewaySetup& setup) { setup.scheduler.max_queue = 2; }});
  world.nodes[0]->play({{Pause{5s}, Send{whole(done_line())}}});
  std::vector<std::shared_ptr<Got>> all;
  for (int i = 0; i < 4; ++i) {
    all.push_back(world.send(post(kChatPath, kChat, "Connection: close\r\n"), 1min));
    world.run_for(50ms);
  }
  EXPECT_NE(all[3]->bytes.find("x-drover-reason: queue_full"), std::string::npos) << all[3]->bytes;
  EXPECT_NE(all[3]->bytes.find("Retry-After: "), std::string::npos);
  ASSERT_TRUE(world.finish());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(all[static_cast<std::size_t>(i)]->status(), "HTTP/1.1 200");
  world.expect_at_rest();
}

// Two wait while one runs; the second of them comes from a tenant of its own, or is urgent, and goes first.
TEST(Clients, a_trusted_proxy_says_who_asks_and_others_do_not) {
  struct Case {
    std::string_view trusted, field, first;
  };
  for (const Case& test : {Case{"0.0.0.0/0", "x-drover-tenant: modest\r\n", "late"},
                           Case{"0.0.0.0/0", "x-drover-priority: high\r\n", "late"},
                           Case{"0.0.0.0/0", "x-drover-priority: low\r\n", "early"},
                           Case{"192.0.2.0/24", "x-drover-priority: high\r\n", "early"},
                           Case{"192.0.2.0/24", "x-drover-priority: nonsense\r\n", "early"}}) {
    World world({.nodes = 1, .slots = 1, .change = [&](GatewaySetup& setup) {
                   setup.settings.trusted_proxies = {*net::parse_address_range(test.trusted)};
                 }});
    world.nodes[0]->play({{Pause{1s}, Send{whole(done_line())}}});
    const std::string greedy = test.trusted == "0.0.0.0/0" ? "x-drover-tenant: greedy\r\n" : "";
    world.send(post(kChatPath, kChat, greedy));
    world.run_for(50ms);
    world.send(post(kChatPath, kChat, greedy + "x-request-id: early\r\n"));
    world.run_for(50ms);
    world.send(post(kChatPath, kChat, std::string(test.field) + "x-request-id: late\r\n"));
    ASSERT_TRUE(world.finish());
    const auto log = world.log();
    ASSERT_EQ(log.size(), 3U);
    EXPECT_EQ(log[1]["http.request.id"], test.first) << test.trusted << " " << test.field;
    if (test.field.find("modest") != std::string_view::npos) EXPECT_EQ(log[1]["drover.tenant"], "modest");
    world.expect_at_rest();
  }
}

TEST(Clients, what_a_trusted_proxy_says_is_checked) {
  for (const std::string_view field : {"x-drover-priority: urgent\r\n", "x-drover-tenant: two words\r\n"}) {
    World world({.nodes = 1, .change = [](GatewaySetup& setup) {
                   setup.settings.trusted_proxies = {*net::parse_address_range("0.0.0.0/0")};
                 }});
    const auto got = world.send(post(kChatPath, kChat, field));
    ASSERT_TRUE(world.finish());
    EXPECT_EQ(got->status(), "HTTP/1.1 400") << field;
    EXPECT_NE(got->bytes.find("x-drover-reason: tenant\r\n"), std::string::npos) << got->bytes;
    world.expect_at_rest();
  }
}

TEST(Clients, a_killed_node_fails_no_request_before_its_first_byte) {
  World world({.nodes = 3, .slots = 4, .network = {.jitter = 500us}});
  for (auto& node : world.nodes) node->play({chat_stream(5, 20ms)});
  std::vector<std::shared_ptr<Got>> all;
  for (int i = 0; i < 200; ++i) {
    all.push_back(world.send(post(kChatPath, kChat, "Connection: close\r\n"), 5min));
    world.run_for(5ms);
    if (i == 60) world.nodes[0]->kill();
    if (i == 120) world.nodes[0]->revive();
  }
  ASSERT_TRUE(world.finish());
  std::size_t cut = 0;
  for (const auto& got : all) {
    bool clean = false;
    const std::string body = got->body(&clean);
    EXPECT_EQ(got->status(), "HTTP/1.1 200") << got->bytes;
    if (clean) continue;
    ++cut;
    EXPECT_NE(body.find("{\"error\""), std::string::npos) << body;
  }
  EXPECT_LE(cut, 4U) << "only those that were streaming on the dead node";
  world.run_for(1min);
  for (int i = 0; i < 20; ++i) {
    world.send(post(kChatPath, kChat, "Connection: close\r\n"), 1min);
    world.run_for(1s);
  }
  EXPECT_EQ(world.status()["nodes"][0]["health"], "stable");
  world.expect_at_rest();
}

TEST(Clients, a_cold_model_is_loaded_once_by_the_gateway_and_survives_its_client) {
  World world({.nodes = 1, .slots = 4});
  world.nodes[0]->set_resident(false);
  world.run_for(6s);
  world.nodes[0]->play({{Pause{3s}, Send{whole(R"({"model":"m","done":true,"done_reason":"load"})")}}, chat_stream(2)});
  const auto leaver = world.send(post(kChatPath, kChat), 1s);
  world.run_for(500ms);
  const auto patient = world.send(post(kChatPath, kChat, "Connection: close\r\n"), 1min);
  world.run_for(2s);
  EXPECT_EQ(world.nodes[0]->seen().size(), 1U) << "one load, nothing else meanwhile";
  EXPECT_EQ(world.nodes[0]->seen()[0].path, "/api/generate");
  EXPECT_FALSE(world.nodes[0]->seen()[0].left) << "the load goes on without the client that caused it";
  world.nodes[0]->set_resident(true);
  ASSERT_TRUE(world.finish());
  EXPECT_EQ(patient->status(), "HTTP/1.1 200") << patient->bytes;
  EXPECT_EQ(world.nodes[0]->seen().size(), 2U);
  world.expect_at_rest();
}

TEST(Clients, a_load_command_goes_to_one_node_and_an_unload_to_all) {
  World world({.nodes = 3});
  for (auto& node : world.nodes) node->play({{Send{whole(R"({"model":"m","done":true,"done_reason":"load"})")}}});
  const auto load = world.send(post("/api/generate", R"({"model":"m"})"), 5s);
  ASSERT_TRUE(world.finish());
  EXPECT_NE(load->body().find(R"("done_reason":"load")"), std::string::npos);
  EXPECT_EQ(world.nodes[0]->seen().size() + world.nodes[1]->seen().size() + world.nodes[2]->seen().size(), 1U);
  const auto unload = world.send(post("/api/generate", R"({"model":"m","keep_alive":0})"), 5s);
  ASSERT_TRUE(world.finish());
  EXPECT_EQ(unload->status(), "HTTP/1.1 200");
  EXPECT_EQ(world.nodes[0]->seen().size() + world.nodes[1]->seen().size() + world.nodes[2]->seen().size(), 4U);
  world.expect_at_rest();
}

TEST(Clients, a_command_that_the_end_of_the_grace_meets_is_told_so) {
  for (const std::string_view body : {R"({"model":"m"})", R"({"model":"m","keep_alive":0})"}) {
    World world({.nodes = 1, .change = [](GatewaySetup& setup) { setup.settings.drain = 1s; }});
    world.nodes[0]->play({{Hang{}}});
    const auto got = world.send(post("/api/generate", body), 1min);
    world.run_for(1s);
    world.stop();
    EXPECT_EQ(got->status(), "HTTP/1.1 503") << body;
    EXPECT_EQ(world.log().back()["drover.reason"], "shutting_down") << body;
  }
}

TEST(Clients, an_unload_that_a_node_never_answers_ends_with_a_word) {
  World world({.nodes = 1, .change = [](GatewaySetup& setup) { setup.settings.request = 5s; }});
  world.nodes[0]->play({{Hang{}}});
  const auto got = world.send(post("/api/generate", R"({"model":"m","keep_alive":0})"), 10s);
  ASSERT_TRUE(world.finish());
  EXPECT_EQ(got->status(), "HTTP/1.1 503");
  world.run_for(1min);
  world.expect_at_rest();
}

TEST(Reload, new_nodes_serve_and_streams_on_old_ones_are_untouched) {
  World world({.nodes = 2});
  for (auto& node : world.nodes) node->play({chat_stream(50, 100ms)});
  std::vector<std::shared_ptr<Got>> all;
  for (int i = 0; i < 4; ++i) all.push_back(world.send(post(kChatPath, kChat, "Connection: close\r\n"), 1min));
  world.run_for(1s);
  GatewaySetup setup = world.setup();
  setup.nodes.erase(setup.nodes.begin());
  world.gateway->apply(std::move(setup));
  world.run_for(100ms);
  EXPECT_EQ(world.status()["nodes"].size(), 1U);
  for (int i = 0; i < 3; ++i) world.send(post(kChatPath, kChat, "Connection: close\r\n"), 1min);
  ASSERT_TRUE(world.finish());
  for (const auto& got : all) {
    bool clean = false;
    got->body(&clean);
    EXPECT_TRUE(clean);
  }
  EXPECT_EQ(world.nodes[0]->seen().size(), 2U);
  EXPECT_EQ(world.nodes[1]->seen().size(), 5U);
  world.expect_at_rest();
}

TEST(Reload, who_waits_for_the_first_byte_of_a_node_that_was_taken_out_gets_its_answer) {
  World world({.nodes = 2});
  for (auto& node : world.nodes) node->play({{Pause{2min}, Send{whole(done_line())}}});
  std::vector<std::shared_ptr<Got>> both;
  for (int i = 0; i < 2; ++i) both.push_back(world.send(post(kChatPath, kChat, "Connection: close\r\n")));
  world.run_for(1s);
  GatewaySetup setup = world.setup();
  setup.nodes.erase(setup.nodes.begin());
  world.gateway->apply(std::move(setup));
  ASSERT_TRUE(world.finish());
  for (const auto& got : both) EXPECT_EQ(got->status(), "HTTP/1.1 200") << got->bytes;
  EXPECT_EQ(world.nodes[0]->seen().size(), 1U);
  world.expect_at_rest();
}

// Names that are given by place move to other machines when one is taken out, and back when it returns. Nobody is asked
// anew what they hold, which could be done only once a second.
TEST(Reload, machines_are_known_though_their_names_move) {
  World world({.nodes = 3});
  const auto reload = [&](std::size_t first) {
    GatewaySetup setup = world.setup();
    setup.nodes.erase(setup.nodes.begin(), setup.nodes.begin() + static_cast<std::ptrdiff_t>(first));
    for (std::size_t i = 0; i < setup.nodes.size(); ++i) setup.nodes[i].name = "node-" + std::to_string(i + 1);
    world.gateway->apply(std::move(setup));
  };
  for (const std::size_t first : {1UZ, 0UZ, 1UZ, 2UZ}) {
    reload(first);
    const auto got = world.send(post(kChatPath, kChat, "Connection: close\r\n"));
    ASSERT_TRUE(world.finish());
    EXPECT_EQ(got->status(), "HTTP/1.1 200") << first;
    EXPECT_EQ(world.status()["nodes"][0]["name"], "node-1");
  }
  world.expect_at_rest();
}

// Two prompts with 2 KiB in common and one of another session, in a log that may say so and in one that may not.
TEST(AccessLog, says_how_prompts_begin_where_it_has_a_key) {
  const auto chat = [](std::string_view text, std::string_view session) {
    std::string request =
        post(kChatPath, fmt::format(R"({{"model":"m","messages":[{{"role":"user","content":"{}"}}]}})", text));
    return request.insert(request.find("\r\n") + 2, fmt::format("X-Session-Id: {}\r\n", session));
  };
  const std::string common(2'500, 'x');
  for (const bool has_key : {true, false}) {
    World world({.log_key = has_key ? std::optional(api::LogKey({1, 2, 3})) : std::nullopt});
    world.nodes[0]->play({{Send{whole(done_line())}}, {Send{whole(done_line())}}});
    world.nodes[1]->play({{Send{whole(done_line())}}, {Send{whole(done_line())}}});
    for (const auto& [end, session] : {std::pair('a', "one"), std::pair('b', "two")}) {
      world.send(chat(common + std::string(1'000, end), session));
      ASSERT_TRUE(world.finish());
    }
    const std::vector<Json> lines = world.log();
    ASSERT_EQ(lines.size(), 2U);
    if (!has_key) {
      EXPECT_FALSE(lines[0].contains("drover.prefix_hashes") || lines[0].contains("drover.session"));
      continue;
    }
    const Json& one = lines[0]["drover.prefix_hashes"];
    const Json& other = lines[1]["drover.prefix_hashes"];
    ASSERT_EQ(one.size(), 3U);
    EXPECT_EQ(one[1], other[1]);
    EXPECT_NE(one[2], other[2]);
    EXPECT_NE(lines[0]["drover.session"], lines[1]["drover.session"]);
    EXPECT_EQ(lines[0].dump().find("xxxx"), std::string::npos);
  }
}

}  // namespace
}  // namespace drover::gateway::test
