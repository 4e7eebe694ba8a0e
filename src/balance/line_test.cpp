// In which order those go who wait for one model, and when each one's turn comes.
#include "balance/line.h"

#include <gtest/gtest.h>

#include <string>

#include "balance/scheduler_fixture.h"

namespace drover::balance {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::by_counts;
using testing::Fleet;

// A line whose requests have numbers, all of the same cost unless said otherwise.
struct Queue {
  explicit Queue(const LineRules& rules = {}) : rules(rules) {}

  Request& admit(std::uint64_t id, std::string_view tenant, Priority priority, double tokens) {
    Request& request = table.add(RequestId{id});
    request.arrival = now;
    line.admit(request, tenants.of(tenant), priority, tokens);
    return request;
  }
  std::size_t join(std::uint64_t id, std::string_view tenant = "", Priority priority = Priority::normal,
                   double tokens = 100) {
    Request& request = admit(id, tenant, priority, tokens);
    line.join(request, now, rules);
    return line.position(request);
  }
  std::size_t join_again(std::uint64_t id, Duration ago) {
    Request& request = admit(id, "", Priority::normal, 100);
    request.arrival = now - ago;
    line.join(request, now, rules);
    return line.position(request);
  }
  // The first one starts.
  std::uint64_t start() {
    Request& request = *line.first(1, now, rules).front();
    line.leave(request);
    line.started(request, true, now);
    return request.id.value;
  }
  void end(std::uint64_t id, double tokens = 100) {
    Request& request = *table.find(RequestId{id});
    line.ended(request, tokens);
    table.remove(request);
  }
  std::string order(std::size_t most = 100) {
    std::string ids;
    for (const Request* request : line.first(most, now, rules)) ids += std::to_string(request->id.value) + " ";
    return ids;
  }

  LineRules rules;
  Tenants tenants{{{.name = "double", .weight = 2}}};
  RequestTable table;
  Line line{tenants};
  Mono now = Mono{} + seconds(1000);
};

TEST(Line, keeps_the_order_of_arrival_and_puts_those_that_come_again_in_their_old_place) {
  Queue queue;
  EXPECT_EQ(queue.join(1), 1U);
  queue.now += seconds(10);
  EXPECT_EQ(queue.join(2), 2U);
  EXPECT_EQ(queue.join(3), 3U);
  EXPECT_EQ(queue.join_again(4, seconds(5)), 2U);
  EXPECT_EQ(queue.join_again(5, seconds(15)), 1U);
  EXPECT_EQ(queue.order(), "5 1 4 2 3 ");
  EXPECT_EQ(queue.order(2), "5 1 ");
  EXPECT_EQ(queue.line.last()->id.value, 3U);
  for (const std::uint64_t id : {4U, 5U, 3U}) queue.line.leave(*queue.table.find(RequestId{id}));
  EXPECT_EQ(queue.order(), "1 2 ");
  EXPECT_EQ(queue.join(6), 3U);
  for (const std::uint64_t id : {1U, 2U, 6U}) queue.line.leave(*queue.table.find(RequestId{id}));
  EXPECT_TRUE(queue.line.empty());
  EXPECT_EQ(queue.join(7), 1U);
  EXPECT_EQ(queue.order(), "7 ");
}

TEST(Line, takes_tenants_in_turn_by_what_each_was_served) {
  Queue queue;
  for (std::uint64_t id = 1; id <= 6; ++id) queue.join(id, "greedy");
  EXPECT_EQ(queue.join(11, "modest"), 2U);
  EXPECT_EQ(queue.join(12, "modest", Priority::normal, 200), 4U);
  EXPECT_EQ(queue.order(), "1 11 2 12 3 4 5 6 ");
  EXPECT_EQ(queue.start(), 1U);
  EXPECT_EQ(queue.order(), "11 2 12 3 4 5 6 ");
}

TEST(Line, charges_what_an_answer_took_and_not_what_was_expected) {
  Queue queue;
  for (std::uint64_t id = 1; id <= 3; ++id) queue.join(id, "a");
  for (std::uint64_t id = 11; id <= 13; ++id) queue.join(id, "b");
  EXPECT_EQ(queue.start(), 1U);
  EXPECT_EQ(queue.start(), 11U);
  queue.end(1, 310);
  queue.end(11, 100);
  EXPECT_EQ(queue.order(), "12 13 2 3 ") << "b has two more before it has had as much as a";
}

TEST(Line, gives_a_tenant_of_twice_the_weight_twice_as_much) {
  Queue queue;
  for (std::uint64_t id = 1; id <= 4; ++id) queue.join(id, "single");
  for (std::uint64_t id = 11; id <= 14; ++id) queue.join(id, "double");
  EXPECT_EQ(queue.order(6), "1 11 12 2 13 14 ");
}

TEST(Line, does_not_let_a_tenant_save_up_while_it_asks_for_nothing) {
  Queue queue;
  queue.join(1, "late");
  queue.join(2, "busy");
  EXPECT_EQ(queue.start(), 1U);
  queue.end(1);
  for (std::uint64_t id = 3; id <= 12; ++id) queue.join(id, "busy");
  for (std::uint64_t id = 2; id <= 8; ++id) {
    EXPECT_EQ(queue.start(), id);
    queue.end(id);
  }
  queue.join(21, "late");
  queue.join(22, "late");
  EXPECT_EQ(queue.order(), "9 21 10 22 11 12 ") << "from now on they share; the 700 tokens before are busy's to keep";
}

TEST(Line, does_not_let_a_tenant_save_up_while_one_of_its_own_runs_and_none_waits) {
  Queue queue;
  queue.join(1, "frugal");
  EXPECT_EQ(queue.start(), 1U);
  std::uint64_t running = 1;
  for (std::uint64_t id = 101; id <= 120; ++id) queue.join(id, "busy");
  for (std::uint64_t id = 2; id <= 6; ++id) {  // always one that runs, while busy has three times as many
    for (int i = 0; i < 3; ++i) queue.end(queue.start());
    queue.join(id, "frugal");
    Request& request = *queue.table.find(RequestId{id});
    queue.line.leave(request);
    queue.line.started(request, true, queue.now);
    queue.end(running);
    running = id;
  }
  for (std::uint64_t id = 11; id <= 16; ++id) queue.join(id, "frugal");
  EXPECT_EQ(queue.order(5), "116 117 118 11 119 ")
      << "frugal has had its two since it was raised, and from now on they share";
}

TEST(Line, counts_what_still_runs_for_the_one_who_took_all_slots) {
  Queue queue;
  for (std::uint64_t id = 1; id <= 6; ++id) queue.join(id, "greedy");
  for (int i = 0; i < 4; ++i) queue.start();
  for (std::uint64_t id = 11; id <= 16; ++id) queue.join(id, "modest");
  EXPECT_EQ(queue.order(6), "11 12 13 14 5 15 ") << "four of modest, since four of greedy run";
}

TEST(Line, sends_higher_classes_first_whoever_asks) {
  Queue queue;
  queue.join(1, "a", Priority::low);
  queue.join(2, "a");
  queue.join(3, "b", Priority::high);
  EXPECT_EQ(queue.join(4, "a", Priority::high), 2U);
  EXPECT_EQ(queue.order(), "3 4 2 1 ");
  EXPECT_EQ(queue.line.last()->id.value, 1U);
  EXPECT_EQ(queue.line.oldest(), queue.now);
}

TEST(Line, gives_of_eight_starts_one_to_a_lower_class_that_has_waited_too_long) {
  Queue queue;
  queue.join(100, "", Priority::low);
  queue.join(101, "", Priority::low);
  auto next_eight = [&, id = std::uint64_t{1}]() mutable {
    std::string started;
    for (int i = 0; i < 8; ++i) {
      queue.join(id++, "", Priority::high);
      queue.join(id++, "", Priority::high);
      started += std::to_string(queue.start()) + " ";
    }
    return started;
  };
  EXPECT_EQ(next_eight().find("10"), std::string::npos) << "not old enough";
  queue.now += queue.rules.aging;
  EXPECT_NE(next_eight().find("100 "), std::string::npos);
  EXPECT_NE(next_eight().find("101 "), std::string::npos);
}

TEST(Line, tells_the_position_among_tenants) {
  Queue queue;
  for (std::uint64_t id = 1; id <= 50; ++id) EXPECT_EQ(queue.join(id, "a"), id);
  for (std::uint64_t id = 101; id <= 110; ++id) {
    const std::size_t position = queue.join(id, "b");
    std::size_t truth = 0;
    for (const Request* request : queue.line.first(100, queue.now, queue.rules)) {
      ++truth;
      if (request->id.value == id) break;
    }
    EXPECT_NEAR(static_cast<double>(position), static_cast<double>(truth), 1) << id;
  }
}

TEST(Line, tells_the_wait_by_how_fast_it_moves_and_by_how_fast_the_tenants_own_do) {
  Queue queue;
  EXPECT_EQ(queue.line.wait_of_next(queue.tenants.of("greedy"), Priority::normal, queue.now), std::nullopt);
  for (std::uint64_t id = 1; id <= 200; ++id) queue.join(id, "greedy");
  std::uint64_t modest = 1001;
  // Ten starts a second, of which modest, who asks five times a second, gets half.
  for (int tenth = 0; tenth < 300; ++tenth) {
    queue.now += milliseconds(100);
    if (tenth % 2 == 0) queue.join(modest++, "modest");
    queue.end(queue.start());
  }
  const std::size_t left = queue.line.size();
  ASSERT_EQ(left, 50U);
  EXPECT_NEAR(*queue.line.wait_of_next(queue.tenants.of("greedy"), Priority::normal, queue.now), 51 / 5.0, 0.5);
  EXPECT_LT(*queue.line.wait_of_next(queue.tenants.of("modest"), Priority::normal, queue.now), 0.5);
  EXPECT_NEAR(*queue.line.wait_of_next(queue.tenants.of("new"), Priority::low, queue.now), 5.1, 0.5);
}

// Ten starts a second, each of which ends at once. `come`: so many join a second.
struct Traffic {
  void run(Duration time, int come) {
    for (const Mono end = queue.now + time; queue.now < end;) {
      queue.now += milliseconds(100);
      for (due += come; due >= 10; due -= 10) {
        queue.join(next);
        told[next] = queue.line.wait(*queue.table.find(RequestId{next}), queue.now).value_or(0);
        came[next++] = queue.now;
      }
      if (queue.line.empty()) continue;
      const std::uint64_t id = queue.start();
      waits.push_back({.came = came[id], .wait = queue.now - came[id], .told = told[id]});
      queue.end(id);
      if (comes_again) due += 10;
    }
  }
  struct Wait {
    Mono came;
    Duration wait;
    double told;  // seconds
  };
  // Of those that came since then and started.
  std::vector<Wait> since(Mono then) const {
    std::vector<Wait> some;
    std::ranges::copy_if(waits, std::back_inserter(some), [&](const Wait& each) { return each.came >= then; });
    return some;
  }

  Queue& queue;
  bool comes_again = false;  // whoever has had an answer asks again
  int due = 0;
  std::uint64_t next = 1;
  std::map<std::uint64_t, Mono> came{};
  std::map<std::uint64_t, double> told{};
  std::vector<Wait> waits{};
};

TEST(Line, lets_those_in_time_go_first_while_more_come_than_start) {
  Queue queue;
  Traffic traffic{.queue = queue};
  traffic.run(seconds(60), 13);
  const Mono settled = queue.now;
  traffic.run(seconds(100), 13);
  const auto waits = traffic.since(settled);
  const auto in_time = std::ranges::count_if(waits, [](const auto& each) { return each.wait <= milliseconds(1200); });
  EXPECT_GT(in_time, 850) << "of 1,300 that came and 1,000 that could start; first come, first served has none";
  // Those that are not go in their order, one of sixteen starts.
  std::vector<Mono> late;
  for (const auto& each : traffic.waits) {
    if (each.wait > seconds(5) && each.came > settled - seconds(50)) late.push_back(each.came);
  }
  EXPECT_GT(late.size(), 50U);
  EXPECT_TRUE(std::ranges::is_sorted(late));
  const auto honest = std::ranges::count_if(
      waits, [](const auto& each) { return std::abs(each.told - drover::seconds(each.wait)) < 0.3; });
  EXPECT_GT(honest, 800) << "they were told so";
}

TEST(Line, goes_back_to_its_order_when_no_more_come_than_start) {
  Queue queue;
  Traffic traffic{.queue = queue};
  traffic.run(seconds(60), 13);
  ASSERT_GT(queue.line.size(), 150U);
  traffic.run(seconds(60), 6);
  EXPECT_EQ(queue.line.size(), 0U) << "four a second of those that were late";
  const Mono settled = queue.now;
  traffic.run(seconds(60), 9);
  for (const auto& each : traffic.since(settled)) EXPECT_EQ(each.wait, Duration{});
}

TEST(Line, is_not_overloaded_by_those_that_ask_again_when_they_have_an_answer) {
  Queue queue;
  Traffic traffic{.queue = queue, .comes_again = true};
  for (int i = 0; i < 200; ++i) traffic.came[traffic.next] = queue.now, queue.join(traffic.next++);
  traffic.run(seconds(150), 0);
  const Mono settled = queue.now;
  traffic.run(seconds(150), 0);
  for (const auto& each : traffic.since(settled)) EXPECT_EQ(each.wait, milliseconds(19'900)) << "all 199 others first";
}

TEST(Line, keeps_its_order_under_any_load_where_no_wait_is_too_long) {
  Queue queue({.in_time = Duration{}});
  Traffic traffic{.queue = queue};
  traffic.run(seconds(100), 13);
  EXPECT_TRUE(std::ranges::is_sorted(traffic.waits, {}, &Traffic::Wait::came));
}

TEST(Line, forgets_tenants_that_ask_for_nothing_any_more) {
  Queue queue;
  for (std::uint64_t id = 1; id <= 500; ++id) {
    queue.join(id, "tenant-" + std::to_string(id));
    queue.end(queue.start());
  }
  EXPECT_LE(queue.tenants.named().size(), 70U);
  EXPECT_TRUE(queue.tenants.named().contains("double")) << "the settings name it";
}

// ---- the same seen from the scheduler's events

Submission of(Submission submission, std::string_view tenant, std::optional<Priority> priority = {}) {
  submission.tenant = tenant;
  submission.priority = priority;
  return submission;
}

TEST(SchedulerTenants, are_bounded_one_by_one_and_those_without_a_name_are_not) {
  SchedulerSettings settings = by_counts();
  settings.max_queue_each = 2;
  Fleet fleet(settings);
  fleet.node(0, 1);
  fleet.has(0, {"a*"});
  fleet.submit(of(fleet.ask(1, "a"), "greedy"));
  for (std::uint64_t id = 2; id <= 3; ++id) fleet.submit(of(fleet.ask(id, "a"), "greedy"));
  for (std::uint64_t id = 10; id < 40; ++id) fleet.submit(id, "a");  // more than are looked at
  EXPECT_EQ(fleet.submit(of(fleet.ask(50, "a"), "greedy")), "refused tenant_queue_full");
  EXPECT_EQ(fleet.submit(51, "a"), "queued 33");
  EXPECT_EQ(fleet.submit(of(fleet.ask(52, "a"), "modest")).substr(0, 6), "queued");
  auto lost = of(fleet.ask(53, "a"), "greedy");
  lost.retry = RetryKind::lost_node;
  EXPECT_EQ(fleet.submit(lost).substr(0, 6), "queued") << "it had its place";
}

TEST(SchedulerTenants, have_the_priority_of_the_settings_unless_a_request_names_one) {
  SchedulerSettings settings = by_counts();
  settings.tenants = {{.name = "night", .priority = Priority::low}};
  Fleet fleet(settings);
  fleet.node(0, 1);
  fleet.has(0, {"a*"});
  fleet.submit(1, "a");
  EXPECT_EQ(fleet.submit(of(fleet.ask(2, "a"), "night")), "queued 1");
  EXPECT_EQ(fleet.submit(3, "a"), "queued 1");
  EXPECT_EQ(fleet.submit(of(fleet.ask(4, "a"), "night", Priority::high)), "queued 1");
  EXPECT_EQ(fleet.submit(of(fleet.ask(5, "a"), "", Priority::low)), "queued 4");
}

TEST(SchedulerTenants, one_that_comes_to_a_long_line_of_another_is_next) {
  Fleet fleet;
  fleet.node(0, 1);
  fleet.has(0, {"a*"});
  for (std::uint64_t id = 1; id <= 100; ++id) fleet.submit(of(fleet.ask(id, "a"), "greedy"));
  EXPECT_EQ(fleet.submit(of(fleet.ask(200, "a"), "modest")), "queued 1");
  fleet.ends(1, 0);
  EXPECT_EQ(fleet.said(), "grant 200 on 0");
}

// Two tenants, one with ten times as many requests, whose answers are of all lengths: over any while in which both have
// work waiting they are served alike.
TEST(SchedulerTenants, with_work_waiting_are_served_alike) {
  SchedulerSettings settings;
  settings.max_queue_each = 1000;
  Fleet fleet(settings);
  fleet.node(0, 8);
  fleet.has(0, {"a*"});
  Random random(5);
  std::map<std::uint64_t, std::uint64_t> tokens;  // of the answers, by request
  const auto ask = [&](std::uint64_t id) {
    tokens[id] = 50 + random.below(400);
    const Submission submission = of(fleet.ask(id, "a"), id < 1000 ? "greedy" : "modest");
    return fleet.submit(submission);
  };
  std::vector<std::uint64_t> running;
  for (std::uint64_t id = 1; id <= 800; ++id) {
    if (ask(id).starts_with("on")) running.push_back(id);
  }
  for (std::uint64_t id = 1000; id < 1200; ++id) ask(id);

  std::array<double, 2> served{};
  for (int end = 0; end < 300; ++end) {
    fleet.now += milliseconds(200);
    const std::size_t which = random.below(running.size());
    const std::uint64_t id = running[which];
    const auto answer = static_cast<double>(tokens[id]);
    served[id < 1000 ? 0 : 1] += answer;
    fleet.answers(
        id, 0,
        {.total = seconds(2), .eval = milliseconds(tokens[id] * 10), .prompt_tokens = 20, .eval_tokens = tokens[id]});
    const std::string said = fleet.said();
    ASSERT_TRUE(said.starts_with("grant ")) << said;
    running[which] = std::stoull(said.substr(6));
  }
  EXPECT_NEAR(served[0] / served[1], 1, 0.1) << served[0] << " and " << served[1];
}

// As of OpenAI's routes, whose answers tell no durations.
TEST(SchedulerTenants, owe_what_was_counted_where_the_node_does_not_say_what_it_took) {
  Fleet fleet(by_counts());
  fleet.node(0, 1);
  fleet.has(0, {"a*"});
  std::uint64_t running = 1;
  fleet.submit(of(fleet.ask(running, "a"), "long"));
  for (std::uint64_t id = 2; id <= 40; ++id) fleet.submit(of(fleet.ask(id, "a"), id % 2 == 0 ? "short" : "long"));
  std::size_t longs = 0;
  for (int end = 0; end < 20; ++end) {
    const bool is_long = running % 2 == 1;
    longs += is_long;
    fleet.ends(running, 0, {.prompt_tokens = 10, .answer_tokens = is_long ? 995 : 95});
    running = std::stoull(fleet.said().substr(6));
  }
  EXPECT_EQ(longs, 2U) << "one long answer is ten short ones";
}

TEST(SchedulerTenants, do_not_learn_of_each_others_prompts_where_the_settings_say_so) {
  const auto second_goes_to = [](bool apart) {
    SchedulerSettings settings;
    settings.tenant_caches = apart;
    Fleet fleet(settings);
    fleet.node(0, 4);
    fleet.node(1, 4);
    fleet.has(0, {"a*"});
    fleet.has(1, {"a*"});
    std::vector<std::uint64_t> prefix(64);
    for (std::size_t i = 0; i < prefix.size(); ++i) prefix[i] = (i + 1) * 0x9e3779b97f4a7c15ULL;
    const auto ask = [&](std::uint64_t id, std::string_view tenant) {
      auto submission = of(fleet.ask(id, "a"), tenant);
      submission.prompt = {.bytes = prefix.size() * kPrefixBlock, .prefix = prefix};
      return fleet.submit(submission);
    };
    const std::string first = ask(1, "a");
    fleet.ends(1, first == "on 0 (earliest_finish)" ? 0 : 1);
    return ask(2, "b") == first;
  };
  EXPECT_TRUE(second_goes_to(false)) << "where the prompt is in a cache";
  EXPECT_FALSE(second_goes_to(true)) << "in turn, as if nobody had read it";
}

}  // namespace
}  // namespace drover::balance
