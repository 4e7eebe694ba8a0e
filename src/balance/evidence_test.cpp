#include "balance/evidence.h"

#include <gtest/gtest.h>

#include <string_view>

namespace drover::balance {
namespace {

using Kind = Outcome::Kind;

struct EvidenceCase {
  std::string_view name;
  Outcome outcome;
  std::optional<Evidence> evidence;
};
constexpr auto kServed = Evidence::request_served;
constexpr auto kFailed = Evidence::request_failed;
constexpr auto kNone = std::nullopt;

const EvidenceCase kCases[] = {
    {"an_answer", {}, kServed},
    {"a_client_that_left", {.kind = Kind::client_cancelled}, kNone},
    {"row_1_refused", {.kind = Kind::node_failed, .code = ErrorCode::connect_refused}, kFailed},
    {"row_2_no_answer_to_the_syn", {.kind = Kind::node_failed, .code = ErrorCode::connect_timed_out}, kFailed},
    {"row_3_reset", {.kind = Kind::node_failed, .code = ErrorCode::reset}, kFailed},
    {"row_4_end_on_a_fresh_connection", {.kind = Kind::node_failed, .code = ErrorCode::closed}, kFailed},
    {"row_4_a_stale_pooled_connection",
     {.kind = Kind::node_failed, .code = ErrorCode::closed, .reused_connection = true},
     kNone},
    {"row_5_silence", {.kind = Kind::node_failed, .code = ErrorCode::response_timed_out}, kFailed},
    {"a_slot_leaked", {.kind = Kind::node_failed, .code = ErrorCode::slot_leaked}, kNone},
    {"row_11_server_busy", {.kind = Kind::node_failed, .code = ErrorCode::server_busy, .status = 503}, kNone},
    {"row_11_any_other_503", {.kind = Kind::node_failed, .code = ErrorCode::refused_by_node, .status = 503}, kFailed},
    {"row_13_a_500", {.kind = Kind::node_failed, .code = ErrorCode::refused_by_node, .status = 500}, kNone},
    {"a_bad_gateway", {.kind = Kind::node_failed, .code = ErrorCode::refused_by_node, .status = 502}, kFailed},
    {"a_400", {.kind = Kind::node_failed, .code = ErrorCode::refused_by_node, .status = 400}, kNone},
    {"row_14_model_deleted", {.kind = Kind::node_failed, .code = ErrorCode::model_absent, .status = 404}, kNone},
    {"the_runner_died", {.kind = Kind::node_failed, .code = ErrorCode::runner_died, .status = 500}, kFailed},
    {"row_16_junk", {.kind = Kind::node_failed, .code = ErrorCode::protocol}, kFailed},
    {"row_17_reset_in_mid_stream", {.kind = Kind::truncated, .code = ErrorCode::reset}, kFailed},
    {"row_17_on_a_pooled_connection_too",
     {.kind = Kind::truncated, .code = ErrorCode::reset, .reused_connection = true},
     kFailed},
    {"row_20_stall", {.kind = Kind::truncated, .code = ErrorCode::response_timed_out}, kFailed},
    {"row_21_longer_than_a_request_may_take", {.kind = Kind::truncated, .code = ErrorCode::timed_out}, kNone},
};

TEST(Evidence, blames_the_node_only_for_its_own_failures) {
  for (const EvidenceCase& test : kCases) EXPECT_EQ(evidence_of(test.outcome), test.evidence) << test.name;
}

}  // namespace
}  // namespace drover::balance
