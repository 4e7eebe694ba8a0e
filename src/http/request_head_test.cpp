// Heads of requests. Rows are those of the fault matrix: each refused head is one that two parsers could read in two
// ways, or that passes a bound.
#include "http/request_head.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/random.h"

namespace drover::http {
namespace {

using State = ParseOutcome::State;

constexpr std::string_view kOpenAiPython =
    "POST /v1/chat/completions HTTP/1.1\r\n"
    "Host: localhost:11435\r\n"
    "Accept-Encoding: gzip, deflate\r\n"
    "Connection: keep-alive\r\n"
    "Accept: application/json\r\n"
    "Content-Type: application/json\r\n"
    "User-Agent: OpenAI/Python 2.8.1\r\n"
    "X-Stainless-Lang: python\r\n"
    "Authorization: Bearer unused\r\n"
    "Content-Length: 112\r\n"
    "\r\n";

std::string head(std::string_view line, std::string_view fields) {
  return std::string(line) + "\r\n" + std::string(fields) + "\r\n";
}
// A good request with these field lines behind Host.
std::string with(std::string_view fields) {
  return head("POST /api/chat HTTP/1.1", "Host: a\r\n" + std::string(fields));
}
std::string asking(std::string_view target) {
  return head("GET " + std::string(target) + " HTTP/1.1", "Host: example.com\r\n");
}

struct Parsed {
  RequestHead head;
  ParseOutcome outcome;
};
Parsed parse_all(std::string_view bytes, const HeadLimits& limits = {}) {
  Parsed parsed;
  parsed.outcome = parse(bytes, limits, parsed.head);
  return parsed;
}

// "ok" or "status reason".
std::string verdict(const ParseOutcome& outcome) {
  switch (outcome.state) {
    case State::more: return "more";
    case State::complete: return "ok";
    case State::rejected: return std::to_string(outcome.reject.status) + " " + std::string(outcome.reject.reason);
  }
  return "";
}

TEST(RequestHead, tells_what_a_client_library_sent) {
  const std::string bytes = std::string(kOpenAiPython) + "{\"model\"";
  RequestHead head;
  const auto outcome = parse(bytes, {}, head);
  ASSERT_EQ(verdict(outcome), "ok") << outcome.reject.detail;
  EXPECT_EQ(outcome.consumed, kOpenAiPython.size());
  EXPECT_EQ(head.method(), Method::post);
  EXPECT_EQ(head.method_text(), "POST");
  EXPECT_EQ(head.path(), "/v1/chat/completions");
  EXPECT_EQ(head.query(), "");
  EXPECT_EQ(head.minor(), 1);
  EXPECT_EQ(head.host(), "localhost:11435");
  EXPECT_EQ(head.body(), BodyKind::length);
  EXPECT_EQ(head.content_length(), 112U);
  EXPECT_TRUE(head.keep_alive());
  EXPECT_FALSE(head.expects_continue());
  EXPECT_EQ(head.content_type(), "application/json");
  EXPECT_EQ(head.content_encoding(), "");
  EXPECT_EQ(head.origin(), "");
  EXPECT_EQ(head.fields().size(), 9U);
  EXPECT_EQ(head.find("x-stainless-LANG"), "python");
  EXPECT_EQ(head.find(Known::authorization), "Bearer unused");
  EXPECT_FALSE(head.find("absent"));
}

TEST(RequestHead, moves_with_its_bytes) {
  std::string first(kOpenAiPython);
  RequestHead head;
  ASSERT_EQ(verdict(parse(first, {}, head)), "ok");
  const std::string second = first;
  head.rebase(second.data());
  first.assign(first.size(), '#');
  EXPECT_EQ(head.path(), "/v1/chat/completions");
  EXPECT_EQ(head.host(), "localhost:11435");
  EXPECT_EQ(head.fields()[0].name, "Host");
}

TEST(RequestHead, is_the_same_byte_by_byte_as_whole) {
  RequestHead head;
  for (std::size_t size = 0; size < kOpenAiPython.size(); ++size) {
    const auto outcome = parse(kOpenAiPython.substr(0, size), {}, head, size == 0 ? 0 : size - 1);
    ASSERT_EQ(verdict(outcome), "more") << size << " bytes";
  }
  EXPECT_EQ(verdict(parse(kOpenAiPython, {}, head, kOpenAiPython.size() - 1)), "ok");
  EXPECT_EQ(head.content_length(), 112U);
}

TEST(RequestHead, can_be_parsed_into_again) {
  RequestHead head;
  const std::string first = with("Expect: 100-continue\r\nContent-Length: 5\r\n");
  ASSERT_EQ(verdict(parse(first, {}, head)), "ok");
  const std::string second = ::drover::http::head("GET /v1/models/a%3Ab HTTP/1.0", "");
  ASSERT_EQ(verdict(parse(second, {}, head)), "ok");
  EXPECT_FALSE(head.expects_continue());
  EXPECT_EQ(head.body(), BodyKind::none);
  EXPECT_EQ(head.content_length(), 0U);
  EXPECT_EQ(head.host(), "");
  EXPECT_EQ(head.path(), "/v1/models/a:b");
  EXPECT_FALSE(head.keep_alive());
}

// Whatever is cut or changed in a good head: no crash, no view outside, and the same verdict in pieces as whole, where
// pieces may find a fault sooner and then may call it by another name.
TEST(RequestHead, withstands_changed_bytes) {
  constexpr std::uint64_t kSeed = 20261121;
  Random random(kSeed);
  constexpr std::string_view kEvil("\0\r\n \t:;,%/\\\x7f\x80", 13);
  for (int round = 0; round < 20000; ++round) {
    std::string bytes(kOpenAiPython);
    for (auto edits = 1 + random.below(3); edits > 0; --edits) {
      const auto at = random.below(bytes.size());
      if (random.chance(0.5)) {
        bytes[at] = kEvil[random.below(kEvil.size())];
      } else {
        bytes.insert(at, 1, kEvil[random.below(kEvil.size())]);
      }
    }
    const auto whole = parse_all(bytes);
    RequestHead head;
    ParseOutcome pieces;
    for (std::size_t seen = 0, size = 0; pieces.state == State::more && size < bytes.size(); seen = size) {
      size = std::min<std::size_t>(bytes.size(), size + 1 + random.below(60));
      pieces = parse(std::string_view(bytes).substr(0, size), {}, head, seen);
    }
    ASSERT_EQ(pieces.state, whole.outcome.state) << "seed " << kSeed << " round " << round << ": " << bytes;
    ASSERT_EQ(pieces.consumed, whole.outcome.consumed) << "seed " << kSeed << " round " << round << ": " << bytes;
  }
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

TEST(RequestHead, row_41_refuses_doubtful_lengths) {
  expect_verdicts({
      {"length", with("Content-Length: 5\r\n"), "ok"},
      {"largest", with("Content-Length: 9223372036854775807\r\n"), "ok"},
      {"length_and_coding", with("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), "400 framing"},
      {"coding_and_length", with("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), "400 framing"},
      {"two", with("Content-Length: 5\r\nContent-Length: 6\r\n"), "400 framing"},
      {"two_equal", with("Content-Length: 5\r\ncontent-length: 5\r\n"), "400 framing"},
      {"comma", with("Content-Length: 5, 5\r\n"), "400 framing"},
      {"plus", with("Content-Length: +5\r\n"), "400 framing"},
      {"minus", with("Content-Length: -5\r\n"), "400 framing"},
      {"inner_space", with("Content-Length: 5 5\r\n"), "400 framing"},
      {"hex", with("Content-Length: 0x5\r\n"), "400 framing"},
      {"letter", with("Content-Length: 5a\r\n"), "400 framing"},
      {"empty", with("Content-Length:\r\n"), "400 framing"},
      {"above_63_bits", with("Content-Length: 9223372036854775808\r\n"), "400 framing"},
      {"above_64_bits", with("Content-Length: 18446744073709551617\r\n"), "400 framing"},
  });
}

TEST(RequestHead, row_42_takes_one_chunked_and_no_other_coding) {
  expect_verdicts({
      {"chunked", with("Transfer-Encoding: chunked\r\n"), "ok"},
      {"twice", with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), "400 te"},
      {"listed_twice", with("Transfer-Encoding: chunked, chunked\r\n"), "400 te"},
      {"not_last", with("Transfer-Encoding: chunked, gzip\r\n"), "400 te"},
      {"empty", with("Transfer-Encoding:\r\n"), "400 te"},
      {"empty_element", with("Transfer-Encoding: ,chunked\r\n"), "400 te"},
      {"case_junk", with("Transfer-Encoding: chUNked\r\n"), "400 te"},
      {"quotes", with("Transfer-Encoding: \"chunked\"\r\n"), "400 te"},
      {"parameter", with("Transfer-Encoding: chunked;a=1\r\n"), "400 te"},
      {"vertical_tab", with("Transfer-Encoding: \vchunked\r\n"), "400 syntax"},
      {"folded", with("Transfer-Encoding:\r\n chunked\r\n"), "400 syntax"},
      {"unknown", with("Transfer-Encoding: xchunked\r\n"), "501 te"},
      {"gzip", with("Transfer-Encoding: gzip, chunked\r\n"), "501 te"},
      {"identity", with("Transfer-Encoding: identity\r\n"), "501 te"},
      {"http_1_0", head("POST / HTTP/1.0", "Transfer-Encoding: chunked\r\n"), "400 te"},
  });
}

TEST(RequestHead, row_43_refuses_bent_syntax) {
  expect_verdicts({
      {"tab_in_value", with("A: b\tc\r\n"), "ok"},
      {"latin1_in_value", with("A: \xe4\r\n"), "ok"},
      {"empty_value", with("A:\r\n"), "ok"},
      {"bare_lf_in_fields", "GET / HTTP/1.1\r\nHost: a\nA: b\r\n\r\n", "400 syntax"},
      {"bare_lf_after_request_line", "GET / HTTP/1.1\nHost: a\r\n\r\n", "400 syntax"},
      {"only_bare_lf", "GET / HTTP/1.1\n\n", "400 syntax"},
      {"bare_lf_as_last_line_end", "GET / HTTP/1.1\r\nHost: a\r\n\n", "400 syntax"},
      {"bare_cr_in_value", with("A: b\rc\r\n"), "400 syntax"},
      {"nul_in_value", with(std::string_view("A: b\0c\r\n", 8)), "400 syntax"},
      {"nul_in_name", with(std::string_view("A\0: b\r\n", 7)), "400 header_name"},
      {"del_in_value", with("A: \x7f\r\n"), "400 syntax"},
      {"space_before_colon", with("A : b\r\n"), "400 syntax"},
      {"tab_before_colon", with("A\t: b\r\n"), "400 syntax"},
      {"folded_line", with("A: b\r\n c\r\n"), "400 syntax"},
      {"space_before_first_field", head("GET / HTTP/1.1", " Host: a\r\n"), "400 syntax"},
      {"no_colon", with("nonsense\r\n"), "400 syntax"},
      {"one_empty_line_before", "\r\n" + asking("/"), "ok"},
      {"two_empty_lines_before", "\r\n\r\n" + asking("/"), "400 syntax"},
      {"lf_before", "\n" + asking("/"), "400 syntax"},
  });
}

TEST(RequestHead, row_43_finds_a_control_character_wherever_it_is) {
  for (const std::size_t size : {1U, 7U, 8U, 9U, 16U, 21U}) {
    for (std::size_t at = 0; at < size; ++at) {
      for (const char c : std::string_view("\0\x01\x08\x0b\x1f\x7f", 6)) {
        std::string value(size, '\xff');
        value[at] = c;
        EXPECT_EQ(verdict(parse_all(with("A: " + value + "\r\n")).outcome), "400 syntax") << size << " " << at;
      }
      for (const char c : std::string_view("\t ~\x80\x9f")) {
        std::string value(size + 2, 'x');
        value[at + 1] = c;
        EXPECT_EQ(verdict(parse_all(with("A: " + value + "\r\n")).outcome), "ok") << size << " " << at;
      }
    }
  }
}

TEST(RequestHead, row_43_is_told_before_the_head_is_whole) {
  expect_verdicts({
      {"bare_lf", "GET / HTTP/1.1\nHost:", "400 syntax"},
      {"bare_cr", "GET / HTTP/1.1\rHost:", "400 syntax"},
      {"nul", std::string("GET /\0", 6), "400 syntax"},
      {"tls_hello", std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11), "400 syntax"},
      {"cr_at_the_end", "GET / HTTP/1.1\r", "more"},
  });
}

TEST(RequestHead, row_44_refuses_names_that_others_rewrite) {
  expect_verdicts({
      {"token", with("a!#$%&'*+-.^`|~9: b\r\n"), "ok"},
      {"underscore", with("X_Forwarded_For: 1.2.3.4\r\n"), "400 header_name"},
      {"empty", with(": b\r\n"), "400 header_name"},
      {"bracket", with("a[]: b\r\n"), "400 header_name"},
      {"not_ascii", with("\xc3\xa4: b\r\n"), "400 header_name"},
  });
}

TEST(RequestHead, row_45_wants_one_valid_host) {
  const auto host = [](std::string_view value) {
    return head("GET / HTTP/1.1", "Host: " + std::string(value) + "\r\n");
  };
  expect_verdicts({
      {"name", host("gpu_1.local:11434"), "ok"},
      {"ipv4", host("127.0.0.1"), "ok"},
      {"ipv6", host("[::1]:11434"), "ok"},
      {"none", head("GET / HTTP/1.1", ""), "400 host"},
      {"none_in_http_1_0", head("GET / HTTP/1.0", ""), "ok"},
      {"two", head("GET / HTTP/1.1", "Host: a\r\nHost: a\r\n"), "400 host"},
      {"two_in_http_1_0", head("GET / HTTP/1.0", "Host: a\r\nHost: b\r\n"), "400 host"},
      {"empty", host(""), "400 host"},
      {"path", host("a/b?c#"), "400 host"},
      {"user", host("user@a"), "400 host"},
      {"list", host("a, b"), "400 host"},
      {"port_too_large", host("a:65536"), "400 host"},
      {"port_empty", host("a:"), "400 host"},
      {"port_of_letters", host("a:b"), "400 host"},
      {"bracket_left_open", host("[::1"), "400 host"},
      {"no_ipv6", host("[abc]"), "400 host"},
      {"encoded", host("a%2eb"), "400 host"},
      {"absolute_equal", asking("http://Example.com/x"), "ok"},
      {"absolute_equal_by_default_port", asking("http://example.com:80/x"), "ok"},
      {"absolute_other", asking("http://example.org/x"), "400 host"},
      {"absolute_other_port", asking("http://example.com:81/x"), "400 host"},
      {"absolute_user", asking("http://u@example.com/x"), "400 host"},
      {"absolute_empty", asking("http:///x"), "400 host"},
      {"absolute_without_host", head("GET http://a/x HTTP/1.1", ""), "400 host"},
  });
  const std::string old = head("GET http://a:1/x HTTP/1.0", "");
  EXPECT_EQ(parse_all(old).head.host(), "a:1");
}

TEST(RequestHead, row_46_counts_bytes_and_fields) {
  const auto fields = [](std::size_t count) {
    std::string text = "Host: a\r\n";
    for (std::size_t i = 1; i < count; ++i) text += "a: b\r\n";
    return head("GET / HTTP/1.1", text);
  };
  const auto block = [](std::size_t size) {
    const std::string start = "Host: a\r\nA: ";
    return head("GET / HTTP/1.1", start + std::string(size - start.size() - 4, 'x') + "\r\n");
  };
  expect_verdicts({
      {"100_fields", fields(100), "ok"},
      {"101_fields", fields(101), "431 headers_too_large"},
      {"32_KiB", block(32 << 10), "ok"},
      {"32_KiB_and_1", block((32 << 10) + 1), "431 headers_too_large"},
      {"endless", "GET / HTTP/1.1\r\nA: " + std::string(32 << 10, 'x'), "431 headers_too_large"},
  });
  const HeadLimits tight{.line = 20_KiB, .block = 1_KiB, .fields = 2};
  EXPECT_EQ(verdict(parse_all(fields(2), tight).outcome), "ok");
  EXPECT_EQ(verdict(parse_all(fields(3), tight).outcome), "431 headers_too_large");
}

TEST(RequestHead, row_47_bounds_the_request_line) {
  const auto line = [](std::size_t size) { return asking("/" + std::string(size - 14, 'x')); };  // 14: the rest of it
  const auto first = [](std::string_view text) { return head(text, "Host: a\r\n"); };
  expect_verdicts({
      {"8_KiB", line(8 << 10), "ok"},
      {"8_KiB_and_1", line((8 << 10) + 1), "414 request_line"},
      {"endless", "GET /" + std::string(8 << 10, 'x'), "414 request_line"},
      {"method_of_32", first(std::string(32, 'M') + " / HTTP/1.1"), "ok"},
      {"method_of_33", first(std::string(33, 'M') + " / HTTP/1.1"), "400 request_line"},
      {"method_no_token", first("G(T / HTTP/1.1"), "400 request_line"},
      {"method_empty", first(" / HTTP/1.1"), "400 request_line"},
      {"http_0_9", first("GET /"), "400 request_line"},
      {"two_spaces", first("GET  / HTTP/1.1"), "400 request_line"},
      {"space_in_target", first("GET /a b HTTP/1.1"), "400 request_line"},
      {"space_at_the_end", first("GET / HTTP/1.1 "), "400 request_line"},
      {"other_protocol", first("GET / ICY/1.1"), "400 request_line"},
      {"lower_case_version", first("GET / http/1.1"), "400 request_line"},
      {"http_1_2", first("GET / HTTP/1.2"), "505 request_line"},
      {"http_1_10", first("GET / HTTP/1.10"), "505 request_line"},
      {"http_3", first("GET / HTTP/3.0"), "505 request_line"},
      {"http_2_preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505 request_line"},
  });
}

TEST(RequestHead, row_48_knows_one_path_only) {
  struct PathCase {
    std::string_view target, path, query;  // path "": refused
  };
  constexpr PathCase kCases[] = {
      {"/", "/", ""},
      {"/api/chat", "/api/chat", ""},
      {"/api/chat/", "/api/chat/", ""},
      {"/api/tags?a=b/../c%2f", "/api/tags", "a=b/../c%2f"},
      {"/v1/models/gemma3%3A270m", "/v1/models/gemma3:270m", ""},
      {"/v1/models/m%C3%BCnchen", "/v1/models/m\xc3\xbcnchen", ""},
      {"/v1/models/a%20b", "/v1/models/a b", ""},
      {"/.well-known/x", "/.well-known/x", ""},
      {"/a/...", "/a/...", ""},
      {"http://example.com", "/", ""},
      {"HTTP://example.com?q", "/", "q"},
      {"http://example.com/api/ps?q", "/api/ps", "q"},
      {"/api/../admin", "", ""},
      {"/..", "", ""},
      {"/api/.", "", ""},
      {"/./api", "", ""},
      {"//api/chat", "", ""},
      {"/api//chat", "", ""},
      {"/api/chat//", "", ""},
      {"/%2e%2e/admin", "", ""},
      {"/%2E", "", ""},
      {"/a%00b", "", ""},
      {"/a%2fb", "", ""},
      {"/a%2Fb", "", ""},
      {"/a%5cb", "", ""},
      {"/a\\b", "", ""},
      {"/a%0ab", "", ""},
      {"/a%7f", "", ""},
      {"/%252e", "", ""},
      {"/a%3Fb", "", ""},
      {"/a%23b", "", ""},
      {"/%c0%ae%c0%ae/admin", "", ""},  // overlong "."
      {"/%c0%af", "", ""},              // overlong "/"
      {"/%e0%80%af", "", ""},
      {"/%f0%80%80%af", "", ""},
      {"/%ed%a0%80", "", ""},     // surrogate
      {"/%f4%90%80%80", "", ""},  // above U+10FFFF
      {"/%c3", "", ""},
      {"/%80", "", ""},
      {"/\xc0\xae", "", ""},
      {"/\xc3\xbc", "", ""},  // must be encoded
      {"/a%", "", ""},
      {"/a%2", "", ""},
      {"/a%zz", "", ""},
      {"/a#b", "", ""},
      {"/a?b#c", "", ""},
      {"api/chat", "", ""},
      {"*", "", ""},
      {"?", "", ""},
  };
  for (const auto& [target, path, query] : kCases) {
    const std::string bytes = asking(target);
    const auto parsed = parse_all(bytes);
    if (path.empty()) {
      EXPECT_EQ(verdict(parsed.outcome), "400 path") << target;
      continue;
    }
    ASSERT_EQ(verdict(parsed.outcome), "ok") << target << ": " << parsed.outcome.reject.detail;
    EXPECT_EQ(parsed.head.path(), path) << target;
    EXPECT_EQ(parsed.head.query(), query) << target;
    EXPECT_EQ(parsed.head.target(), target);
  }
}

TEST(RequestHead, row_49_leaves_strange_methods_to_the_router) {
  struct MethodCase {
    std::string_view line;
    Method method;
    std::string_view path;
  };
  constexpr MethodCase kCases[] = {
      {"GET / HTTP/1.1", Method::get, "/"},          {"HEAD / HTTP/1.1", Method::head, "/"},
      {"POST / HTTP/1.1", Method::post, "/"},        {"PUT / HTTP/1.1", Method::put, "/"},
      {"PATCH / HTTP/1.1", Method::patch, "/"},      {"DELETE / HTTP/1.1", Method::del, "/"},
      {"OPTIONS / HTTP/1.1", Method::options, "/"},  {"OPTIONS * HTTP/1.1", Method::options, "*"},
      {"TRACE / HTTP/1.1", Method::trace, "/"},      {"CONNECT a:443 HTTP/1.1", Method::connect, ""},
      {"BREW /pot HTTP/1.1", Method::other, "/pot"}, {"get / HTTP/1.1", Method::other, "/"},
  };
  for (const auto& [line, method, path] : kCases) {
    const std::string bytes = head(line, "Host: a\r\n");
    const auto parsed = parse_all(bytes);
    ASSERT_EQ(verdict(parsed.outcome), "ok") << line;
    EXPECT_EQ(parsed.head.method(), method) << line;
    EXPECT_EQ(parsed.head.path(), path) << line;
  }
}

TEST(RequestHead, row_50_ignores_upgrades) {
  for (const auto* protocol : {"h2c", "websocket", "nonsense/1"}) {
    const std::string bytes =
        with("Connection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk\r\nUpgrade: " + std::string(protocol) +
             "\r\nContent-Length: 2\r\n");
    const auto parsed = parse_all(bytes);
    ASSERT_EQ(verdict(parsed.outcome), "ok") << protocol;
    EXPECT_EQ(parsed.head.body(), BodyKind::length) << protocol;
    EXPECT_TRUE(parsed.head.keep_alive()) << protocol;
  }
}

TEST(RequestHead, row_51_knows_one_expectation) {
  const std::string bytes = with("Expect: 100-Continue\r\nContent-Length: 5\r\n");
  EXPECT_TRUE(parse_all(bytes).head.expects_continue());
  const std::string old = head("POST / HTTP/1.0", "Expect: 100-continue\r\n");
  EXPECT_FALSE(parse_all(old).head.expects_continue());
  expect_verdicts({
      {"junk", with("Expect: gold\r\n"), "417 expect"},
      {"more", with("Expect: 100-continue, gold\r\n"), "417 expect"},
      {"twice", with("Expect: 100-continue\r\nExpect: 100-continue\r\n"), "417 expect"},
  });
}

TEST(RequestHead, says_whether_the_connection_stays_open) {
  struct KeepAliveCase {
    std::string_view version, fields;
    bool keep_alive;
  };
  constexpr KeepAliveCase kCases[] = {
      {"HTTP/1.1", "", true},
      {"HTTP/1.1", "Connection: close\r\n", false},
      {"HTTP/1.1", "Connection: foo, Close\r\n", false},
      {"HTTP/1.1", "Connection: foo\r\nConnection: close\r\n", false},
      {"HTTP/1.0", "", false},
      {"HTTP/1.0", "Connection: Keep-Alive\r\n", true},
      {"HTTP/1.0", "Connection: keep-alive, close\r\n", false},
  };
  for (const auto& [version, fields, keep_alive] : kCases) {
    const std::string bytes = head("GET / " + std::string(version), "Host: a\r\n" + std::string(fields));
    EXPECT_EQ(parse_all(bytes).head.keep_alive(), keep_alive) << version << " " << fields;
  }
}

TEST(RequestHead, never_quotes_a_secret) {
  for (const auto* secret : {"Authorization : Bearer s3cret\r\n", "Authorization: Bearer\r\n s3cret\r\n",
                             "Author_ization: s3cret\r\n", "s3cret\r\n"}) {
    EXPECT_EQ(parse_all(with(secret)).outcome.reject.detail.find("s3cret"), std::string::npos) << secret;
  }
  EXPECT_EQ(parse_all(asking("/k/s3cret/../x?key=s3cret")).outcome.reject.detail.find("s3cret"), std::string::npos);
}

}  // namespace
}  // namespace drover::http
