// One request, one line: whole, in order, and not to be forged.
#include <gtest/gtest.h>

#include <array>
#include <sstream>
#include <vector>

#include "base/json.h"
#include "observe/access_log.h"
#include "traces/reader.h"

namespace drover::observe {
namespace {

using namespace std::chrono_literals;

std::string line_of(const AccessRecord& record) {
  std::string line;
  append_access_line(line, record);
  return line;
}

TEST(AccessLine, tells_the_whole_story_in_a_fixed_order) {
  AccessRecord record;
  record.request_id = "7f3a";
  record.time = Wall{1'787'386'272'140ms};
  record.client = "::1";
  record.method = "POST";
  record.route = "/api/chat";
  record.dialect = api::Dialect::ollama;
  record.model = "assistant";
  record.served_model = "qwen3:8b";
  record.fell_back_from = "qwen3:32b";
  record.node = "gpu-2";
  record.status = 200;
  record.outcome = Outcome::truncated;
  record.reason = api::Reason::upstream_truncated;
  record.picked = "least_connections";
  record.tenant = "team-a";
  record.attempts = 2;
  record.stream = true;
  record.total = 1204ms;
  record.queue = 12'345'678ns;
  record.expected_queue = 10ms;
  record.load = 0ns;
  record.prefill = 90ms;
  record.decode = 1100ms;
  record.overhead = 7us;
  record.first_byte = 104ms;
  record.received = Bytes{1210};
  record.sent = Bytes{18432};
  record.prompt_tokens = 55;
  record.cached_tokens = 41;
  record.completion_tokens = 180;
  EXPECT_EQ(line_of(record),
            "{\"@timestamp\":\"2026-08-22T08:11:12.14Z\",\"http.request.id\":\"7f3a\",\"source.ip\":\"::1\","
            "\"http.request.method\":\"POST\",\"http.route\":\"/api/chat\",\"http.response.status_code\":200,"
            "\"drover.outcome\":\"truncated\",\"drover.reason\":\"upstream_truncated\",\"drover.dialect\":\"ollama\","
            "\"gen_ai.request.model\":\"assistant\",\"gen_ai.response.model\":\"qwen3:8b\",\"drover.fallback\":\"qwen3:"
            "32b\",\"drover.node\":\"gpu-2\","
            "\"drover.picked\":\"least_connections\","
            "\"drover.tenant\":\"team-a\","
            "\"drover.attempts\":2,\"drover.stream\":true,\"event.duration\":1204000000,\"drover.queue_ms\":12.345,"
            "\"drover.expected_queue_ms\":10.000,"
            "\"drover.load_ms\":0.000,\"drover.prefill_ms\":90.000,\"drover.decode_ms\":1100.000,"
            "\"drover.overhead_ms\":0.007,\"drover.first_byte_ms\":104.000,\"http.request.body.bytes\":1210,"
            "\"http.response.body.bytes\":18432,\"gen_ai.usage.input_tokens\":55,"
            "\"gen_ai.usage.cache_read.input_tokens\":41,\"gen_ai.usage.output_tokens\":180}\n");
}

TEST(AccessLine, ends_with_hashes_where_they_are_asked_for) {
  const std::array<std::uint64_t, 3> hashes{1, 0xfedc'ba98'7654'3210, 0};
  AccessRecord record;
  record.session = 0xabc;
  record.prefix_hashes = hashes;
  const std::string line = line_of(record);
  EXPECT_TRUE(
      line.ends_with(",\"drover.session\":\"0000000000000abc\",\"drover.prefix_hashes\":[\"0000000000000001\","
                     "\"fedcba9876543210\",\"0000000000000000\"]}\n"))
      << line;
  const std::vector<std::uint64_t> many(1'000, ~std::uint64_t{0});
  record.prefix_hashes = many;
  EXPECT_EQ(member(parse_json(line_of(record)).value(), "drover.prefix_hashes")->size(), many.size());
}

// `drover replay` and `drover load` take an access log for a trace.
TEST(AccessLine, is_read_again_as_a_request_of_a_trace) {
  const std::array<std::uint64_t, 2> hashes{7, ~std::uint64_t{0}};
  AccessRecord record;
  record.time = Wall{1'787'386'272'140ms};
  record.model = "qwen3:8b \"odd\"";
  record.prompt_tokens = 600;
  record.completion_tokens = 180;
  record.session = 0xabc;
  record.prefix_hashes = hashes;
  AccessRecord earlier = record;  // that ended later
  earlier.time -= 250ms;
  AccessRecord refused;
  refused.outcome = Outcome::refused;
  auto reader = traces::Reader::read(
      std::make_unique<std::istringstream>(line_of(refused) + line_of(record) + line_of(earlier)), "log");
  ASSERT_TRUE(reader) << reader.error().detail;
  EXPECT_EQ(reader->form(), traces::Form::access_log);
  EXPECT_EQ(reader->left_out().refused, 1U);
  traces::Request expected{.prompt = Tokens{600},
                           .answer = Tokens{180},
                           .blocks = {hashes.begin(), hashes.end()},
                           .block_tokens = traces::kLoggedBlock,
                           .model = "qwen3:8b \"odd\"",
                           .session = "0000000000000abc"};
  EXPECT_EQ(reader->next().value(), expected);
  expected.at = 250ms;
  EXPECT_EQ(reader->next().value(), expected);
  EXPECT_EQ(reader->next().value(), std::nullopt);
}

TEST(AccessLine, leaves_out_what_is_not_known) {
  AccessRecord record;
  record.outcome = Outcome::refused;
  record.reason = api::Reason::framing;
  record.overhead = -1ms;
  EXPECT_EQ(line_of(record),
            "{\"@timestamp\":\"1970-01-01T00:00:00Z\",\"http.response.status_code\":0,\"drover.outcome\":\"refused\","
            "\"drover.reason\":\"framing\",\"drover.attempts\":0,\"drover.stream\":false,\"event.duration\":0,"
            "\"drover.overhead_ms\":0.000,\"http.request.body.bytes\":0,\"http.response.body.bytes\":0}\n");
}

TEST(AccessLine, is_appended_to_what_is_there) {
  AccessRecord record;
  record.node = "gpu-1";
  const std::string line = line_of(record);
  std::string lines = line;
  append_access_line(lines, record);
  EXPECT_EQ(lines, line + line);
}

TEST(AccessLine, has_room_for_texts_that_are_escaped_throughout) {
  const std::string controls(4000, '\x01');
  AccessRecord record;
  for (std::string_view* text : {&record.request_id, &record.client, &record.method, &record.model,
                                 &record.served_model, &record.fell_back_from, &record.node, &record.tenant}) {
    *text = controls;
  }
  const std::string line = line_of(record);
  EXPECT_TRUE(parse_json(line));
  EXPECT_GT(line.size(), 6 * 6 * controls.size());
}

struct ForgeryCase {
  std::string_view model, written;
};
constexpr ForgeryCase kForgeries[] = {
    {"a\"b\\c", R"(a\"b\\c)"},
    {"a\nb\r\tc", R"(a\u000ab\u000d\u0009c)"},
    {"\x1b[31mred\x7f", R"(\u001b[31mred\u007f)"},
    {"abc\xe2\x80\xae"
     "fed",
     R"(abc\u202efed)"},
    {"\xc2\x9b"
     "31m",
     R"(\u009b31m)"},
    {"\xe2\x81\xa6x\xef\xbb\xbf", R"(\u2066x\ufeff)"},
    {"\xff\xc0\xaf", R"(\ufffd\ufffd\ufffd)"},
    {"caf\xc3\xa9 \xe6\xa8\xa1 \xf0\x9f\x90\x91", "caf\xc3\xa9 \xe6\xa8\xa1 \xf0\x9f\x90\x91"},
};

TEST(AccessLine, cannot_be_forged_by_what_a_client_sends) {
  for (const auto& test : kForgeries) {
    AccessRecord record;
    record.model = test.model;
    const std::string line = line_of(record);
    EXPECT_NE(line.find("\"gen_ai.request.model\":\"" + std::string(test.written) + "\""), std::string::npos) << line;
    EXPECT_TRUE(parse_json(line)) << line;
    EXPECT_EQ(line.find('\n'), line.size() - 1);
  }
}

}  // namespace
}  // namespace drover::observe
