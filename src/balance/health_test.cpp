#include "balance/health.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace drover::balance {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Evidence, one letter each: p probe passed, P probe failed, s request served, u served as usual, w served slowly, f
// request failed, l request failed at the last capable node, . one second passes, : a minute. States, one letter after
// each: S stable, D degraded, O offline, R recovering.
struct HealthCase {
  std::string_view name, evidence, states;
};
constexpr HealthCase kCases[] = {
    {"the_first_passed_probe_brings_a_new_node_in_at_once", "p", "S"},
    {"requests_alone_do_not_bring_a_new_node_in", "s.s", "OOO"},
    {"a_node_that_was_never_up_comes_in_with_its_first_pass_whatever_failed_before", "PPPPp", "OOOOS"},

    {"one_slow_probe_means_nothing", "pPp", "SSS"},
    {"two_failed_probes_degrade_and_a_pass_heals", "pPPp", "SSDS"},
    {"three_failed_probes_in_a_row_take_it_offline", "pPPP", "SSDO"},
    {"a_pass_in_between_starts_the_count_again", "pPPpPPp", "SSDSSDS"},
    {"two_passed_probes_end_an_outage_that_probes_began", "pPPPpp", "SSDOOR"},
    {"a_failed_probe_while_offline_starts_the_count_of_passes_again", "pPPPpPpp", "SSDOOOOR"},
    {"a_failed_probe_while_recovering_takes_it_offline_again", "pPPPppP", "SSDOORO"},
    {"after_probes_a_further_pass_and_the_ramp_lead_back", "pPPPppp.....", "SSDOORRRRRRS"},
    {"after_probes_a_served_request_and_the_ramp_lead_back", "pPPPpps.....", "SSDOORRRRRRS"},

    {"row_1_two_failed_requests_degrade_and_one_served_heals", "pffs", "SSDS"},
    {"row_1_three_failed_requests_in_a_row_take_it_offline", "pfff", "SSDO"},
    {"a_served_request_in_between_starts_the_count_again", "pffsff", "SSDSSD"},
    {"it_is_tried_again_five_seconds_after_requests_failed", "pfff.....", "SSDOOOOOR"},
    {"but_not_while_probes_fail", "pfff....P..pp", "SSDOOOOOOOORR"},
    {"passed_probes_alone_do_not_end_an_outage_that_requests_began", "pfff.....ppp........", "SSDOOOOORRRRRRRRRRRR"},
    {"a_served_request_and_the_ramp_do", "pfff.....s.....", "SSDOOOOORRRRRRS"},
    {"a_failed_request_while_recovering_takes_it_offline_for_twice_as_long", "pfff.....f.........pp.",
     "SSDOOOOOROOOOOOOOOOOOR"},

    {"the_last_capable_node_is_only_degraded_by_requests", "pllllll", "SSDDDDD"},
    {"but_it_is_taken_offline_by_probes", "plllPPP", "SSDDDDO"},
    {"once_it_is_not_the_last_the_next_failure_takes_it_offline", "plllf", "SSDDO"},
    {"last_capable_and_recovering_it_stays_half_open", "pfff.....l", "SSDOOOOORR"},

    {"many_failures_among_successes_degrade_it", "psssssssfsfs", "SSSSSSSSSSDD"},
    {"when_more_than_half_failed_the_next_failure_takes_it_offline", "psffsffsffsf", "SSSDSSDSSDDO"},

    {"three_slow_answers_in_a_row_degrade_it_and_no_number_takes_it_offline", "pwwwwwwwwwwww", "SSSDDDDDDDDDD"},
    {"an_answer_as_usual_starts_the_count_again_and_heals", "pwwuwwwu", "SSSSSSDS"},
    {"one_whose_speed_is_not_known_says_nothing_of_it", "pwwswsu", "SSSSDDS"},
    {"after_a_minute_without_one_it_is_tried_again", "pwww:w:u", "SSSDSDSS"},
    {"slow_or_not_it_goes_offline_for_failures", "pwwwff.f", "SSSDDDDO"},
    {"slow_answers_end_a_trial_as_others_do", "pfff.....w.....", "SSDOOOOORRRRRRS"},
};

Evidence evidence_for(char letter) {
  switch (letter) {
    case 'p': return Evidence::probe_passed;
    case 'P': return Evidence::probe_failed;
    case 's': return Evidence::request_served;
    case 'u': return Evidence::served_as_usual;
    case 'w': return Evidence::served_slowly;
    case '.':
    case ':': return Evidence::time_passed;
    default: return Evidence::request_failed;
  }
}

Duration time_for(char letter) { return seconds(letter == ':' ? 60 : letter == '.' ? 1 : 0); }

char letter(Health health) {
  switch (health) {
    case Health::stable: return 'S';
    case Health::degraded: return 'D';
    case Health::offline: return 'O';
    case Health::recovering: return 'R';
  }
  return '?';
}

TEST(Health, follows_the_evidence) {
  for (const HealthCase& test : kCases) {
    HealthTracker tracker{HealthSettings{}};
    Mono now = Mono{} + std::chrono::hours(1);
    std::string states;
    for (const char c : test.evidence) {
      const Health before = tracker.state();
      now += time_for(c);
      const auto step = tracker.observe(evidence_for(c), c == 'l', now);
      EXPECT_EQ(step.has_value(), before != tracker.state()) << test.name << ": a change is reported, nothing else is";
      if (step) {
        EXPECT_EQ(step->from, before) << test.name;
        EXPECT_EQ(step->to, tracker.state()) << test.name;
      }
      states += letter(tracker.state());
    }
    EXPECT_EQ(states, test.states) << test.name << ": " << test.evidence;
  }
}

HealthTracker tracker_after(std::string_view evidence, Mono& now) {
  HealthTracker tracker{HealthSettings{}};
  for (const char c : evidence) {
    now += time_for(c);
    tracker.observe(evidence_for(c), false, now);
  }
  return tracker;
}

// What it admits in each second of its ramp, with so many slots.
std::string ramp(std::size_t slots) {
  Mono now = Mono{} + std::chrono::hours(1);
  HealthTracker tracker = tracker_after("pfff.....", now);
  EXPECT_EQ(tracker.admission_limit(slots, now), 1U);
  tracker.observe(Evidence::request_served, false, now);
  std::string limits;
  for (int step = 0; step < 5; ++step, now += seconds(1)) {
    limits += std::to_string(tracker.admission_limit(slots, now)) + " ";
  }
  tracker.observe(Evidence::time_passed, false, now);
  EXPECT_GT(tracker.admission_limit(slots, now), 1'000'000U);
  return limits;
}

TEST(Health, row_114_admits_one_then_a_growing_share_of_its_slots) {
  EXPECT_EQ(ramp(12), "2 4 6 8 10 ");
  EXPECT_EQ(ramp(4), "1 2 2 3 4 ");
  EXPECT_EQ(ramp(96), "16 32 48 64 80 ");
  EXPECT_EQ(ramp(1), "1 1 1 1 1 ");
  EXPECT_EQ(ramp(0), "1 1 1 1 1 ");  // no model is there yet
}

TEST(Health, admits_nothing_while_offline_and_less_weight_while_degraded) {
  Mono now = Mono{} + std::chrono::hours(1);
  EXPECT_EQ(tracker_after("pPPP", now).admission_limit(4, now), 0U);
  EXPECT_EQ(tracker_after("pPP", now).weight_factor(false), 0.25);
  EXPECT_EQ(tracker_after("p", now).weight_factor(false), 1.0);
}

TEST(Health, slowness_is_not_counted_twice_where_speed_counts_already) {
  Mono now = Mono{} + std::chrono::hours(1);
  EXPECT_EQ(tracker_after("pwww", now).weight_factor(false), 0.25);
  EXPECT_EQ(tracker_after("pwww", now).weight_factor(true), 1.0);
  EXPECT_EQ(tracker_after("pwwwff", now).weight_factor(true), 0.25);
}

// How long it stays offline after requests failed `times` times, one outage right after the other.
Duration outage(int times) {
  Mono now = Mono{} + std::chrono::hours(1);
  HealthTracker tracker = tracker_after("pff", now);
  Mono began{};
  for (int i = 0; i < times; ++i) {
    began = now;
    tracker.observe(Evidence::request_failed, false, now);
    while (tracker.state() == Health::offline) {
      now += milliseconds(500);
      tracker.observe(Evidence::time_passed, false, now);
    }
  }
  return now - began;
}

TEST(Health, stays_offline_longer_with_each_repetition_up_to_a_minute) {
  EXPECT_EQ(outage(1), seconds(5));
  EXPECT_EQ(outage(2), seconds(10));
  EXPECT_EQ(outage(4), seconds(40));
  EXPECT_EQ(outage(5), seconds(60));
  EXPECT_EQ(outage(50), seconds(60));
}

TEST(Health, forgets_repetitions_after_a_good_time) {
  Mono now = Mono{} + std::chrono::hours(1);
  HealthTracker tracker = tracker_after("pfff.....f..........", now);
  tracker.observe(Evidence::request_served, false, now);
  now += seconds(5);
  tracker.observe(Evidence::time_passed, false, now);
  ASSERT_EQ(tracker.state(), Health::stable);
  now += seconds(61);
  for (int i = 0; i < 3; ++i) tracker.observe(Evidence::request_failed, false, now);
  ASSERT_EQ(tracker.state(), Health::offline);
  now += seconds(5);
  tracker.observe(Evidence::time_passed, false, now);
  EXPECT_EQ(tracker.state(), Health::recovering);
}

TEST(Health, says_why) {
  Mono now = Mono{} + std::chrono::hours(1);
  EXPECT_EQ(name(tracker_after("", now).why()), "not_probed_yet");
  EXPECT_EQ(name(tracker_after("p", now).why()), "probes_passed");
  EXPECT_EQ(name(tracker_after("pPPP", now).why()), "probes_failed");
  EXPECT_EQ(name(tracker_after("pfff", now).why()), "requests_failed");
  EXPECT_EQ(name(tracker_after("pfff.....", now).why()), "interval_over");
  EXPECT_EQ(name(tracker_after("pfffPPP", now).why()), "probes_failed");
  EXPECT_EQ(name(tracker_after("pPPp", now).why()), "clean_again");
  EXPECT_EQ(name(tracker_after("pwww", now).why()), "answers_slow");
}

}  // namespace
}  // namespace drover::balance
