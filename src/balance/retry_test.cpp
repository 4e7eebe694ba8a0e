// Rule R of the fault matrix as a table.
#include "balance/retry.h"

#include <gtest/gtest.h>

#include <set>
#include <string_view>

#include "balance/retry_budget.h"

namespace drover::balance {
namespace {

using std::chrono::seconds;

struct RetryCase {
  std::string_view name;
  ErrorCode code;
  Retry fresh;   // after a failure on a fresh connection
  Retry reused;  // on a pooled one
  Retry write;   // of a request that changes the node
};
constexpr Retry kNo = Retry::no, kSame = Retry::same_node, kOther = Retry::other_node, kRequeue = Retry::requeue;
constexpr RetryCase kCases[] = {
    {"row_1_connection_refused", ErrorCode::connect_refused, kRequeue, kRequeue, kRequeue},
    {"row_2_no_answer_to_the_syn", ErrorCode::connect_timed_out, kRequeue, kRequeue, kRequeue},
    {"row_8_no_route_or_no_name", ErrorCode::unreachable, kRequeue, kRequeue, kRequeue},
    {"row_3_reset_before_the_head", ErrorCode::reset, kRequeue, kSame, kNo},
    {"row_4_end_before_the_head", ErrorCode::closed, kRequeue, kSame, kNo},
    {"row_5_silence", ErrorCode::response_timed_out, kNo, kNo, kNo},
    {"row_11_server_busy", ErrorCode::server_busy, kRequeue, kRequeue, kNo},
    {"a_slot_leaked", ErrorCode::slot_leaked, kRequeue, kRequeue, kNo},
    {"row_13_any_other_refusal", ErrorCode::refused_by_node, kNo, kNo, kNo},
    {"row_14_model_deleted_meanwhile", ErrorCode::model_absent, kOther, kOther, kNo},
    {"the_runner_died", ErrorCode::runner_died, kOther, kOther, kNo},
    {"row_16_junk", ErrorCode::protocol, kNo, kNo, kNo},
    {"our_bound_was_passed", ErrorCode::too_large, kNo, kNo, kNo},
    {"the_request_s_deadline", ErrorCode::timed_out, kNo, kNo, kNo},
    {"cancelled", ErrorCode::cancelled, kNo, kNo, kNo},
    {"a_setting", ErrorCode::config, kNo, kNo, kNo},
    {"the_operating_system", ErrorCode::system, kNo, kNo, kNo},
    {"bad_input", ErrorCode::invalid, kNo, kNo, kNo},
};

Error upstream(ErrorCode code) { return {.code = code, .side = Side::upstream, .detail = ""}; }

TEST(Retry, follows_rule_r_for_every_error) {
  std::set<ErrorCode> seen;
  for (const RetryCase& test : kCases) {
    seen.insert(test.code);
    Attempt attempt{.runner_deaths = test.code == ErrorCode::runner_died ? 1U : 0U};
    EXPECT_EQ(name(retry_after(upstream(test.code), attempt)), name(test.fresh)) << test.name;
    attempt.reused_connection = true;
    EXPECT_EQ(name(retry_after(upstream(test.code), attempt)), name(test.reused)) << test.name << ", reused";
    attempt.reused_connection = false;
    attempt.route = RouteKind::write;
    EXPECT_EQ(name(retry_after(upstream(test.code), attempt)), name(test.write)) << test.name << ", write";
  }
  EXPECT_EQ(seen.size(), static_cast<std::size_t>(ErrorCode::invalid) + 1) << "every error code has its row";
}

struct OverCase {
  std::string_view name;
  Attempt attempt;
  Retry retry;
};
const OverCase kOverCases[] = {
    {"second_of_three", {.number = 2}, kRequeue},
    {"the_last_attempt", {.number = 3}, kNo},
    {"one_byte_has_gone_to_the_client", {.sent_to_client = Bytes{1}}, kNo},
    {"the_request_is_not_held_any_more", {.replayable = false}, kNo},
    {"no_time_is_left", {.deadline_left = false}, kNo},
    {"a_single_attempt_is_allowed", {.limit = 1}, kNo},
};

TEST(Retry, ends_when_any_condition_fails) {
  for (const OverCase& test : kOverCases) {
    EXPECT_EQ(name(retry_after(upstream(ErrorCode::connect_refused), test.attempt)), name(test.retry)) << test.name;
  }
}

TEST(Retry, is_for_failures_of_nodes_only) {
  for (const Side side : {Side::client, Side::gateway}) {
    EXPECT_EQ(retry_after({.code = ErrorCode::reset, .side = side, .detail = ""}, {}), Retry::no) << name(side);
  }
}

TEST(Retry, tries_another_node_once_when_a_runner_died) {
  EXPECT_EQ(retry_after(upstream(ErrorCode::runner_died), {.runner_deaths = 2}), Retry::no);
}

TEST(RetryBudget, is_a_fifth_of_the_active_requests_but_at_least_three) {
  RetryBudget budget{RetryBudgetSettings{}};
  for (const auto& [active, limit] : {std::pair{0U, 3U}, {10U, 3U}, {15U, 3U}, {20U, 4U}, {100U, 20U}}) {
    EXPECT_EQ(budget.limit(active), limit) << active;
  }
}

TEST(RetryBudget, is_given_back) {
  RetryBudget budget{RetryBudgetSettings{}};
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(budget.take(5));
  EXPECT_FALSE(budget.take(5));
  EXPECT_TRUE(budget.take(20));
  EXPECT_EQ(budget.in_use(), 4U);
  budget.give_back();
  budget.give_back();
  EXPECT_TRUE(budget.take(5));
}

}  // namespace
}  // namespace drover::balance
