// Whole runs in the simulated world: against simulated nodes, and against servers that misbehave.
#include <gtest/gtest.h>

#include "load/run.h"
#include "net/sim_world.h"
#include "sim/fleet.h"

namespace drover::load {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kSimSeed = 5;

class World {
 public:
  explicit World(std::uint32_t slots = 4) : endpoint_(*net::parse_ip("127.0.0.1", 11434)) {
    sim::NodeSettings node = sim::fleet_of(1).nodes[0];
    node.slots = slots;
    node_ = std::make_unique<sim::Server>(loop, node_network.listen(endpoint_).value(), node, kSimSeed);
    node_->start();
  }
  ~World() {
    bool stopped = false;
    const auto stop = [](sim::Server& node, bool& done) -> net::Task<> {
      co_await node.stop();
      done = true;
    };
    flows.spawn(stop(*node_, stopped));
    EXPECT_TRUE(world.run_until([&] { return stopped && flows.size() == 0; }, kNever));
  }

  // Runs to the end, or until it is stopped at that time.
  Report run(Settings settings, std::optional<Duration> stop_after = {}) {
    settings.target = http::parse_base_url("http://" + net::to_text(endpoint_)).value();
    auto schedule = make_schedule(settings).value();
    Run run(client_network, endpoint_, settings, std::move(schedule), Goal{},
            [this](const Outcome& outcome) { outcomes.push_back(outcome); });
    std::optional<Result<void>> ended;
    const auto go = [](Run& running, std::optional<Result<void>>& result) -> net::Task<> {
      result = co_await running.run();
    };
    flows.spawn(go(run, ended));
    if (stop_after) world.schedule(world.clock().mono() + *stop_after, [&run] { run.stop(); });
    EXPECT_TRUE(world.run_until([&] { return ended && flows.size() == 0; }, world.clock().mono() + 24h));
    EXPECT_TRUE(ended && *ended);
    EXPECT_EQ(run.progress().outstanding, 0U);
    return run.report();
  }

  net::SimWorld world{1};
  net::SimLoop loop{world};
  net::SimNetwork node_network{world, loop}, client_network{world, loop};
  net::TaskGroup flows{loop};
  std::vector<Outcome> outcomes;
  sim::Server& node() { return *node_; }
  const net::Endpoint& endpoint() const { return endpoint_; }

 private:
  net::Endpoint endpoint_;
  std::unique_ptr<sim::Server> node_;
};

Settings settings_of(std::variant<OpenLoop, ClosedLoop, TraceLoop> arrivals, std::uint64_t requests) {
  return {.target = {},
          .model = "llama3.2:3b",
          .arrivals = std::move(arrivals),
          .time = {},
          .requests = requests,
          .sim_seed = kSimSeed};
}

TEST(Run, every_token_of_every_dialect_is_right) {
  World world;
  for (const api::Route route :
       {api::Route::chat, api::Route::generate, api::Route::chat_completions, api::Route::completions}) {
    for (const bool stream : {true, false}) {
      for (const std::string_view model : {"llama3.2:3b", "qwen3:8b"}) {
        Settings settings = settings_of(OpenLoop{.rate = 10}, 10);
        settings.route = route;
        settings.stream = stream;
        settings.model = model;
        settings.answer = {1, 60};
        const Report report = world.run(settings);
        EXPECT_EQ(report.count(End::ok), 10U)
            << api::label(route) << ' ' << stream << ' ' << model << ' ' << to_text(report.json());
      }
    }
  }
}

TEST(Run, an_answer_in_one_piece_has_no_first_token) {
  World world;
  Settings settings = settings_of(OpenLoop{.rate = 10}, 2);
  settings.stream = false;
  const Report report = world.run(settings);
  EXPECT_EQ(report.times(Figure::e2e).count(), 2U);
  EXPECT_EQ(report.times(Figure::ttft).count(), 0U);
  EXPECT_EQ(report.times(Figure::tpot).count(), 0U);
}

TEST(Run, another_seed_is_noticed) {
  World world;
  Settings settings = settings_of(OpenLoop{.rate = 10}, 3);
  settings.sim_seed = kSimSeed + 1;
  const Report report = world.run(settings);
  EXPECT_EQ(report.count(End::wrong), 3U);
  EXPECT_EQ(report.kinds().at("wrong_token").count, 3U);
}

TEST(Run, counts_are_those_of_the_node) {
  World world;
  Settings settings = settings_of(OpenLoop{.rate = 100, .poisson = true}, 50);
  settings.prompt = {20, 20};
  settings.answer = {7, 7};
  const Report report = world.run(settings);
  EXPECT_EQ(report.count(End::ok), 50U);
  EXPECT_EQ(report.tokens(), Tokens{50 * 7});
  EXPECT_EQ(report.tokens().value, world.node().counts().tokens);
  for (const Outcome& outcome : world.outcomes) EXPECT_GT(outcome.prompt_read, outcome.prompt) << "and the template's";
}

// One slot, and a request every 10 ms that needs far longer: the queue grows, and with it the times that are told.
TEST(Run, times_count_from_when_a_request_was_due) {
  World world(1);
  world.run(settings_of(OpenLoop{.rate = 1}, 1));  // loads the model
  world.outcomes.clear();
  Settings settings = settings_of(OpenLoop{.rate = 100}, 30);
  settings.answer = {50, 50};
  const Report report = world.run(settings);
  ASSERT_EQ(world.outcomes.size(), 30U);
  const Outcome& last = world.outcomes.back();
  EXPECT_EQ(last.number, 29U);
  EXPECT_EQ(last.due, 290ms);
  // 29 others had the slot before it, one after the other; each waited a little less for the network than the first.
  EXPECT_GT(*last.time_to_first_token(), 28 * *world.outcomes[0].end_to_end() - last.due);
  EXPECT_LT(report.times(Figure::slip).max(), 1ms) << "the tool itself was in time";
}

TEST(Run, a_closed_loop_has_as_many_requests_as_users) {
  World world(2);
  Settings settings = settings_of(ClosedLoop{.users = 2}, 20);
  settings.answer = {5, 5};
  world.run(settings);
  std::vector<std::pair<Duration, int>> moments;
  for (const Outcome& outcome : world.outcomes) {
    moments.emplace_back(*outcome.sent, 1);
    moments.emplace_back(*outcome.ended, -1);
  }
  std::ranges::sort(moments);
  int running = 0, most = 0;
  for (const auto& [at, change] : moments) most = std::max(most, running += change);
  EXPECT_EQ(most, 2);
  EXPECT_EQ(world.outcomes.size(), 20U);
}

TEST(Run, a_closed_loop_ends_at_its_time) {
  World world;
  Settings settings = settings_of(ClosedLoop{.users = 3}, 0);
  settings.requests.reset();
  settings.time = 2s;
  const Report report = world.run(settings);
  EXPECT_GT(report.count(End::ok), 3U);
  EXPECT_EQ(report.errors(), 0U);
  for (const Outcome& outcome : world.outcomes) EXPECT_LT(*outcome.sent, 2s);
}

TEST(Run, more_than_may_be_outstanding_are_dropped_and_counted) {
  World world(1);
  Settings settings = settings_of(OpenLoop{.rate = 1'000}, 20);
  settings.max_outstanding = 5;
  const Report report = world.run(settings);
  EXPECT_EQ(report.count(End::ok), 5U) << "the model is loaded first: all come before one ends";
  EXPECT_EQ(report.count(End::dropped), 15U);
  EXPECT_EQ(report.kinds().at("max_outstanding").count, 15U);
}

TEST(Run, what_is_stopped_is_unfinished) {
  World world;
  Settings settings = settings_of(OpenLoop{.rate = 10}, 1'000);
  settings.answer = {200, 200};
  const Report report = world.run(settings, 5s);
  EXPECT_GT(report.count(End::ok), 0U);
  EXPECT_GT(report.count(End::unfinished), 0U);
  EXPECT_EQ(report.errors(), 0U);
  EXPECT_EQ(report.requests(), world.outcomes.size());
  EXPECT_LE(report.requests(), 51U);
}

TEST(Run, a_server_that_is_not_there_is_an_error_of_each_request) {
  World world;
  world.world.set_reach(world.endpoint(), net::Reach::refused);
  const Report report = world.run(settings_of(OpenLoop{.rate = 10}, 5));
  EXPECT_EQ(report.count(End::failed), 5U);
  EXPECT_EQ(report.kinds().at("connect_refused").count, 5U);
}

TEST(Run, a_user_who_is_refused_does_not_ask_at_once) {
  World world;
  world.world.set_reach(world.endpoint(), net::Reach::refused);
  Settings settings = settings_of(ClosedLoop{.users = 1}, 0);
  settings.requests.reset();
  settings.time = 1s;
  EXPECT_LE(world.run(settings).requests(), 11U);
}

TEST(Run, a_model_that_is_not_there_is_told) {
  World world;
  Settings settings = settings_of(OpenLoop{.rate = 10}, 2);
  settings.model = "nobody";
  settings.sim_seed.reset();
  const Report report = world.run(settings);
  EXPECT_EQ(report.count(End::failed), 2U);
  EXPECT_EQ(report.kinds().at("404").example, "model 'nobody' not found");
}

// Bytes 2,000 on of what the node sends are lost with their connection.
TEST(Run, an_answer_that_breaks_off_is_cut) {
  World world;
  world.run(settings_of(OpenLoop{.rate = 1}, 1));
  world.world.set_link_faults(
      [](const net::Endpoint&) { return net::LinkFaults{.from_listener = {.reset_at = 2'000}}; });
  Settings settings = settings_of(OpenLoop{.rate = 1}, 4);
  settings.answer = {60, 60};
  const Report report = world.run(settings);
  EXPECT_GE(report.count(End::cut), 3U) << "the first may use the connection that stands";
  EXPECT_EQ(report.count(End::wrong), 0U) << "all tokens before that were right";
  EXPECT_EQ(report.kinds().at("reset").end, End::cut);
}

TEST(Run, an_error_within_an_answer_is_told_as_such) {
  World world;
  world.run(settings_of(OpenLoop{.rate = 1}, 1));
  world.node().arm(sim::read_fault(parse_json(R"({"fault":"error","after_tokens":3})").value()).value());
  Settings settings = settings_of(OpenLoop{.rate = 1}, 2);
  const Report report = world.run(settings);
  EXPECT_EQ(report.count(End::cut), 1U);
  EXPECT_EQ(report.kinds().at("error_in_answer").count, 1U);
}

TEST(Run, connections_are_used_again) {
  World world;
  struct Counter final : net::LinkTap {
    void opened(net::LinkId, const net::Network&, const net::Endpoint&) override { ++links; }
    void wrote(net::LinkId, net::End, std::string_view) override {}
    void arrived(net::LinkId, net::End, std::string_view) override {}
    void finished(net::LinkId, net::End) override {}
    void aborted(net::LinkId, net::End) override {}
    void end_arrived(net::LinkId, net::End) override {}
    void reset_arrived(net::LinkId, net::End) override {}
    std::size_t links = 0;
  } counter;
  world.world.set_tap(&counter);
  EXPECT_EQ(world.run(settings_of(ClosedLoop{.users = 3}, 60)).count(End::ok), 60U);
  EXPECT_EQ(counter.links, 3U);
  world.world.set_tap(nullptr);
}

}  // namespace
}  // namespace drover::load
