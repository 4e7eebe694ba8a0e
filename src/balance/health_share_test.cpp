// What trouble does to a node's share of the traffic: requests that come at a steady rate, nodes that answer each in
// its time, in virtual time.
#include <gtest/gtest.h>

#include <queue>
#include <utility>
#include <vector>

#include "balance/scheduler_fixture.h"

namespace drover::balance {
namespace {

using testing::Fleet;
using testing::milliseconds;
using testing::seconds;

constexpr std::uint64_t kTokens = 100;
constexpr Duration kTokenTime = milliseconds(20);

class Traffic {
 public:
  Traffic(PolicyKind policy, std::size_t nodes, Duration gap)
      : fleet_(settings(policy)), times_(nodes, 1), plain_503_(nodes, false), gap_(gap) {
    for (std::uint64_t id = 0; id < nodes; ++id) {
      fleet_.node(id, 4);
      fleet_.has(id, {"a*"});
    }
  }

  // From now on an answer takes so many times as long there.
  void slow_down(std::uint64_t node, double times) { times_[node] = times; }
  // Once all that runs has ended, it answers with 503 at once.
  void break_down(std::uint64_t node) {
    wait_until(fleet_.now + seconds(10));
    plain_503_[node] = true;
  }

  // So many further requests come; on which nodes they started.
  std::vector<std::size_t> ask(std::size_t count) {
    started_.assign(times_.size(), 0);
    for (; count > 0; --count) {
      wait_until(fleet_.now + gap_);
      const Submission submission = fleet_.ask(++requests_, "a");
      Actions actions;
      const Decision decision = fleet_.scheduler.submit(submission, actions);
      if (const auto* start = std::get_if<Start>(&decision)) begin(requests_, start->node);
      take(actions);
    }
    return started_;
  }

  std::size_t trials() const { return trials_; }
  Health health(std::uint64_t node) const { return fleet_.node_state(node).health; }

 private:
  struct End {
    Mono at;
    std::uint64_t request;
    NodeId node;
    bool failed;
    bool operator>(const End& other) const { return std::pair(at, request) > std::pair(other.at, other.request); }
  };

  static SchedulerSettings settings(PolicyKind policy) {
    SchedulerSettings settings;
    settings.policy = policy;
    return settings;
  }

  Duration time_on(NodeId node) const {
    return Duration{
        static_cast<std::int64_t>(static_cast<double>((kTokenTime * kTokens).count()) * times_[node.value])};
  }

  void begin(std::uint64_t request, NodeId node) {
    ++started_[node.value];
    const bool fails = plain_503_[node.value];
    ends_.push({fails ? fleet_.now : fleet_.now + time_on(node), request, node, fails});
  }

  void take(Actions& actions) {
    for (const Action& action : std::exchange(actions, {})) {
      if (const auto* grant = std::get_if<Grant>(&action)) begin(grant->request.value, grant->node);
      if (const auto* change = std::get_if<HealthChange>(&action)) trials_ += change->to == Health::recovering ? 1 : 0;
    }
  }

  void wait_until(Mono when) {
    while (true) {
      const Mono tick = fleet_.now + milliseconds(100);
      const Mono next = std::min({when, tick, ends_.empty() ? kNever : ends_.top().at});
      fleet_.now = next;
      Actions actions;
      if (!ends_.empty() && ends_.top().at == next) {
        const End end = ends_.top();
        ends_.pop();
        finish(end, actions);
      } else {
        fleet_.scheduler.tick(next, actions);
      }
      take(actions);
      if (next == when && (ends_.empty() || ends_.top().at > when)) return;
    }
  }

  void finish(const End& end, Actions& actions) {
    if (end.failed) {
      const Outcome outcome{.kind = Outcome::Kind::node_failed, .code = ErrorCode::refused_by_node, .status = 503};
      fleet_.scheduler.finished(RequestId{end.request}, end.node, outcome, std::nullopt, fleet_.now, actions);
      return;
    }
    const Duration time = time_on(end.node);
    const NodeDurations durations{.total = time, .prompt_eval = milliseconds(1), .eval = time, .eval_tokens = kTokens};
    fleet_.scheduler.finished(RequestId{end.request}, end.node, {}, durations, fleet_.now, actions);
  }

  Fleet fleet_;
  std::vector<double> times_;
  std::vector<bool> plain_503_;
  Duration gap_;
  std::uint64_t requests_ = 0;
  std::size_t trials_ = 0;
  std::vector<std::size_t> started_;
  std::priority_queue<End, std::vector<End>, std::greater<>> ends_;
};

class SlowNode : public ::testing::TestWithParam<PolicyKind> {};

TEST_P(SlowNode, that_becomes_four_times_slower_has_its_share_down_to_a_third_within_ten_requests) {
  Traffic traffic(GetParam(), 4, milliseconds(250));  // eight in flight, of sixteen slots
  traffic.ask(200);
  const std::size_t before = traffic.ask(200)[0];
  ASSERT_NEAR(static_cast<double>(before), 50, 10);
  traffic.slow_down(0, 4);
  for (std::size_t seen = 0, asked = 0; seen < 10 && asked < 200; ++asked) seen += traffic.ask(1)[0];
  EXPECT_LE(traffic.ask(200)[0] * 3, before);
}

TEST_P(SlowNode, that_is_as_fast_as_before_again_has_its_share_again) {
  Traffic traffic(GetParam(), 4, milliseconds(200));
  traffic.ask(200);
  traffic.slow_down(0, 4);
  traffic.ask(100);
  traffic.slow_down(0, 1);
  traffic.ask(1000);
  EXPECT_EQ(traffic.health(0), Health::stable);
  EXPECT_GE(traffic.ask(200)[0], 40U);
}

INSTANTIATE_TEST_SUITE_P(Policies, SlowNode,
                         ::testing::Values(PolicyKind::least_connections, PolicyKind::least_loaded,
                                           PolicyKind::round_robin, PolicyKind::random, PolicyKind::two_choices,
                                           PolicyKind::earliest_finish),
                         [](const auto& test) { return std::string(name(test.param)); });

TEST(SlowFleet, that_becomes_slow_as_a_whole_goes_on_evenly) {
  Traffic traffic(PolicyKind::least_connections, 4, milliseconds(800));
  traffic.ask(200);
  for (std::uint64_t node = 0; node < 4; ++node) traffic.slow_down(node, 4);
  traffic.ask(100);
  for (const std::size_t share : traffic.ask(2000)) EXPECT_NEAR(static_cast<double>(share), 500, 100);
}

TEST(PlainRefusal, a_node_that_answers_503_at_once_gets_no_more_than_trials_after_the_third) {
  Traffic traffic(PolicyKind::least_connections, 3, milliseconds(250));
  traffic.ask(40);
  traffic.break_down(0);
  const std::size_t got = traffic.ask(480)[0];  // two minutes
  EXPECT_EQ(got, 3 + traffic.trials());
  EXPECT_LE(traffic.trials(), 4U) << "each outage is twice as long as the one before";
}

TEST(PlainRefusal, unless_it_is_the_last_capable_one) {
  Traffic traffic(PolicyKind::least_connections, 1, seconds(3));
  traffic.ask(40);
  traffic.break_down(0);
  EXPECT_EQ(traffic.ask(100)[0], 100U);
}

}  // namespace
}  // namespace drover::balance
