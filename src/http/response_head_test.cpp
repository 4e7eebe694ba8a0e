// Heads of nodes' answers; rows are those of the fault matrix.
#include "http/response_head.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace drover::http {
namespace {

using State = ParseOutcome::State;

constexpr std::string_view kOllama =
    "HTTP/1.1 200 OK\r\n"
    "Content-Type: application/x-ndjson\r\n"
    "Date: Sat, 21 Nov 2026 08:00:00 GMT\r\n"
    "Transfer-Encoding: chunked\r\n"
    "\r\n";

std::string ok(std::string_view fields) { return "HTTP/1.1 200 OK\r\n" + std::string(fields) + "\r\n"; }

struct Parsed {
  ResponseHead head;
  ParseOutcome outcome;
};
Parsed parse_all(std::string_view bytes, Method asked = Method::post) {
  Parsed parsed;
  parsed.outcome = parse(bytes, {}, asked, parsed.head);
  return parsed;
}

std::string verdict(const ParseOutcome& outcome) {
  switch (outcome.state) {
    case State::more: return "more";
    case State::complete: return "ok";
    case State::rejected: return std::to_string(outcome.reject.status) + " " + std::string(outcome.reject.reason);
  }
  return "";
}

struct Case {
  std::string_view name;
  std::string bytes;
  std::string_view verdict;
};
void expect_verdicts(const std::vector<Case>& cases) {
  for (const auto& [name, bytes, expected] : cases) {
    const auto parsed = parse_all(bytes);
    EXPECT_EQ(verdict(parsed.outcome), expected) << name << ": " << parsed.outcome.reject.detail;
  }
}

TEST(ResponseHead, tells_what_ollama_answers) {
  const std::string bytes = std::string(kOllama) + "1\r\n";
  ResponseHead head;
  const auto outcome = parse(bytes, {}, Method::post, head);
  ASSERT_EQ(verdict(outcome), "ok") << outcome.reject.detail;
  EXPECT_EQ(outcome.consumed, kOllama.size());
  EXPECT_EQ(head.status(), 200);
  EXPECT_FALSE(head.interim());
  EXPECT_EQ(head.body(), BodyKind::chunked);
  EXPECT_EQ(head.content_type(), "application/x-ndjson");
  EXPECT_TRUE(head.reusable());
  EXPECT_EQ(head.find("date"), "Sat, 21 Nov 2026 08:00:00 GMT");
}

TEST(ResponseHead, is_the_same_byte_by_byte_as_whole) {
  ResponseHead head;
  for (std::size_t size = 0; size < kOllama.size(); ++size) {
    ASSERT_EQ(verdict(parse(kOllama.substr(0, size), {}, Method::post, head, size == 0 ? 0 : size - 1)), "more")
        << size;
  }
  EXPECT_EQ(verdict(parse(kOllama, {}, Method::post, head, kOllama.size() - 1)), "ok");
  EXPECT_EQ(head.body(), BodyKind::chunked);
}

TEST(ResponseHead, knows_how_its_body_ends) {
  struct BodyCase {
    std::string_view name, head;
    Method asked;
    BodyKind body;
    bool reusable;
  };
  constexpr BodyCase kCases[] = {
      {"length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", Method::get, BodyKind::length, true},
      {"neither", "HTTP/1.1 200 OK\r\n\r\n", Method::get, BodyKind::until_close, false},
      {"old", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", Method::get, BodyKind::length, false},
      {"old_kept", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\n", Method::get,
       BodyKind::length, true},
      {"closed", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\n", Method::get, BodyKind::length,
       false},
      {"to_head", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", Method::head, BodyKind::none, true},
      {"to_head_chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", Method::head, BodyKind::none, true},
      {"204", "HTTP/1.1 204 No Content\r\n\r\n", Method::options, BodyKind::none, true},
      {"304", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", Method::get, BodyKind::none, true},
      {"no_reason", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", Method::get, BodyKind::length, true},
      {"empty_reason", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", Method::get, BodyKind::length, true},
      {"row_27_gave_up", "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n", Method::post, BodyKind::length,
       false},
      {"coding_in_capitals", "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n", Method::get, BodyKind::chunked,
       true},
  };
  for (const auto& [name, bytes, asked, body, reusable] : kCases) {
    const auto parsed = parse_all(bytes, asked);
    ASSERT_EQ(verdict(parsed.outcome), "ok") << name << ": " << parsed.outcome.reject.detail;
    EXPECT_EQ(parsed.head.body(), body) << name;
    EXPECT_EQ(parsed.head.reusable(), reusable) << name;
  }
}

TEST(ResponseHead, row_24_lets_the_coding_win_and_ends_the_connection) {
  const std::string bytes = ok("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n");
  const auto parsed = parse_all(bytes);
  ASSERT_EQ(verdict(parsed.outcome), "ok");
  EXPECT_EQ(parsed.head.body(), BodyKind::chunked);
  EXPECT_FALSE(parsed.head.content_length());
  EXPECT_FALSE(parsed.head.reusable());
}

TEST(ResponseHead, row_25_refuses_two_lengths) {
  expect_verdicts({
      {"two", ok("Content-Length: 5\r\nContent-Length: 6\r\n"), "502 content_length"},
      {"list", ok("Content-Length: 5, 5\r\n"), "502 content_length"},
      {"plus", ok("Content-Length: +5\r\n"), "502 content_length"},
      {"above_63_bits", ok("Content-Length: 9223372036854775808\r\n"), "502 content_length"},
      {"two_equal", ok("Content-Length: 5\r\nContent-Length: 5\r\n"), "ok"},
  });
  const std::string equal = ok("Content-Length: 5\r\nContent-Length: 5\r\n");
  EXPECT_FALSE(parse_all(equal).head.reusable());
}

TEST(ResponseHead, row_26_and_40_takes_no_byte_behind_its_own) {
  const std::string bytes = std::string(kOllama) + std::string(kOllama);
  EXPECT_EQ(parse_all(bytes).outcome.consumed, kOllama.size());
}

TEST(ResponseHead, row_28_tells_interim_heads_from_the_answer) {
  for (const int status : {100, 102, 103, 199}) {
    const std::string interim = "HTTP/1.1 " + std::to_string(status) + " Wait\r\nLink: x\r\n\r\n";
    const std::string bytes = interim + std::string(kOllama);
    const auto first = parse_all(bytes);
    ASSERT_EQ(verdict(first.outcome), "ok") << status;
    EXPECT_TRUE(first.head.interim()) << status;
    EXPECT_EQ(first.head.body(), BodyKind::none) << status;
    EXPECT_EQ(first.outcome.consumed, interim.size()) << status;
    EXPECT_FALSE(parse_all(std::string_view(bytes).substr(first.outcome.consumed)).head.interim()) << status;
  }
}

TEST(ResponseHead, row_29_never_switches_protocols) {
  expect_verdicts(
      {{"101", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n", "502 switching_protocols"}});
}

TEST(ResponseHead, row_30_bounds_and_checks_fields) {
  const auto fields = [](std::size_t count) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i) text += "a: b\r\n";
    return ok(text);
  };
  const auto sized = [](std::size_t size) {
    const auto rest = ok("A: \r\n").size();
    return ok("A: " + std::string(size - rest, 'x') + "\r\n");
  };
  expect_verdicts({
      {"200_fields", fields(200), "ok"},
      {"201_fields", fields(201), "502 headers"},
      {"5000_fields", fields(5000), "502 headers"},
      {"64_KiB", sized(64 << 10), "ok"},
      {"64_KiB_and_1", sized((64 << 10) + 1), "502 headers"},
      {"1_MiB_without_end", "HTTP/1.1 200 OK\r\nA: " + std::string(1 << 20, 'x'), "502 headers"},
      {"nul", ok(std::string_view("A: b\0c\r\n", 8)), "502 headers"},
      {"bare_cr", ok("A: b\rc\r\n"), "502 headers"},
      {"bare_lf", ok("A: b\nC: d\r\n"), "502 headers"},
      {"space_before_colon", ok("A : b\r\n"), "502 headers"},
      {"folded", ok("A: b\r\n c\r\n"), "502 headers"},
      {"no_name", ok(": b\r\n"), "502 headers"},
      {"underscore_is_fine_from_a_node", ok("x_y: b\r\n"), "ok"},
  });
}

TEST(ResponseHead, row_31_refuses_what_is_not_http_1) {
  expect_verdicts({
      {"http_0_9", "<html>hello</html>", "502 first_line"},
      {"garbage", std::string("\x15\x03\x01\x00\x02", 5), "502 first_line"},
      {"http_2", "HTTP/2 200 OK\r\n\r\n", "502 first_line"},
      {"http_1_2", "HTTP/1.2 200 OK\r\n\r\n", "502 first_line"},
      {"no_status", "HTTP/1.1 OK\r\n\r\n", "502 first_line"},
      {"short_status", "HTTP/1.1 20 OK\r\n\r\n", "502 first_line"},
      {"long_status", "HTTP/1.1 2000 OK\r\n\r\n", "502 first_line"},
      {"status_99", "HTTP/1.1 099 OK\r\n\r\n", "502 first_line"},
      {"status_600", "HTTP/1.1 600 OK\r\n\r\n", "502 first_line"},
      {"sign", "HTTP/1.1 +20 OK\r\n\r\n", "502 first_line"},
      {"empty_line_first", "\r\nHTTP/1.1 200 OK\r\n\r\n", "502 first_line"},
      {"short", "HTTP/1.1\r\n\r\n", "502 first_line"},
      {"shortest", "HTTP/1.\r\n\r\n", "502 first_line"},
  });
}

TEST(ResponseHead, refuses_codings_it_cannot_take_off) {
  expect_verdicts({
      {"gzip", ok("Transfer-Encoding: gzip, chunked\r\n"), "502 transfer_encoding"},
      {"twice", ok("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), "502 transfer_encoding"},
      {"http_1_0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "502 transfer_encoding"},
  });
}

}  // namespace
}  // namespace drover::http
