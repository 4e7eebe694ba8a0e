// What a node does between a request and its tokens, rule by rule; the names say which section has the rule.
#include <gtest/gtest.h>

#include <map>

#include "sim/node.h"
#include "sim/text.h"

namespace drover::sim {
namespace {

using namespace std::chrono_literals;

// A node of four models of equal size on a small card, of which two fit, and what came of each ask.
class World {
 public:
  struct Outcome {
    std::optional<Mono> ready;
    std::size_t tokens = 0;
    std::optional<Mono> finished;
    std::optional<Failure> failed;
    engine::JobUsage usage;
  };

  explicit World(NodeSettings changes = plain()) : settings(std::move(changes)), node(settings) {}

  static NodeSettings plain() {
    NodeSettings settings{.name = "n", .card = "small", .models = {}, .slots = 1, .context = 2'048};
    for (const char* name : {"a:1", "b:1", "c:1", "d:1"}) {
      ModelSettings model = *known_model("llama3.2:3b");
      model.spec.name = name;
      model.spec.weights = std::string(1, name[0]);
      model.spec.file = Bytes{2'500'000'000};
      settings.models.push_back(model);
    }
    return settings;
  }

  const ModelSettings& model(char name) const { return settings.models[static_cast<std::size_t>(name - 'a')]; }

  Ask ask(char name, std::uint32_t answer = 5, std::optional<Duration> keep_alive = std::nullopt) {
    Ask ask{.id = AskId{++last}, .model = &model(name), .options = {}, .keep_alive = keep_alive, .parts = {}};
    if (answer > 0) {
      ask.parts.push_back(
          {.prompt = {last, 2, 3}, .answer = answer, .token = [](std::uint32_t index) { return index; }});
    }
    return ask;
  }
  AskId submit(Ask wanted) {
    const AskId id = wanted.id;
    node.submit(std::move(wanted), now);
    return id;
  }
  AskId submit(char name, std::uint32_t answer = 5, std::optional<Duration> keep_alive = std::nullopt) {
    return submit(ask(name, answer, keep_alive));
  }
  Left leave(AskId id) { return node.leave(id, now); }

  void pass(Duration time) {
    now += time;
    for (NodeEvent& event : node.advance(now)) {
      Outcome& outcome = outcomes[event.ask];
      EXPECT_FALSE(outcome.finished || outcome.failed) << "an event after the end of ask " << event.ask.value;
      switch (event.kind) {
        case NodeEvent::Kind::ready: outcome.ready = event.at; break;
        case NodeEvent::Kind::token: ++outcome.tokens; break;
        case NodeEvent::Kind::finished:
          outcome.finished = event.at;
          outcome.usage = event.usage;
          break;
        case NodeEvent::Kind::failed: outcome.failed = event.failure; break;
      }
    }
  }
  bool finished(AskId id) { return outcomes[id].finished.has_value(); }
  std::string loaded() const {
    std::string names;
    for (const Running& each : node.running()) names += each.model->spec.name[0];
    return names;
  }

  NodeSettings settings;
  Node node;
  Mono now{};
  std::uint64_t last = 0;
  std::map<AskId, Outcome> outcomes;
};

TEST(Node, section_4_1_loads_a_cold_model_then_answers) {
  World world;
  const AskId id = world.submit('a');
  world.pass(1s);
  EXPECT_EQ(world.loaded(), "") << "a model that still loads is not listed";
  EXPECT_FALSE(world.outcomes[id].ready);
  world.pass(1min);
  EXPECT_TRUE(world.finished(id));
  EXPECT_EQ(world.outcomes[id].tokens, 5U);
  EXPECT_EQ(world.outcomes[id].ready, Mono{} + 1'600ms) << "0.6 s, and 2.5 GB at 2.5 GB a second";
  EXPECT_EQ(world.loaded(), "a");
}

TEST(Node, section_4_2_a_warm_model_takes_waiters_without_limit_and_never_says_busy) {
  World world;
  world.submit('a', 0);
  world.pass(1min);
  std::vector<AskId> ids;
  for (int i = 0; i < 2'000; ++i) ids.push_back(world.submit('a', 1));
  world.pass(1h);
  for (const AskId id : ids) ASSERT_TRUE(world.finished(id)) << id.value;
}

TEST(Node, section_4_2_says_busy_only_when_its_queue_of_loads_is_full) {
  NodeSettings settings = World::plain();
  settings.max_queue = 2;
  World world(settings);
  for (int i = 0; i < 3; ++i) world.submit('a', 1);
  const AskId refused = world.submit('a', 1);
  world.pass(0s);
  ASSERT_TRUE(world.outcomes[refused].failed) << "one in work and two waiting are taken, not one more";
  EXPECT_EQ(world.outcomes[refused].failed->status, 503);
  EXPECT_EQ(world.outcomes[refused].failed->message,
            "server busy, please try again.  maximum pending requests exceeded");
  world.pass(1min);
  EXPECT_TRUE(world.finished(AskId{3}));
}

TEST(Node, section_4_7_loads_one_at_a_time_and_the_head_of_the_queue_blocks_the_rest) {
  World world;
  const AskId first = world.submit('a', 1);
  const AskId second = world.submit('b', 1);
  const AskId third = world.submit('a', 1);
  world.pass(1h);
  EXPECT_EQ(*world.outcomes[second].ready - *world.outcomes[first].ready, 1'600ms);
  EXPECT_GE(*world.outcomes[third].ready, *world.outcomes[second].ready) << "though its model was there before";
}

TEST(Node, section_4_3_models_with_the_same_weights_share_a_runner_under_the_name_that_loaded_it) {
  NodeSettings settings = World::plain();
  settings.models[1].spec.weights = settings.models[0].spec.weights;
  World world(settings);
  world.submit('b', 0);
  world.pass(1min);
  const AskId other = world.submit('a', 1);
  world.pass(1s);
  EXPECT_TRUE(world.finished(other)) << "no load";
  EXPECT_EQ(world.loaded(), "b");
}

struct ReloadCase {
  std::string_view name;
  RunnerOptions first, second;
  bool reload;
};

TEST(Node, section_4_4_reloads_when_options_differ_and_not_otherwise) {
  const ReloadCase cases[] = {
      {"nothing_said", {}, {}, false},
      {"another_num_ctx", {}, {.num_ctx = 1'024}, true},
      {"automatic_after_explicit", {.num_ctx = 1'024}, {}, true},
      {"explicit_but_equal", {}, {.num_ctx = 2'048}, false},
      {"equal_after_raising_to_the_least", {.num_ctx = -1}, {.num_ctx = 4}, false},
      {"equal_after_capping", {.num_ctx = 200'000}, {.num_ctx = 300'000}, false},
      {"explicit_batch_after_automatic", {}, {.num_batch = 512}, true},
      {"automatic_batch_after_explicit", {.num_batch = 512}, {}, false},
      {"threads", {}, {.num_thread = 4}, true},
      {"no_gpu", {}, {.num_gpu = 0}, true},
      {"one_gpu", {}, {.main_gpu = 0}, true},
      {"mmap", {}, {.use_mmap = true}, true},
      {"draft", {}, {.draft_num_predict = 8}, true},
      {"shift", {}, {.shift = false}, true},
  };
  for (const ReloadCase& each : cases) {
    World world;
    Ask first = world.ask('a', 0);
    first.options = each.first;
    world.submit(std::move(first));
    world.pass(1min);
    Ask second = world.ask('a', 0);
    second.options = each.second;
    const AskId id = world.submit(std::move(second));
    world.pass(1s);
    EXPECT_EQ(!world.finished(id), each.reload) << each.name;
    world.pass(1min);
    EXPECT_TRUE(world.finished(id)) << each.name;
  }
}

TEST(Node, section_4_4_a_reload_waits_until_the_old_runner_is_idle) {
  World world;
  const AskId user = world.submit('a', 200);
  world.pass(2s);
  Ask other = world.ask('a', 1);
  other.options.num_ctx = 512;
  const AskId id = world.submit(std::move(other));
  world.pass(1h);
  EXPECT_TRUE(world.finished(user));
  EXPECT_GT(*world.outcomes[id].ready, *world.outcomes[user].finished);
}

TEST(Node, section_4_5_a_model_goes_when_its_keep_alive_is_over) {
  World world;
  world.submit('a', 1, 10s);
  world.pass(10s);
  EXPECT_EQ(world.loaded(), "a");
  world.pass(5s);
  EXPECT_EQ(world.loaded(), "");
}

TEST(Node, section_4_5_a_lifetime_stays_for_later_requests_that_send_none) {
  World world;
  world.submit('a', 1, 20s);
  world.pass(10s);
  world.submit('a', 1);
  world.pass(15s);
  EXPECT_EQ(world.loaded(), "a") << "20 s from the second";
  world.pass(10s);
  EXPECT_EQ(world.loaded(), "");
}

TEST(Node, section_4_5_for_ever_is_for_ever) {
  World world;
  world.submit('a', 1, kForever);
  world.pass(24h * 365);
  EXPECT_EQ(world.loaded(), "a");
  EXPECT_EQ(world.node.running()[0].expires, kNever);
}

TEST(Node, section_4_5_an_unload_lets_who_is_there_finish) {
  World world;
  const AskId running = world.submit('a', 100);
  const AskId waiting = world.submit('a', 100);
  world.pass(2s);
  world.node.unload(world.model('a'), world.now);
  EXPECT_LE(world.node.running()[0].expires, world.now);
  world.pass(1min);
  EXPECT_TRUE(world.finished(running));
  EXPECT_TRUE(world.finished(waiting));
  EXPECT_EQ(world.loaded(), "");
}

TEST(Node, section_4_5_a_keep_alive_revives_what_was_to_go) {
  World world;
  world.submit('a', 100);
  world.pass(2s);
  world.node.unload(world.model('a'), world.now);
  world.submit('a', 1, 1min);
  world.pass(20s);
  EXPECT_EQ(world.loaded(), "a");
}

TEST(Node, section_4_6_who_leaves_frees_the_slot_at_once) {
  World world;
  const AskId leaver = world.submit('a', 100'000);
  world.pass(3s);
  const AskId next = world.submit('a', 1);
  world.pass(1s);
  EXPECT_FALSE(world.finished(next));
  EXPECT_EQ(world.leave(leaver), Left::clean);
  world.pass(100ms);
  EXPECT_TRUE(world.finished(next));
}

TEST(Node, section_4_6_a_waiter_that_leaves_is_gone) {
  World world;
  world.submit('a', 1'000);
  const AskId leaver = world.submit('a', 1);
  world.pass(3s);
  EXPECT_EQ(world.leave(leaver), Left::clean);
  EXPECT_EQ(world.node.running()[0].waiting, 0U);
}

TEST(Node, section_4_6_who_leaves_its_own_cold_load_aborts_it_and_others_start_over) {
  World world;
  const AskId owner = world.submit('a', 1);
  const AskId other = world.submit('a', 1);
  world.pass(1'500ms);
  EXPECT_EQ(world.leave(owner), Left::clean);
  world.pass(1'500ms);
  EXPECT_FALSE(world.outcomes[other].ready);
  world.pass(1s);
  EXPECT_EQ(world.outcomes[other].ready, Mono{} + 1'500ms + 1'600ms);
}

TEST(Node, section_4_6_who_leaves_the_load_queue_or_within_the_ping_leaks_its_connection) {
  World world;
  world.submit('a', 1);
  const AskId queued = world.submit('b', 1);
  world.pass(100ms);
  EXPECT_EQ(world.leave(queued), Left::leaked);
  world.pass(1min);
  EXPECT_EQ(world.loaded(), "a") << "the entry was skipped";
  const AskId hasty = world.submit('a', 1);
  EXPECT_EQ(world.leave(hasty), Left::leaked);
  const AskId patient = world.submit('a', 1'000);
  world.pass(20ms);
  EXPECT_EQ(world.leave(patient), Left::clean) << "20 ms are enough";
  EXPECT_EQ(world.node.leaked(), 2U);
}

TEST(Node, section_4_6_a_leaked_slot_blocks_all_until_the_model_is_loaded_anew) {
  World world;
  const AskId leak = world.submit('a', 100);
  world.pass(1'700ms);
  world.node.leak_slot(leak, world.now);
  const AskId stuck = world.submit('a', 1);
  world.pass(1h);
  EXPECT_FALSE(world.finished(stuck));
  EXPECT_EQ(world.loaded(), "a");
  world.leave(stuck);
  world.node.unload(world.model('a'), world.now);
  world.pass(1s);
  const AskId next = world.submit('a', 1);
  world.pass(1min);
  EXPECT_TRUE(world.finished(next));
}

TEST(Node, section_4_7_evicts_the_idle_model_with_the_shortest_keep_alive) {
  World world;
  world.submit('a', 1, 1h);
  world.pass(10s);
  world.submit('b', 1, 2min);
  world.pass(10s);
  EXPECT_EQ(world.loaded(), "ab");
  EXPECT_EQ(world.node.evictions(), 0U);
  world.submit('c', 1);
  world.pass(10s);
  EXPECT_EQ(world.loaded(), "ac") << "not the least recently used";
  EXPECT_EQ(world.node.loads(), 3U);
  EXPECT_EQ(world.node.evictions(), 1U);
  world.node.unload(world.model('c'), world.now);
  EXPECT_EQ(world.node.evictions(), 1U) << "an unload that was asked for is none";
}

TEST(Node, section_4_7_overlapping_traffic_starves_the_load_that_waits_for_its_victim) {
  NodeSettings settings = World::plain();
  settings.max_loaded = 1;
  settings.slots = 2;
  World world(settings);
  world.submit('a', 100);
  world.pass(2s);
  const AskId starved = world.submit('b', 1);
  const AskId behind = world.submit('c', 1);
  for (int i = 0; i < 200; ++i) {
    world.submit('a', 100);
    world.pass(500ms);
  }
  EXPECT_FALSE(world.outcomes[starved].ready);
  EXPECT_FALSE(world.outcomes[behind].ready);
  world.pass(1h);
  EXPECT_TRUE(world.finished(starved));
  EXPECT_TRUE(world.finished(behind));
}

TEST(Node, section_4_7_a_revived_victim_blocks_all_loads_until_its_keep_alive_is_over_or_it_is_unloaded) {
  for (const bool cure : {false, true}) {
    NodeSettings settings = World::plain();
    settings.max_loaded = 1;
    World world(settings);
    world.submit('a', 100);
    world.pass(2s);
    const AskId blocked = world.submit('b', 1);
    world.submit('a', 1, 5min);
    world.pass(2min);
    EXPECT_FALSE(world.outcomes[blocked].ready) << "the victim is idle, and nothing happens";
    if (cure) world.node.unload(world.model('a'), world.now);
    world.pass(1min);
    EXPECT_EQ(world.finished(blocked), cure);
    world.pass(10min);
    EXPECT_TRUE(world.finished(blocked));
  }
}

TEST(Node, section_4_7_what_does_not_fit_at_all_runs_partly_on_the_host_and_slowly) {
  NodeSettings settings = World::plain();
  settings.models[0].spec.file = Bytes{20'000'000'000};
  World world(settings);
  world.submit('a', 1);
  world.pass(1min);
  const Running running = world.node.running().at(0);
  EXPECT_LT(running.size_vram, running.size);
  EXPECT_GT(running.size_vram.value, 0U);
  World fits;
  fits.submit('a', 1);
  fits.pass(1min);
  EXPECT_EQ(fits.node.running().at(0).size_vram, fits.node.running().at(0).size)
      << "equal when wholly on the card (4.8)";
}

TEST(Node, section_3_2_a_runner_that_dies_fails_all_its_requests_and_stays_listed_until_the_next_one) {
  World world;
  const AskId running = world.submit('a', 1'000);
  const AskId waiting = world.submit('a', 1'000);
  world.pass(3s);
  world.node.kill_runner(world.model('a'), world.now);
  world.pass(0s);
  EXPECT_EQ(world.outcomes[running].failed->message,
            "an error was encountered while running the model: unexpected EOF");
  EXPECT_EQ(world.outcomes[waiting].failed->message, "llama-server process no longer running: unknown ");
  EXPECT_EQ(world.loaded(), "a");
  const AskId next = world.submit('a', 1);
  world.pass(1min);
  EXPECT_TRUE(world.finished(next)) << "recovered by one load";
}

TEST(Node, two_busy_models_on_one_card_slow_each_other) {
  const auto time_of = [](bool other) {
    World world;
    world.submit('a', 0);
    world.pass(10s);
    world.submit('b', 0);
    world.pass(10s);
    if (other) world.submit('b', 1'000);
    const Mono start = world.now;
    const AskId id = world.submit('a', 100);
    world.pass(1min);
    return *world.outcomes[id].finished - start;
  };
  const double ratio = seconds(time_of(true)) / seconds(time_of(false));
  EXPECT_NEAR(ratio, 2, 0.1);
}

TEST(Node, runs_as_many_times_as_fast_as_it_is_told) {
  NodeSettings settings = World::plain();
  settings.speedup = 100;
  World world(settings);
  const AskId id = world.submit('a', 100);
  world.pass(60ms);
  EXPECT_TRUE(world.finished(id));
}

// What one ask for `answer` tokens costs, whose prompt has `prompt` tokens: the second one, which finds the model warm.
World::Outcome second_ask(const NodeSettings& settings, std::uint32_t prompt, std::uint32_t answer) {
  World world(settings);
  AskId id;
  for (int i = 0; i < 2; ++i) {
    Ask ask = world.ask('a', 0);
    ask.parts.push_back({.prompt = {engine::Piece(ask.id.value, prompt)}, .answer = answer, .token = {}});
    id = world.submit(std::move(ask));
    world.pass(1min);
  }
  return world.outcomes[id];
}

TEST(Node, a_machine_differs_from_its_card_by_factors) {
  NodeSettings plain = World::plain();
  NodeSettings other = plain;
  other.machine = {.weights = 2, .arithmetic = 3, .loads = 0.5};
  const World::Outcome before = second_ask(plain, 1'000, 100);
  const World::Outcome after = second_ask(other, 1'000, 100);
  EXPECT_NEAR(seconds(after.usage.prompt_time) / seconds(before.usage.prompt_time), 3, 0.01);
  EXPECT_NEAR(seconds(after.usage.answer_time) / seconds(before.usage.answer_time), 2, 0.05);
  World world(other);
  const AskId id = world.submit('a', 1);
  world.pass(1min);
  EXPECT_EQ(world.outcomes[id].ready, Mono{} + 800ms) << "half of 0.6 s, and of 2.5 GB at 2.5 GB a second";
}

TEST(Node, tells_the_first_token_only_where_nobody_wants_the_others) {
  NodeSettings settings = World::plain();
  const World::Outcome all = second_ask(settings, 10, 50);
  settings.every_token = false;
  const World::Outcome first = second_ask(settings, 10, 50);
  EXPECT_EQ(all.tokens, 50U);
  EXPECT_EQ(first.tokens, 1U);
  EXPECT_EQ(first.finished, all.finished);
}

// Two conversations in turn on one slot: what the second turn of the first one finds.
TEST(Node, remembers_as_its_engine_and_its_cache_have_it) {
  const auto cached = [](engine::EngineKind kind, double cache) {
    NodeSettings settings = World::plain();
    settings.engine = kind;
    settings.machine.cache = cache;
    World world(settings);
    AskId id;
    for (const engine::TokenHash talk : {1UL, 2UL, 1UL}) {
      Ask ask = world.ask('a', 0);
      ask.parts.push_back({.prompt = {engine::Piece(talk, 500), engine::Piece(9)}, .answer = 1, .token = {}});
      id = world.submit(std::move(ask));
      world.pass(1min);
    }
    return world.outcomes[id].usage.cached;
  };
  EXPECT_EQ(cached(engine::EngineKind::llama_cpp, 1), 500U);
  EXPECT_EQ(cached(engine::EngineKind::llama_cpp, 0), 0U) << "the slot has the other one";
  EXPECT_EQ(cached(engine::EngineKind::vllm, 1), 496U) << "whole blocks";
  EXPECT_EQ(cached(engine::EngineKind::vllm, 0.3), 96U) << "the other one has 32 of 38 blocks";
}

TEST(Node, embeds_several_texts_one_after_another_in_one_slot) {
  NodeSettings settings = World::plain();
  settings.models[0].spec.capabilities = {.embedding = true};
  settings.slots = 4;
  World world(settings);
  Ask ask = world.ask('a', 0);
  for (std::uint64_t i = 0; i < 3; ++i) ask.parts.push_back({.prompt = {i, i, i}, .answer = 0, .token = {}});
  const AskId id = world.submit(std::move(ask));
  world.pass(1min);
  EXPECT_TRUE(world.finished(id));
  EXPECT_EQ(world.outcomes[id].usage.prompt, 9U);
}

}  // namespace
}  // namespace drover::sim
