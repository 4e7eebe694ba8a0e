// Traces as they are published, what is wrong with one, and the real ones where they lie beside the sources.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <set>
#include <sstream>

#include "traces/reader.h"

namespace drover::traces {
namespace {

using namespace std::chrono_literals;

Result<Reader> reader_of(const std::string& text) {
  return Reader::read(std::make_unique<std::istringstream>(text), "t");
}

// All requests, or what is wrong.
Result<std::vector<Request>> read_all(const std::string& text) {
  auto reader = reader_of(text);
  if (!reader) return reader.error();
  std::vector<Request> requests;
  while (true) {
    auto request = reader->next();
    if (!request) return request.error();
    if (!*request) return requests;
    requests.push_back(std::move(**request));
  }
}

constexpr std::string_view kHeader = "TIMESTAMP,ContextTokens,GeneratedTokens\n";

std::string azure(std::string_view rows) { return std::string(kHeader) + std::string(rows); }

TEST(Azure, times_count_from_the_first_request) {
  const auto requests = read_all(azure("2023-11-16 23:59:59.6805900,374,44\r\n\n2023-11-17 00:00:01,1,109"));
  ASSERT_TRUE(requests) << requests.error().detail;
  EXPECT_EQ(*requests, (std::vector<Request>{{.at = 0s, .prompt = Tokens{374}, .answer = Tokens{44}},
                                             {.at = 1319410us, .prompt = Tokens{1}, .answer = Tokens{109}}}));
}

TEST(Azure, columns_are_found_by_their_titles) {
  const auto requests = read_all(
      "Session,GeneratedTokens,NumImages,ContextTokens,TIMESTAMP,Tenant\n"
      "s1,7,0,9,2024-05-10 00:00:00.009930+00:00,blue\n");
  ASSERT_TRUE(requests) << requests.error().detail;
  EXPECT_EQ(requests->at(0), (Request{.prompt = Tokens{9}, .answer = Tokens{7}, .tenant = "blue", .session = "s1"}));
}

TEST(Mooncake, keeps_the_blocks_of_prompts) {
  const auto requests = read_all(
      R"({"timestamp": 2500, "input_length": 1024, "output_length": 5, "hash_ids": [0, 1]})"
      "\n"
      R"({"timestamp": 4000.5, "input_length": 513, "output_length": 1, "hash_ids": [0, 7], "tenant": "a", "session": "b"})");
  ASSERT_TRUE(requests) << requests.error().detail;
  EXPECT_EQ(*requests, (std::vector<Request>{
                           {.prompt = Tokens{1024}, .answer = Tokens{5}, .blocks = {0, 1}, .block_tokens = Tokens{512}},
                           {.at = 1500500us,
                            .prompt = Tokens{513},
                            .answer = Tokens{1},
                            .blocks = {0, 7},
                            .block_tokens = Tokens{512},
                            .tenant = "a",
                            .session = "b"}}));
}

// One line of an access log of a gateway of November 2026, and its like.
std::string logged(std::string_view time, std::string_view outcome, std::string_view rest) {
  return fmt::format(R"({{"@timestamp":"2026-11-21T09:54:{}Z","http.route":"/api/chat","drover.outcome":"{}"{}}})"
                     "\n",
                     time, outcome, rest);
}
constexpr std::string_view kCounts = R"(,"gen_ai.usage.input_tokens":700,"gen_ai.usage.output_tokens":64)";

TEST(AccessLog, comes_in_order_of_arrival_with_the_beginnings_of_prompts) {
  const auto requests = read_all(
      logged("57.5", "ok",
             R"(,"gen_ai.request.model":"qwen3:8b","gen_ai.usage.input_tokens":21,"gen_ai.usage.output_tokens":3)") +
      logged("50.25", "truncated",
             std::string(kCounts) +
                 R"(,"drover.session":"0abc","drover.prefix_hashes":["0000000000000010","fedcba9876543210"])"));
  ASSERT_TRUE(requests) << requests.error().detail;
  EXPECT_EQ(*requests,
            (std::vector<Request>{{.prompt = Tokens{700},
                                   .answer = Tokens{64},
                                   .blocks = {16, 0xfedc'ba98'7654'3210},
                                   .block_tokens = kLoggedBlock,
                                   .session = "0abc"},
                                  {.at = 7250ms, .prompt = Tokens{21}, .answer = Tokens{3}, .model = "qwen3:8b"}}));
}

TEST(AccessLog, what_has_no_counts_is_left_out_and_counted_by_its_end) {
  auto reader = reader_of(logged("01", "refused", "") + logged("02", "failed", "") + logged("03", "cancelled", "") +
                          logged("04", "truncated", "") + logged("05", "ok", "") + logged("06", "ok", "") +
                          logged("07", "ok", kCounts));
  ASSERT_TRUE(reader) << reader.error().detail;
  EXPECT_EQ(reader->form(), Form::access_log);
  const LeftOut& left_out = reader->left_out();
  EXPECT_EQ((std::array{left_out.refused, left_out.failed, left_out.cancelled, left_out.truncated, left_out.other}),
            (std::array<std::uint64_t, 5>{1, 1, 1, 1, 2}));
  EXPECT_EQ(left_out.all(), 6U);
  EXPECT_TRUE(reader->next()->has_value());
  EXPECT_FALSE(reader->next()->has_value());
}

struct FaultCase {
  std::string_view name, text, error;
};

class Faults : public testing::TestWithParam<FaultCase> {};

TEST_P(Faults, are_told_with_their_line) {
  const auto requests = read_all(std::string(GetParam().text));
  ASSERT_FALSE(requests);
  EXPECT_EQ(requests.error().detail, GetParam().error);
  EXPECT_EQ(requests.error().code, ErrorCode::invalid);
}

INSTANTIATE_TEST_SUITE_P(
    Trace, Faults,
    testing::Values(
        FaultCase{"empty", "\n\n", "t:3: the trace is empty"},
        FaultCase{"no_trace", "hello\n",
                  "t:1: this is no trace; expected the CSV header TIMESTAMP,ContextTokens,GeneratedTokens, or a JSON "
                  "object with timestamp, input_length and output_length, or a line of an access log of Drover"},
        FaultCase{"a_cell_is_missing", "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46,374\n",
                  "t:2: 2 cells; expected 3, as the header has"},
        FaultCase{"no_time", "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-13-16 18:15:46,1,1\n",
                  "t:2: TIMESTAMP is \"2023-13-16 18:15:46\"; expected a time as 2023-11-16 18:15:46.6805900"},
        FaultCase{"no_tokens", "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46,0,1\n",
                  "t:2: ContextTokens is 0; expected a whole number of tokens from 1 to 1000000"},
        FaultCase{"too_many_tokens", "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46,1,1000001\n",
                  "t:2: GeneratedTokens is 1000001; expected a whole number of tokens from 1 to 1000000"},
        FaultCase{"time_goes_back",
                  "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46,1,1\n2023-11-16 18:15:45,1,1\n",
                  "t:3: the request came before the one above it; sort the trace by time"},
        FaultCase{"no_timestamp", R"({"input_length": 1, "output_length": 1})",
                  "t:1: timestamp is missing or no number of milliseconds"},
        FaultCase{"no_length", R"({"timestamp": 1, "input_length": 1})", "t:1: output_length is missing"},
        FaultCase{"blocks_do_not_cover_the_prompt",
                  R"({"timestamp": 1, "input_length": 513, "output_length": 1, "hash_ids": [1]})",
                  "t:1: hash_ids has 1 ids; expected 2, one for each 512 of 513 tokens"},
        FaultCase{"a_block_is_no_number",
                  R"({"timestamp": 1, "input_length": 5, "output_length": 1, "hash_ids": [-1]})",
                  "t:1: hash_ids has -1; expected whole numbers"},
        FaultCase{"a_log_without_time", R"({"@timestamp":"soon","drover.outcome":"ok"})",
                  "t:1: @timestamp is missing or no time"},
        FaultCase{"a_hash_is_none",
                  R"({"@timestamp":"2026-11-21T09:54:57Z","drover.outcome":"ok","gen_ai.usage.input_tokens":7,)"
                  R"("gen_ai.usage.output_tokens":6,"drover.prefix_hashes":["x"]})",
                  "t:1: drover.prefix_hashes has \"x\"; expected hexadecimal numbers in quotes"}),
    [](const auto& each) { return std::string(each.param.name); });

TEST(Reader, a_line_longer_than_the_bound_is_refused) {
  const auto at_the_bound = azure("2023-11-16 18:15:46,1," + std::string(kMaxLine - 23, '0') + "1\n");
  EXPECT_TRUE(read_all(at_the_bound)) << read_all(at_the_bound).error().detail;
  const auto beyond = azure("2023-11-16 18:15:46,1," + std::string(kMaxLine, '0') + "1\n");
  EXPECT_EQ(read_all(beyond).error().detail, "t:2: the line is longer than 1048576 bytes");
}

TEST(Reader, a_file_that_is_not_there_is_named) {
  EXPECT_EQ(Reader::open("/nowhere/trace.csv").error().detail, "/nowhere/trace.csv: cannot be read");
}

// As ../shared/traces/README.md counts them.
TEST(RealTraces, are_read_to_their_end) {
  const std::filesystem::path folder = DROVER_SOURCE_DIR "/../shared/traces";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "there are no traces in " << folder;
  const auto count = [&](const char* name, Tokens& prompts) {
    auto reader = Reader::open(folder / name);
    EXPECT_TRUE(reader) << reader.error().detail;
    std::size_t rows = 0;
    while (true) {
      const auto request = reader->next();
      EXPECT_TRUE(request) << request.error().detail;
      if (!request || !*request) return rows;
      prompts += (*request)->prompt;
      ++rows;
    }
  };
  Tokens azure_tokens, mooncake_tokens;
  EXPECT_EQ(count("azure-llm-2023-conv.csv", azure_tokens), 19'366U);
  EXPECT_EQ(count("mooncake-conversation.jsonl", mooncake_tokens), 12'031U);
  EXPECT_EQ(mooncake_tokens.value / 12'031, 12'035U) << "the mean that the traces' own page names";
}

}  // namespace
}  // namespace drover::traces
