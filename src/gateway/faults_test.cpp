// What goes wrong on the side of the nodes, and what the client gets: rows of the fault matrix, whole gateway,
// simulated world. A "row" is a row of that matrix.
#include <gtest/gtest.h>

#include <array>

#include "gateway/test_world.h"

namespace drover::gateway::test {
namespace {

const std::string kChatPath = "/api/chat";

struct NodeFault {
  std::string_view name;
  Script script;            // of the first node that is asked
  std::string_view status;  // of the answer
  std::string_view reason;  // x-drover-reason; empty: none
  std::size_t asked;        // attempts over all nodes
  // What counts it: an outcome of upstream_attempts on the first node, and a kind of upstream_anomalies; empty: none.
  std::string_view attempt;
  std::string_view anomaly = "";
};

std::uint64_t attempts(const World& world, std::string_view outcome) {
  std::uint64_t count = 0;
  for (const auto& node : world.nodes) {
    count += world.counted(
        fmt::format("drover_upstream_attempts_total{{node=\"{}\",outcome=\"{}\"}}", node->name(), outcome));
  }
  return count;
}

std::uint64_t anomalies(const World& world, std::string_view kind) {
  return world.counted(fmt::format("drover_upstream_anomalies_total{{kind=\"{}\"}}", kind));
}

std::string header(const Got& got, std::string_view name) {
  const auto at = got.bytes.find(fmt::format("\r\n{}: ", name));
  if (at == std::string::npos) return {};
  const auto begin = at + name.size() + 4;
  return got.bytes.substr(begin, got.bytes.find("\r\n", begin) - begin);
}

// Faults before the first byte that another node may mend.
TEST(Faults, what_may_be_repeated_is_answered_by_another_node) {
  const NodeFault faults[] = {
      {"row_03_reset_before_headers", {Reset{}}, "HTTP/1.1 200", "", 2, "reset_pre"},
      {"row_04_closed_before_headers", {Close{}}, "HTTP/1.1 200", "", 2, "eof_pre"},
      {"row_11_server_busy",
       {Send{whole(R"({"error":"server busy, please try again.  maximum pending requests exceeded"})", 503)}},
       "HTTP/1.1 200",
       "",
       2,
       "busy"},
      {"row_14_model_gone", {Send{whole(R"({"error":"model 'm' not found"})", 404)}}, "HTTP/1.1 200", "", 2, "4xx"},
      {"runner_died",
       {Send{whole(R"({"error":"model runner has unexpectedly stopped, this may be due to resource limitations"})",
                   500)}},
       "HTTP/1.1 200",
       "",
       2,
       "5xx"},
      {"head_sent_early_then_reset", {Send{stream_head()}, Pause{50ms}, Reset{}}, "HTTP/1.1 200", "", 2, "reset_pre"},
  };
  for (const NodeFault& fault : faults) {
    World world;
    for (auto& node : world.nodes) node->play({fault.script, chat_stream(3)});
    // Both nodes fail their first request; so the third attempt is a second one on the first node, or there is none.
    world.nodes[1]->play({chat_stream(3)});
    const auto got = world.send(post(kChatPath, kChat));
    // Whichever node is asked first: make sure the faulty one is.
    ASSERT_TRUE(world.run_until([&] { return got->bytes.find(kEnd) != std::string::npos; }, 1min))
        << fault.name << got->bytes;
    EXPECT_EQ(got->status(), fault.status) << fault.name;
    EXPECT_EQ(world.nodes[0]->seen().size() + world.nodes[1]->seen().size(), fault.asked) << fault.name;
    EXPECT_EQ(header(*got, "x-drover-node"), "b") << fault.name;
    EXPECT_EQ(attempts(world, fault.attempt), 1U) << fault.name;
    world.clients.cancel_all();
    world.expect_at_rest();
  }
}

// Faults that no second attempt may mend, or that no node is left for.
TEST(Faults, what_may_not_be_repeated_is_told) {
  const std::string html = whole("<html>Bad Gateway</html>", 200, "text/html");
  std::string many_interim;
  for (int i = 0; i < 9; ++i) many_interim += "HTTP/1.1 102 Processing\r\n\r\n";
  const NodeFault faults[] = {
      {"row_13_500_with_json_passes_unchanged",
       {Send{whole(R"({"error":"boom"})", 500)}},
       "HTTP/1.1 500",
       "",
       1,
       "5xx"},
      {"400_passes_unchanged", {Send{whole(R"({"error":"bad"})", 400)}}, "HTTP/1.1 400", "", 1, "4xx"},
      {"row_16_html_page", {Send{html}}, "HTTP/1.1 502", "bad_upstream_response", 1, "bad_answer", "content_type"},
      {"row_16_html_error",
       {Send{whole("<html>", 502, "text/html")}},
       "HTTP/1.1 502",
       "bad_upstream_response",
       1,
       "bad_answer",
       "content_type"},
      {"row_22_bad_chunk_size",
       {Send{stream_head() + "zz\r\n"}},
       "HTTP/1.1 502",
       "bad_upstream_response",
       1,
       "bad_answer",
       "chunk_size"},
      {"row_25_two_lengths",
       {Send{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok"}},
       "HTTP/1.1 502",
       "bad_upstream_response",
       1,
       "bad_answer",
       "content_length"},
      {"row_28_too_many_interim_heads",
       {Send{many_interim + whole("{}")}},
       "HTTP/1.1 502",
       "bad_upstream_response",
       1,
       "bad_answer",
       "interim"},
      {"row_29_switching_protocols",
       {Send{"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"}},
       "HTTP/1.1 502",
       "bad_upstream_response",
       1,
       "bad_answer",
       "switching_protocols"},
      {"row_30_header_too_large",
       {Send{"HTTP/1.1 200 OK\r\nX: " + std::string(100'000, 'x') + "\r\n\r\n"}},
       "HTTP/1.1 502",
       "upstream_headers",
       1,
       "bad_answer",
       "headers"},
      {"row_31_garbage",
       {Send{"hello there, this is no HTTP\r\n\r\n"}},
       "HTTP/1.1 502",
       "bad_upstream_response",
       1,
       "bad_answer",
       "first_line"},
  };
  for (const NodeFault& fault : faults) {
    World world;
    for (auto& node : world.nodes) node->play({fault.script});
    const auto got = world.send(post(kChatPath, kChat), 5s);
    ASSERT_TRUE(world.finish()) << fault.name;
    EXPECT_EQ(got->status(), fault.status) << fault.name << "\n" << got->bytes;
    EXPECT_EQ(header(*got, "x-drover-reason"), fault.reason) << fault.name;
    EXPECT_EQ(world.nodes[0]->seen().size() + world.nodes[1]->seen().size(), fault.asked) << fault.name;
    EXPECT_EQ(attempts(world, fault.attempt), 1U) << fault.name;
    if (!fault.anomaly.empty()) EXPECT_GE(anomalies(world, fault.anomaly), 1U) << fault.name;
    world.expect_at_rest();
  }
}

TEST(Faults, row_01_a_refused_connection_goes_to_another_node_and_none_left_is_503) {
  World world;
  world.nodes[0]->kill();
  world.run_for(10ms);
  for (int i = 0; i < 5; ++i) {
    const auto got = world.send(post(kChatPath, kChat), 1s);
    ASSERT_TRUE(world.finish());
    EXPECT_EQ(got->status(), "HTTP/1.1 200") << i;
  }
  world.nodes[1]->kill();
  world.run_for(10ms);
  const auto got = world.send(post(kChatPath, kChat), 10s);
  ASSERT_TRUE(world.finish());
  EXPECT_EQ(got->status(), "HTTP/1.1 503") << got->bytes;
  EXPECT_EQ(header(*got, "x-drover-reason"), "no_backend");
  EXPECT_NE(header(*got, "Retry-After"), "");
  EXPECT_GE(attempts(world, "refused"), 1U);
  world.expect_at_rest();
}

TEST(Faults, row_02_a_blackhole_costs_the_connect_timeout_and_no_request) {
  for (const std::size_t blackholes : {1U, 2U}) {
    World world;
    for (std::size_t i = 0; i < blackholes; ++i) {
      world.world.set_reach(world.nodes[i]->endpoint(), net::Reach::blackhole);
    }
    const auto got = world.send(post(kChatPath, kChat), 20s);
    ASSERT_TRUE(world.finish());
    EXPECT_EQ(got->status(), blackholes == 1 ? "HTTP/1.1 200" : "HTTP/1.1 504") << got->bytes;
    EXPECT_EQ(attempts(world, "connect_timeout"), blackholes);
    world.expect_at_rest();
  }
}

TEST(Faults, row_01_an_outage_is_known_within_seconds_and_so_is_its_end) {
  World world;  // probes are five seconds apart
  const auto time_until = [&](std::string_view health) {
    const Mono begin = world.now();
    world.run_until([&] { return world.status()["nodes"][0]["health"] == health; }, 1min);
    return world.now() - begin;
  };
  world.nodes[0]->kill();
  EXPECT_LE(time_until("offline"), 8s) << "three probes, of which only the first comes after the long interval";
  world.nodes[0]->revive();
  EXPECT_LE(time_until("recovering"), 3s);
  EXPECT_LE(time_until("stable"), 8s);
  world.expect_at_rest();
}

TEST(Faults, row_107_a_node_on_trial_answers_the_gateway_before_it_gets_clients) {
  const std::string answer = R"({"model":"m","response":" 4","done":true,"eval_count":4})";
  struct Case {
    Script script;
    std::string_view verdict, health;
  };
  const Case kCases[] = {
      {{Send{whole(answer)}}, "passed", "recovering"},
      {{Send{whole(R"({"model":"m","response":"","done":false})")}}, "failed", "offline"},
      {{Send{whole(R"({"error":"boom"})", 503)}}, "failed", "offline"},
      {{Close{}}, "failed", "offline"},
      {{Hang{}}, "unclear", "recovering"},
  };
  for (const Case& test : kCases) {
    World world({.change = [](GatewaySetup& setup) {
      setup.scheduler.health.trial = true;
      setup.scheduler.health.consecutive_failures = 1;
    }});
    world.nodes[0]->play({{Send{whole(R"({"error":"boom"})", 503)}}, test.script});
    for (int i = 0; i < 2; ++i) world.send(post(kChatPath, kChat, "Connection: close\r\n"));
    ASSERT_TRUE(world.finish());
    EXPECT_EQ(world.status()["nodes"][0]["health"], "offline");
    ASSERT_TRUE(world.run_until([&] { return world.nodes[0]->seen().size() > 1; }));
    EXPECT_EQ(world.nodes[0]->seen()[1].path, "/api/generate");
    EXPECT_EQ(world.nodes[0]->seen()[1].body,
              R"({"model":"m:latest","prompt":"1 2 3","raw":true,"stream":false,"options":{"num_predict":4}})");
    const std::string series = fmt::format(R"(drover_node_trials_total{{node="a",verdict="{}"}})", test.verdict);
    ASSERT_TRUE(world.run_until([&] { return world.counted(series) == 1; }, 1min)) << test.verdict;
    EXPECT_EQ(world.status()["nodes"][0]["health"], test.health) << test.verdict;
    world.expect_at_rest();
  }
}

std::string report_of(double busy) {
  return fmt::format(R"({{"gpus":[{{"name":"x","busy":{},"memory_free":100,"memory_total":400}}]}})", busy);
}

WorldOptions with_agents() {
  return {.change = [](GatewaySetup& setup) {
    for (fleet::NodeSpec& node : setup.nodes) node.agent = node.url;
    setup.scheduler.policy = balance::PolicyKind::gpu_score;
  }};
}

TEST(Faults, requests_follow_what_agents_report_of_gpus) {
  World world(with_agents());
  for (const std::size_t idle : {0U, 1U}) {
    world.nodes[idle]->report(report_of(0.1));
    world.nodes[1 - idle]->report(report_of(0.9));
    world.run_for(2s);
    const std::size_t before = world.nodes[idle]->seen().size();
    for (int i = 0; i < 2; ++i) world.send(post(kChatPath, kChat));
    ASSERT_TRUE(world.finish());
    EXPECT_EQ(world.nodes[idle]->seen().size() - before, 2U) << "equal by the gateway's own counts";
  }
  EXPECT_EQ(world.log().back()["drover.picked"], "gpu_score");
  world.expect_at_rest();
}

TEST(Faults, a_first_request_goes_to_the_better_card_that_an_agent_reports) {
  constexpr std::string_view kReport = R"({{"gpus":[{{"name":"{}","busy":0,"memory_free":100,"memory_total":400}}]}})";
  for (const std::size_t better : {0U, 1U}) {
    World world({.change = [](GatewaySetup& setup) {
      for (fleet::NodeSpec& node : setup.nodes) node.agent = node.url;
      setup.scheduler.policy = balance::PolicyKind::earliest_finish;
    }});
    world.nodes[better]->report(fmt::format(kReport, "NVIDIA GeForce RTX 4090"));
    world.nodes[1 - better]->report(fmt::format(kReport, "Tesla T4"));
    world.run_for(2s);
    world.send(post(kChatPath, kChat));
    ASSERT_TRUE(world.finish());
    EXPECT_EQ(world.nodes[better]->seen().size(), 1U);
    world.expect_at_rest();
  }
}

TEST(Faults, row_108_a_wrong_report_of_gpus_is_not_used_and_does_the_node_no_harm) {
  World world(with_agents());
  world.nodes[0]->report(report_of(0.25));
  world.run_for(10s);
  const Json node = world.status()["nodes"][0];
  EXPECT_EQ(node["gpu"]["busy"], 0.25);
  EXPECT_EQ(node["gpu"]["memory_free"], 100);
  EXPECT_EQ(node["gpu"]["gpus"][0]["name"], "x");
  EXPECT_FALSE(world.status()["nodes"][1].contains("gpu"));
  EXPECT_EQ(world.counted(R"(drover_node_gpu_memory_bytes{node="a"})"), 400U);
  world.nodes[0]->report(report_of(42));
  world.run_for(3s);
  EXPECT_EQ(world.counted(R"(drover_node_gpu_memory_bytes{node="a"})"), 400U) << "the one before is still fresh";
  world.run_for(3s);
  EXPECT_EQ(world.counted(R"(drover_node_gpu_memory_bytes{node="a"})"), 0U);
  EXPECT_EQ(world.status()["nodes"][0]["health"], "stable");
  const auto got = world.send(post(kChatPath, kChat));
  ASSERT_TRUE(world.finish());
  EXPECT_EQ(got->status(), "HTTP/1.1 200");
  world.expect_at_rest();
}

// A client that goes round the gateway, and whose answer takes so long.
net::Task<> use_node(World& world, const FakeNode& node, Duration time) {
  auto dialled = co_await world.network.dial(node.endpoint(), kNever);
  if (dialled && (*dialled)->write(post(kChatPath, kChat))) co_await net::sleep_until(world.loop.now() + time);
}

TEST(Faults, a_model_that_starts_nothing_any_more_is_unloaded_and_its_requests_are_served) {
  World world({.nodes = 1, .slots = 2});
  const Script unloads{Send{whole(R"({"model":"m","done":true,"done_reason":"unload"})")}};
  const Script loads{Send{whole(R"({"model":"m","done":true,"done_reason":"load"})")}};
  world.nodes[0]->play({{Hang{}}, {Hang{}}, unloads, loads, chat_stream(3)});
  std::vector<std::shared_ptr<Got>> got;
  for (int i = 0; i < 3; ++i) got.push_back(world.send(post(kChatPath, kChat)));
  ASSERT_TRUE(world.finish(5min));
  for (const auto& each : got) EXPECT_EQ(each->status(), "HTTP/1.1 200") << each->bytes;
  const auto& seen = world.nodes[0]->seen();
  ASSERT_EQ(seen.size(), 7U);
  EXPECT_EQ(seen[2].body, R"({"model":"m:latest","keep_alive":0})");
  EXPECT_GE(seen[2].came - *seen[1].left, 1s);
  EXPECT_LE(seen[2].came - *seen[0].left, 10s) << "soon after the last one was taken back";
  EXPECT_EQ(world.counted(R"(drover_leaked_slots_total{node="a"})"), 1U);
  EXPECT_EQ(world.status()["nodes"][0]["health"], "stable");
  EXPECT_EQ(attempts(world, "timeout_pre"), 2U);
  world.expect_at_rest();
}

TEST(Faults, an_answer_whose_head_has_come_has_its_slot_however_long_it_says_nothing) {
  World world({.nodes = 1, .slots = 1});
  world.nodes[0]->play({{Send{stream_head()}, Pause{3min}, Send{chunk(token_line(0)) + chunk(done_line()) + kEnd}}});
  const auto got = world.send(post(kChatPath, kChat));
  ASSERT_TRUE(world.finish(10min));
  bool whole = false;
  EXPECT_EQ(got->body(&whole), token_line(0) + done_line());
  EXPECT_TRUE(whole);
  EXPECT_EQ(world.nodes[0]->seen().size(), 1U) << "asked once, and not told to unload its model";
  EXPECT_EQ(world.counted(R"(drover_leaked_slots_total{node="a"})"), 0U);
  world.expect_at_rest();
}

TEST(Faults, a_model_that_somebody_else_uses_is_not_unloaded) {
  World world({.nodes = 1, .slots = 1});
  world.nodes[0]->play({{Hang{}}, {Hang{}}, chat_stream(3)});
  world.clients.spawn(use_node(world, *world.nodes[0], 3min));
  world.run_for(1s);
  const auto got = world.send(post(kChatPath, kChat));
  ASSERT_TRUE(world.finish(10min));
  EXPECT_EQ(got->status(), "HTTP/1.1 200") << got->bytes;
  EXPECT_EQ(world.nodes[0]->seen().size(), 3U) << "taken back, and asked again";
  EXPECT_EQ(world.counted(R"(drover_leaked_slots_total{node="a"})"), 0U);
  world.expect_at_rest();
}

TEST(Faults, row_04_a_stale_pooled_connection_is_replaced_on_the_same_node) {
  World world({.nodes = 1});
  const auto first = world.send(post(kChatPath, kChat, "Connection: close\r\n"));
  ASSERT_TRUE(world.finish());
  EXPECT_EQ(first->status(), "HTTP/1.1 200");
  world.nodes[0]->play({chat_stream(3), {Close{}}, chat_stream(3)});
  const auto second = world.send(post(kChatPath, kChat, "Connection: close\r\n"));
  ASSERT_TRUE(world.finish());
  EXPECT_EQ(second->status(), "HTTP/1.1 200") << second->bytes;
  EXPECT_EQ(world.nodes[0]->seen().size(), 3U);
  EXPECT_EQ(world.status()["nodes"][0]["health"], "stable");
  EXPECT_EQ(attempts(world, "stale"), 1U);
  world.expect_at_rest();
}

TEST(Faults, row_88_a_lack_of_descriptors_is_no_fault_of_the_nodes) {
  World world({.nodes = 1});
  const auto got = world.send_in_drops(post(kChatPath, kChat), 10ms);
  world.run_for(100ms);
  world.network.lack_descriptors(world.now() + 1min);
  ASSERT_TRUE(world.run_until([&] { return !got->bytes.empty(); }, 1min));
  EXPECT_EQ(got->status(), "HTTP/1.1 503");
  EXPECT_EQ(header(*got, "x-drover-reason"), "no_backend");
  EXPECT_FALSE(header(*got, "Retry-After").empty());
  world.run_for(1min);
  const auto after = world.send(post(kChatPath, kChat, "Connection: close\r\n"), 100ms);
  ASSERT_TRUE(world.finish());
  EXPECT_EQ(after->status(), "HTTP/1.1 200") << "no node went offline for it";
  world.expect_at_rest();
}

TEST(Faults, row_08_a_name_that_moves_is_followed_and_one_that_stops_resolving_keeps_its_address) {
  FakeResolver names;
  names.address = net::parse_ip("10.0.0.1", 0);
  World world({.change =
                   [](GatewaySetup& setup) {
                     setup.nodes.resize(1);
                     setup.nodes[0].url.host = "gpu-1";
                   },
               .resolver = &names});
  const auto ask = [&] {
    const auto got = world.send(post(kChatPath, kChat, "Connection: close\r\n"), 10s);
    EXPECT_TRUE(world.finish());
    return got->status();
  };
  EXPECT_EQ(ask(), "HTTP/1.1 200");
  EXPECT_EQ(world.nodes[0]->seen().size(), 1U);
  names.address.reset();
  world.run_for(10min);
  EXPECT_EQ(ask(), "HTTP/1.1 200") << "the last good address is kept";
  EXPECT_EQ(world.nodes[0]->seen().size(), 2U);
  names.address = net::parse_ip("10.0.0.2", 0);
  world.run_for(1min);
  EXPECT_EQ(ask(), "HTTP/1.1 200");
  EXPECT_EQ(world.nodes[1]->seen().size(), 1U) << "the new address is used";
  names.address.reset();
  world.run_for(2h);
  EXPECT_EQ(ask(), "HTTP/1.1 503") << "but not for ever";
  for (const std::string_view result : {"ok", "moved", "kept", "failed"}) {
    EXPECT_GE(world.counted(fmt::format("drover_name_lookups_total{{result=\"{}\"}}", result)), 1U) << result;
  }
  world.expect_at_rest();
}

TEST(Faults, row_09_a_name_that_points_at_this_machine_is_no_node) {
  FakeResolver names;
  names.address = net::parse_ip("127.0.0.1", 0);
  World world({.change = [](GatewaySetup& setup) { setup.nodes[0].url.host = "gpu-1"; }, .resolver = &names});
  const Json status = world.status();
  EXPECT_FALSE(status["nodes"][0]["reachable"]);
  EXPECT_NE(status["nodes"][0]["error"].get<std::string>().find("resolves to 127.0.0.1"), std::string::npos);
  EXPECT_GE(world.counted(R"(drover_name_lookups_total{result="rejected"})"), 1U);
}

TEST(Faults, a_node_that_dies_under_its_pooled_connections_fails_no_request) {
  World world;
  for (int i = 0; i < 2; ++i) world.send(post(kChatPath, kChat, "Connection: close\r\n"), 1min);
  ASSERT_TRUE(world.finish());
  // Both nodes have a pooled connection now; a's breaks, and so does the dial that would replace it.
  world.nodes[0]->play({chat_stream(1), {Reset{}}});
  world.world.set_reach(world.nodes[0]->endpoint(), net::Reach::reset);
  const std::array both{world.send(post(kChatPath, kChat, "Connection: close\r\n"), 1min),
                        world.send(post(kChatPath, kChat, "Connection: close\r\n"), 1min)};
  ASSERT_TRUE(world.finish());
  EXPECT_EQ(world.nodes[0]->seen().size(), 2U) << "one of them met the dying node";
  for (const auto& got : both) EXPECT_EQ(got->status(), "HTTP/1.1 200") << got->bytes;
  world.expect_at_rest();
}

TEST(Faults, a_reset_that_a_read_meets_before_the_poller_does_frees_the_slot_for_the_retry) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    // The head comes, the reset is there, and by most seeds nobody has told the loop yet.
    World world({.seed = seed, .network = {.notice = 5ms, .spurious = 1}});
    for (const auto& node : world.nodes) node->play({{Send{stream_head()}, Reset{}}});
    const auto got = world.send(post(kChatPath, kChat), 5s);
    ASSERT_TRUE(world.finish());
    EXPECT_EQ(got->status(), "HTTP/1.1 502");
    EXPECT_EQ(attempts(world, "reset_pre"), 2U);
    world.expect_at_rest();
  }
}

// Every five seconds somebody looks whether its node is alive, and each time a probe has just failed. In between it is.
TEST(Faults, a_node_that_fails_a_probe_now_and_then_is_not_given_up) {
  World world({.nodes = 1, .change = [](GatewaySetup& setup) {
                 setup.settings.probe_interval = 1s;
                 setup.settings.probe = 500ms;
               }});
  world.nodes[0]->play({{Pause{40s}, Send{whole(done_line())}}});
  const auto got = world.send(post(kChatPath, kChat));
  world.run_for(200ms);
  for (int i = 0; i < 7; ++i) {
    world.run_for(2800ms);
    world.nodes[0]->freeze(true);
    world.run_for(2200ms);
    world.nodes[0]->freeze(false);
  }
  ASSERT_TRUE(world.finish());
  EXPECT_EQ(got->status(), "HTTP/1.1 200") << got->bytes;
  world.expect_at_rest();
}

TEST(Faults, row_05_a_node_that_never_answers_ends_with_its_probes_or_the_deadline) {
  {
    // Its probes pass: it may be loading. Only the deadline of the request ends the wait.
    World world({.nodes = 1, .change = [](GatewaySetup& setup) { setup.settings.request = 1min; }});
    world.nodes[0]->play({{Hang{}}});
    const auto got = world.send(post(kChatPath, kChat), 5min);
    ASSERT_TRUE(world.run_until([&] { return !got->bytes.empty(); }, 10min));
    EXPECT_EQ(got->status(), "HTTP/1.1 504") << got->bytes;
    EXPECT_GE(world.now(), Mono{} + 1min);
    world.clients.cancel_all();
    world.expect_at_rest();
  }
  {
    // Its probes fail: it is dead, and nobody knows what it did with the request, so it is not repeated.
    World world;
    for (auto& node : world.nodes) node->play({{Hang{}}});
    const auto got = world.send(post(kChatPath, kChat), 5min);
    world.run_for(1s);
    for (auto& node : world.nodes) node->freeze(true);
    ASSERT_TRUE(world.run_until([&] { return !got->bytes.empty(); }, 5min));
    EXPECT_EQ(got->status(), "HTTP/1.1 504") << got->bytes;
    EXPECT_EQ(header(*got, "x-drover-reason"), "first_byte_timeout");
    EXPECT_EQ(world.nodes[0]->seen().size() + world.nodes[1]->seen().size(), 1U);
    EXPECT_LT(world.now(), Mono{} + 1min);
    world.clients.cancel_all();
    world.expect_at_rest();
  }
}

TEST(Faults, row_24_length_and_chunked_the_chunks_win_and_the_connection_is_not_reused) {
  World world({.nodes = 1});
  world.nodes[0]->play({{Send{"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nContent-Length: 5\r\n"
                              "Transfer-Encoding: chunked\r\n\r\n" +
                              chunk(done_line()) + kEnd}},
                        chat_stream(1)});
  for (int i = 0; i < 2; ++i) {
    const auto got = world.send(post(kChatPath, kChat), 1s);
    ASSERT_TRUE(world.finish());
    EXPECT_TRUE(got->status() == "HTTP/1.1 200" || got->status() == "HTTP/1.1 502") << got->bytes;
  }
  world.expect_at_rest();
}

TEST(Faults, row_26_and_40_bytes_behind_an_answer_are_dropped_with_their_connection) {
  World world({.nodes = 1});
  const std::string smuggled = whole(R"({"evil":true})");
  world.nodes[0]->play({{Send{stream_head() + chunk(done_line()) + kEnd + smuggled}}, chat_stream(1)});
  for (int i = 0; i < 2; ++i) {
    const auto got = world.send(post(kChatPath, kChat), 1s);
    ASSERT_TRUE(world.finish());
    EXPECT_EQ(got->status(), "HTTP/1.1 200");
    EXPECT_EQ(got->bytes.find("evil"), std::string::npos);
  }
  EXPECT_EQ(anomalies(world, "trailing_bytes"), 1U);
  world.expect_at_rest();
}

TEST(Faults, row_27_an_unsolicited_answer_on_an_idle_connection_is_never_used) {
  World world({.nodes = 1});
  Script late = chat_stream(1);
  late.push_back(Pause{500ms});
  late.push_back(Send{whole("{}", 408)});
  world.nodes[0]->play({late, chat_stream(2)});
  const auto first = world.send(post(kChatPath, kChat), 200ms);
  ASSERT_TRUE(world.finish());
  world.run_for(1s);
  const auto second = world.send(post(kChatPath, kChat), 1s);
  ASSERT_TRUE(world.finish());
  EXPECT_EQ(second->status(), "HTTP/1.1 200");
  EXPECT_NE(second->bytes.find("t1 "), std::string::npos);
  EXPECT_EQ(anomalies(world, "unsolicited"), 1U);
  world.expect_at_rest();
}

// ---- after the first byte
// --------------------------------------------------------------------------------------------

struct CutCase {
  std::string_view name;
  Script tail;  // after two tokens
};

const CutCase kCuts[] = {
    {"row_17_reset", {Pause{20ms}, Reset{}}},
    {"row_18_fin_without_last_chunk", {Pause{20ms}, Close{}}},
    {"row_22_garbage_chunk", {Send{"xyz\r\n"}}},
    {"row_23_endless_extension", {Send{"5;" + std::string(5000, 'x')}}},
    {"row_36_clean_end_without_terminator", {Send{kEnd}}},
    {"fin_inside_a_line", {Send{chunk(R"({"model":"m","mess)")}, Pause{20ms}, Close{}}},
};

TEST(Faults, a_cut_stream_ends_with_an_error_frame_and_unclean_in_both_dialects) {
  for (const CutCase& cut : kCuts) {
    World world;
    Script script{Send{stream_head() + chunk(token_line(0))}, Send{chunk(token_line(1))}};
    script.insert(script.end(), cut.tail.begin(), cut.tail.end());
    for (auto& node : world.nodes) node->play({script});
    const auto got = world.send(post(kChatPath, kChat), 30s);
    ASSERT_TRUE(world.run_until([&] { return got->ended || got->broke; }, 1min)) << cut.name;
    bool clean = true;
    const std::string body = got->body(&clean);
    EXPECT_FALSE(clean) << cut.name;
    EXPECT_EQ(body.find(token_line(0) + token_line(1) + R"({"error":")"), 0U) << cut.name << ": " << body;
    EXPECT_TRUE(body.ends_with("}\n")) << cut.name << ": " << body;
    EXPECT_EQ(world.nodes[0]->seen().size() + world.nodes[1]->seen().size(), 1U) << cut.name << ": never repeated";
    world.expect_at_rest();
    EXPECT_EQ(world.log().back()["drover.outcome"], "truncated") << cut.name << world.access_log;
  }
}

TEST(Faults, a_cut_openai_stream_ends_with_an_error_event_and_without_done) {
  World world;
  const std::string event =
      R"(data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"x"},"finish_reason":null}]})"
      "\n\n";
  for (auto& node : world.nodes) {
    node->play({{Send{stream_head("text/event-stream") + chunk(event)}, Pause{20ms}, Reset{}}});
  }
  const auto got = world.send(
      post("/v1/chat/completions", R"({"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]})"), 30s);
  ASSERT_TRUE(world.run_until([&] { return got->ended || got->broke; }, 1min));
  bool clean = true;
  const std::string body = got->body(&clean);
  EXPECT_FALSE(clean);
  EXPECT_EQ(body.find(event + R"(data: {"error":{)"), 0U) << body;
  EXPECT_EQ(body.find("[DONE]"), std::string::npos);
  world.expect_at_rest();
}

TEST(Faults, row_19_a_body_short_of_its_length_is_cut_short_for_the_client_too) {
  World world;
  for (auto& node : world.nodes) {
    node->play({{Send{"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"model\":"},
                 Pause{20ms}, Close{}}});
  }
  const auto got =
      world.send(post(kChatPath, R"({"model":"m","stream":false,"messages":[{"role":"user","content":"hi"}]})"), 30s);
  ASSERT_TRUE(world.run_until([&] { return got->ended || got->broke; }, 1min));
  EXPECT_EQ(got->body(), "{\"model\":");
  world.expect_at_rest();
  EXPECT_EQ(world.log().back()["drover.outcome"], "truncated");
}

TEST(Faults, row_19_no_error_frame_stands_inside_one_object) {
  World world;
  for (auto& node : world.nodes) {
    node->play({{Send{stream_head("application/json") + chunk(R"({"embeddings":[[1,2)")}, Pause{20ms}, Close{}}});
  }
  const auto got = world.send(post("/api/embed", R"({"model":"m","input":"hi"})"), 30s);
  ASSERT_TRUE(world.run_until([&] { return got->ended || got->broke; }, 1min));
  bool clean = true;
  EXPECT_EQ(got->body(&clean), R"({"embeddings":[[1,2)");
  EXPECT_FALSE(clean);
  world.expect_at_rest();
}

TEST(Faults, row_36_a_stream_with_a_length_and_no_terminator_has_no_proper_end) {
  for (const std::string& text : {std::string(), token_line(0)}) {
    World world({.nodes = 1});
    world.nodes[0]->play({{Send{whole(text, 200, "application/x-ndjson")}}});
    const auto got = world.send(post(kChatPath, kChat), 30s);
    ASSERT_TRUE(world.run_until([&] { return got->ended || got->broke; }, 1min));
    bool clean = true;
    got->body(&clean);
    EXPECT_FALSE(clean) << got->bytes;
    world.expect_at_rest();
    EXPECT_EQ(world.log().back()["drover.outcome"], "truncated");
  }
}

TEST(Faults, a_relay_ends_with_the_deadline_also_while_its_client_is_slow) {
  World world({.nodes = 1, .change = [](GatewaySetup& setup) {
                 setup.settings.request = 8s;
                 setup.settings.stream_buffer = 64_KiB;
               }});
  Script script{Send{stream_head()}};
  for (int i = 0; i < 40; ++i) script.push_back(Send{chunk(std::string(10'000, 'x') + "\n")});
  script.push_back(Hang{});
  world.nodes[0]->play({script});
  const auto got = world.send_and_never_read(post(kChatPath, kChat), 30s);
  ASSERT_TRUE(world.finish());
  world.expect_at_rest();
  EXPECT_EQ(world.log().back()["drover.reason"], "deadline");
  EXPECT_NEAR(world.log().back()["event.duration"].get<double>() / 1e9, 8, 0.1);
}

TEST(Faults, row_04_a_pooled_connection_that_carried_a_head_was_not_stale) {
  World world({.nodes = 1});
  const std::string refusal = whole(R"({"error":"server busy, maximum pending requests exceeded"})", 503);
  world.nodes[0]->play(
      {chat_stream(1), {Send{refusal.substr(0, refusal.size() - 9)}, Pause{50ms}, Reset{}}, chat_stream(1)});
  for (int i = 0; i < 2; ++i) {
    world.send(post(kChatPath, kChat), 1s);
    ASSERT_TRUE(world.finish());
  }
  EXPECT_EQ(attempts(world, "stale"), 0U);
  EXPECT_EQ(attempts(world, "reset_pre"), 1U);
  world.expect_at_rest();
}

TEST(Faults, a_pool_that_keeps_no_connection_keeps_none) {
  World world({.nodes = 1, .change = [](GatewaySetup& setup) { setup.settings.kept_per_node = 0; }});
  for (int i = 0; i < 2; ++i) {
    const auto got = world.send(post(kChatPath, kChat), 1s);
    ASSERT_TRUE(world.finish());
    EXPECT_EQ(got->status(), "HTTP/1.1 200");
  }
  world.expect_at_rest();
}

TEST(Faults, row_05_a_late_notice_of_bytes_that_were_read_is_no_first_byte) {
  std::vector<Script> answers(10, chat_stream(1, 0ms));
  answers.push_back({Pause{20s}, Send{stream_head() + chunk(done_line()) + kEnd}});
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    World world({.nodes = 1, .seed = seed, .network = {.notice = 1ms}, .change = [](GatewaySetup& setup) {
                   setup.settings.silence = 3s;
                 }});
    world.nodes[0]->play(answers);
    std::string requests;
    for (std::size_t i = 0; i < answers.size(); ++i) requests += post(kChatPath, kChat);
    const auto got = world.send(requests, 1min);
    ASSERT_TRUE(world.finish());
    EXPECT_EQ(got->bytes.find("HTTP/1.1 504"), std::string::npos) << "seed " << seed;
    EXPECT_EQ(world.nodes[0]->seen().size(), answers.size());
    world.expect_at_rest();
  }
}

TEST(Faults, row_20_a_node_silent_within_its_head_is_no_deadline) {
  World world({.nodes = 1, .change = [](GatewaySetup& setup) { setup.settings.silence = 2s; }});
  world.nodes[0]->play({{Send{"HTTP/1.1 200 OK\r\nContent-"}, Hang{}}});
  const auto got = world.send(post(kChatPath, kChat), 1min);
  ASSERT_TRUE(world.run_until([&] { return got->ended || !got->bytes.empty(); }, 1min));
  EXPECT_EQ(got->status(), "HTTP/1.1 504");
  EXPECT_EQ(header(*got, "x-drover-reason"), "first_byte_timeout");
  world.clients.cancel_all();
  world.run_for(1s);
  world.expect_at_rest();
}

TEST(Faults, row_20_a_stalled_stream_is_cut_after_the_silence_and_the_node_freed) {
  World world({.nodes = 1});
  world.nodes[0]->play({{Send{stream_head() + chunk(token_line(0))}, Hang{}}});
  const auto got = world.send(post(kChatPath, kChat), 10min);
  const Mono began = world.now();
  ASSERT_TRUE(world.run_until([&] { return got->ended || got->broke; }, 10min));
  EXPECT_GE(world.now() - began, 120s);
  EXPECT_LE(world.now() - began, 122s);
  EXPECT_NE(got->body().find("{\"error\""), std::string::npos);
  world.run_for(1s);
  EXPECT_TRUE(world.nodes[0]->seen()[0].left);
  world.expect_at_rest();
}

TEST(Faults, row_20_silence_may_last_while_a_live_node_works_on_tools) {
  World world({.nodes = 1});
  Script script{Send{stream_head() + chunk(token_line(0))}, Pause{5min}, Send{chunk(done_line()) + kEnd}};
  world.nodes[0]->play({script});
  const auto got = world.send(
      post(kChatPath, R"({"model":"m","messages":[{"role":"user","content":"hi"}],"tools":[{"type":"function"}]})"),
      10min);
  ASSERT_TRUE(world.run_until([&] { return got->bytes.ends_with(kEnd) || got->ended || got->broke; }, 10min));
  EXPECT_TRUE(got->bytes.ends_with(kEnd)) << got->body();
  world.clients.cancel_all();
  world.expect_at_rest();
}

TEST(Faults, row_21_a_drip_is_allowed_until_the_longest_life_of_a_request) {
  World world({.nodes = 1, .change = [](GatewaySetup& setup) { setup.settings.request = 2min; }});
  Script script;
  for (int i = 0; i < 300; ++i) {
    script.push_back(Pause{1s});
    script.push_back(Send{(i == 0 ? stream_head() : "") + chunk(token_line(i))});
  }
  world.nodes[0]->play({script});
  const auto got = world.send(post(kChatPath, kChat), 10min);
  const Mono began = world.now();
  ASSERT_TRUE(world.run_until([&] { return got->ended || got->broke; }, 10min));
  EXPECT_GE(world.now() - began, 119s);
  EXPECT_LE(world.now() - began, 122s);
  EXPECT_NE(got->body().find("t100 "), std::string::npos);
  world.expect_at_rest();
}

TEST(Faults, row_12_a_429_passes_with_its_retry_after) {
  World world;
  const std::string answer =
      "HTTP/1.1 429 X\r\nContent-Type: application/json\r\nRetry-After: 7\r\nContent-Length: "
      "16\r\n\r\n{\"error\":\"slow\"}";
  for (auto& node : world.nodes) node->play({{Send{answer}}});
  const auto got = world.send(post(kChatPath, kChat), 1s);
  ASSERT_TRUE(world.finish());
  EXPECT_EQ(got->status(), "HTTP/1.1 429");
  EXPECT_EQ(header(*got, "Retry-After"), "7");
  EXPECT_EQ(world.nodes[0]->seen().size() + world.nodes[1]->seen().size(), 1U) << "not repeated";
  world.expect_at_rest();
}

TEST(Faults, row_32_and_33_a_compressed_answer_passes_as_it_is_and_is_never_decoded) {
  World world({.nodes = 1});
  const std::string garbage = "\x1f\x8b this is no gzip, and would be a bomb if it were";
  world.nodes[0]->play(
      {{Send{fmt::format("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n"
                         "Content-Length: {}\r\n\r\n{}",
                         garbage.size(), garbage)}}});
  const auto got = world.send(post(kChatPath, kChat), 1s);
  ASSERT_TRUE(world.finish());
  EXPECT_EQ(got->body(), garbage);
  EXPECT_EQ(header(*got, "Content-Encoding"), "gzip");
  EXPECT_NE(world.nodes[0]->seen()[0].head.find("Accept-Encoding: identity\r\n"), std::string::npos);
  world.expect_at_rest();
}

TEST(Faults, row_36_the_nodes_own_error_line_is_forwarded_and_then_the_connection_broken) {
  World world({.nodes = 1});
  const std::string line = R"({"error":"an error was encountered while running the model: unexpected EOF"})"
                           "\n";
  world.nodes[0]->play({{Send{stream_head() + chunk(token_line(0)) + chunk(line) + kEnd}}});
  const auto got = world.send(post(kChatPath, kChat), 30s);
  ASSERT_TRUE(world.run_until([&] { return got->ended || got->broke; }, 1min));
  bool clean = true;
  EXPECT_EQ(got->body(&clean), token_line(0) + line);
  EXPECT_FALSE(clean);
  world.expect_at_rest();
  EXPECT_EQ(world.log().back()["drover.outcome"], "failed");
}

TEST(Faults, row_36_one_object_that_is_not_done_passes_and_counts_as_truncated) {
  World world({.nodes = 1});
  const std::string object = R"({"model":"m","message":{"role":"assistant","content":"half"},"done":false})";
  world.nodes[0]->play({{Send{whole(object)}}});
  const auto got =
      world.send(post(kChatPath, R"({"model":"m","stream":false,"messages":[{"role":"user","content":"hi"}]})"), 1s);
  ASSERT_TRUE(world.finish());
  EXPECT_EQ(got->body(), object);
  world.expect_at_rest();
  EXPECT_EQ(world.log().back()["drover.outcome"], "truncated");
}

TEST(Faults, row_37_what_a_node_sends_behind_its_terminator_is_discarded) {
  World world({.nodes = 1});
  world.nodes[0]->play({{Send{stream_head() + chunk(token_line(0)) + chunk(done_line())}, Pause{100ms},
                         Send{chunk(token_line(9)) + kEnd}},
                        chat_stream(1)});
  for (int i = 0; i < 2; ++i) {
    const auto got = world.send(post(kChatPath, kChat), 1s);
    ASSERT_TRUE(world.finish());
    bool clean = false;
    EXPECT_EQ(got->body(&clean), token_line(0) + done_line());
    EXPECT_TRUE(clean);
  }
  world.expect_at_rest();
}

TEST(Faults, row_35_answers_arrive_byte_for_byte_however_the_node_cuts_them) {
  const std::string line =
      "{\"model\":\"m\",\"message\":{\"role\":\"assistant\",\"content\":\"\xe2\x82\xac\xf0\x9f\x98\x80 "
      "\\\"done\\\":true\"},\"done\":false}\n";
  const std::string all = line + line + done_line();
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    World world({.nodes = 1, .seed = seed, .network = {.jitter = 200us, .max_read = 1 + seed, .max_write = 7 * seed}});
    Script script{Send{stream_head()}};
    Random random(seed);
    for (std::size_t at = 0; at < all.size();) {
      const std::size_t size = std::min<std::size_t>(all.size() - at, 1 + random.below(40));
      script.push_back(Send{chunk(all.substr(at, size))});
      script.push_back(Pause{1ms});
      at += size;
    }
    script.push_back(Send{kEnd});
    world.nodes[0]->play({script});
    const auto got = world.send(post(kChatPath, kChat), 10s);
    ASSERT_TRUE(world.finish());
    bool clean = false;
    EXPECT_EQ(got->body(&clean), all) << "seed " << seed;
    EXPECT_TRUE(clean);
    world.expect_at_rest();
  }
}

TEST(Faults, row_34_a_line_of_ten_megabytes_passes_unaffected) {
  World world({.nodes = 1});
  const std::string line = R"({"model":"m","response":")" + std::string(10'000'000, 'x') + "\",\"done\":false}\n";
  world.nodes[0]->play({{Send{stream_head() + chunk(line)}, Send{chunk(done_line()) + kEnd}}});
  const auto got = world.send(post("/api/generate", R"({"model":"m","prompt":"x"})"), 1min);
  ASSERT_TRUE(world.run_until([&] { return got->bytes.ends_with(kEnd) || got->ended; }, 2min));
  bool clean = false;
  EXPECT_TRUE(got->body(&clean) == line + done_line());
  EXPECT_TRUE(clean);
  world.clients.cancel_all();
  world.expect_at_rest();
}

TEST(Faults, row_38_a_fast_node_is_not_read_while_its_client_is_slow) {
  World world({.nodes = 1});
  Script script{Send{stream_head()}};
  for (int i = 0; i < 100; ++i) script.push_back(Send{chunk(std::string(100'000, 'x') + "\n")});
  script.push_back(Hang{});
  world.nodes[0]->play({script});
  const auto got = world.send_and_never_read(post(kChatPath, kChat), 20s);
  world.run_for(10s);
  EXPECT_GT(world.gateway->buffers().used().value, 0U);
  EXPECT_LE(world.gateway->buffers().used().value, (1_MiB).value + 200'000);
  ASSERT_TRUE(world.finish());
  world.expect_at_rest();
  EXPECT_GE(world.counted("drover_stream_paused_total"), 1U);
}

}  // namespace
}  // namespace drover::gateway::test
