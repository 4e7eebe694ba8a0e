// Tenants on paper: what each was served in windows in which both wait.
#include <gtest/gtest.h>

#include <cmath>

#include "replay/fairness.h"

namespace drover::replay {
namespace {

using namespace std::chrono_literals;

const std::vector<std::string> kNames{"one", "other"};

// A request that is read for `reading` behind its wait, and written for as long.
Request served(std::size_t tenant, Duration arrived, Duration waited, Duration reading, std::uint32_t tokens) {
  Request request{.question = {.prompt = {}, .tenant = tenant}, .arrived = Mono{arrived}};
  request.first_token = Mono{arrived + waited + reading};
  request.ended = *request.first_token + reading;
  request.usage = {.prompt = tokens, .answer = tokens / 2, .prompt_time = reading};
  request.end = End::ok;
  return request;
}

// `count` requests, one behind the other, which all came at once.
std::vector<Request> backlog(std::size_t tenant, int count, std::uint32_t tokens) {
  std::vector<Request> requests;
  for (int i = 0; i < count; ++i) requests.push_back(served(tenant, 0s, 2s * i, 1s, tokens));
  return requests;
}

std::vector<Request> both(std::vector<Request> a, const std::vector<Request>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

TEST(Fairness, equal_shares_have_no_gap) {
  const Fairness fairness = fairness_of(both(backlog(0, 50, 100), backlog(1, 60, 100)), kNames);
  EXPECT_EQ(fairness.windows, 4U) << "the first one's last begins at 98 s: windows from 0, 10, 20, 30 s";
  EXPECT_NEAR(fairness.gap_max, 0, 1e-9);
  EXPECT_EQ(fairness.modest, 0U);
  EXPECT_EQ(fairness.tenants[1].requests, 60U);
  EXPECT_DOUBLE_EQ(fairness.tenants[0].tokens, 50 * (100 + 2 * 50)) << "an answer's token counts twice";
  EXPECT_DOUBLE_EQ(fairness.tenants[0].waited.p50, 48);
  EXPECT_DOUBLE_EQ(fairness.tenants[0].end_to_end.p50, 50);
}

TEST(Fairness, a_quarter_less_is_a_gap_of_a_quarter) {
  const Fairness fairness = fairness_of(both(backlog(0, 50, 120), backlog(1, 50, 160)), kNames);
  EXPECT_EQ(fairness.windows, 4U);
  EXPECT_NEAR(fairness.gap_mean, 0.25, 1e-9);
  EXPECT_NEAR(fairness.gap_max, 0.25, 1e-9);
}

TEST(Fairness, only_whole_minutes_count_in_which_both_wait_all_the_time) {
  // The other one waits from 0 to 30 s and from 31 to 98 s.
  std::vector<Request> requests = backlog(0, 50, 100);
  requests.push_back(served(1, 0s, 30s, 1s, 10));
  requests.push_back(served(1, 31s, 67s, 1s, 10));
  const Fairness fairness = fairness_of(requests, kNames);
  EXPECT_EQ(fairness.windows, 1U) << "from 31 s";
  EXPECT_EQ(fairness.modest, 1U);
  EXPECT_GT(fairness.gap_max, 0.9);
}

TEST(Fairness, who_is_refused_has_waited_and_got_nothing) {
  Request refused{.question = {.prompt = {}, .tenant = 1}, .arrived = Mono{0s}};
  refused.end = End::refused;
  refused.ended = Mono{70s};
  const Fairness fairness = fairness_of(both(backlog(0, 50, 100), {refused}), kNames);
  EXPECT_EQ(fairness.windows, 2U);
  EXPECT_DOUBLE_EQ(fairness.gap_max, 1);
  EXPECT_TRUE(std::isinf(fairness.tenants[1].end_to_end.p95));
  EXPECT_EQ(fairness.tenants[1].ok, 0U);
}

TEST(Fairness, of_nobody_who_waits_nothing_is_said) {
  const Fairness fairness = fairness_of(std::vector<Request>{}, kNames);
  EXPECT_EQ(fairness.windows, 0U);
  EXPECT_TRUE(std::isnan(fairness.tenants[0].end_to_end.p50));
}

}  // namespace
}  // namespace drover::replay
