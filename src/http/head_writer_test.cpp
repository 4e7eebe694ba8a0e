// Heads that we write, and what of other people's heads gets into them.
#include "http/head_writer.h"

#include <gtest/gtest.h>

#include <string>

namespace drover::http {
namespace {

using State = ParseOutcome::State;

TEST(HeadWriter, writes_a_head_of_its_own) {
  std::string out;
  append_status_line(out, 503);
  append_field(out, "Retry-After", 2);
  append_framing(out, {.kind = BodyKind::length, .length = 0});
  append_connection(out, false, 1);
  end_head(out);
  EXPECT_EQ(out,
            "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
}

TEST(HeadWriter, lets_no_value_end_its_line) {
  std::string out;
  append_field(out, "x-drover-node", std::string_view("a\r\nSet-Cookie: b\0\x7f", 18));
  EXPECT_EQ(out, "x-drover-node: a  Set-Cookie: b  \r\n");
}

TEST(HeadWriter, blanks_a_control_character_wherever_it_stands_in_a_value_of_any_length) {
  for (std::size_t size = 1; size <= 40; ++size) {
    for (std::size_t at = 0; at < size; ++at) {
      std::string value(size, '\xff');  // as high as a byte can be, and none
      value[at] = '\x1f';
      std::string out;
      append_field(out, "a", value);
      value[at] = ' ';
      EXPECT_EQ(out, "a: " + value + "\r\n") << size << " bytes, at " << at;
    }
  }
}

TEST(HeadWriter, tells_only_old_clients_that_the_connection_stays) {
  std::string out;
  append_connection(out, true, 1);
  EXPECT_EQ(out, "");
  append_connection(out, true, 0);
  EXPECT_EQ(out, "Connection: keep-alive\r\n");
}

TEST(HeadWriter, writes_dates_as_http_has_them) {
  const auto text = [](std::int64_t seconds) {
    const auto date = http_date(Wall{std::chrono::seconds(seconds) + std::chrono::milliseconds(999)});
    return std::string(date.data(), date.size());
  };
  EXPECT_EQ(text(0), "Thu, 01 Jan 1970 00:00:00 GMT");
  EXPECT_EQ(text(784111777), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(text(1709164800), "Thu, 29 Feb 2024 00:00:00 GMT");
  EXPECT_EQ(text(1795305599), "Sat, 21 Nov 2026 23:59:59 GMT");
}

TEST(UpstreamRequest, carries_only_what_a_node_may_see) {
  const std::string bytes =
      "POST /v1/chat/completions?key=secret HTTP/1.1\r\nHost: public.example\r\nAuthorization: Bearer secret\r\n"
      "Cookie: secret\r\nOrigin: http://evil\r\nX-Forwarded-For: 1.2.3.4\r\nx-drover-hop: 9\r\n"
      "content-type: application/json\r\nACCEPT: text/event-stream\r\nAccept: */*\r\nUser-Agent: curl\r\n"
      "Accept-Encoding: gzip\r\nX-Request-Id: theirs\r\nTraceparent: 00-1\r\nExpect: 100-continue\r\n"
      "Connection: close, content-type\r\nTransfer-Encoding: chunked\r\n\r\n";
  RequestHead client;
  ASSERT_EQ(parse(bytes, {}, client).state, State::complete);
  const Field own[] = {{"x-request-id", "ours"}, {"x-drover-hop", "1"}};
  std::string out;
  append_upstream_request(out,
                          {.method = "POST",
                           .target = "/v1/chat/completions",
                           .host = "localhost:11434",
                           .framing = {.kind = BodyKind::length, .length = 7},
                           .own = own},
                          &client);
  EXPECT_EQ(out,
            "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost:11434\r\nContent-Type: application/json\r\n"
            "Accept: text/event-stream\r\nUser-Agent: curl\r\ntraceparent: 00-1\r\nAccept-Encoding: identity\r\n"
            "x-request-id: ours\r\nx-drover-hop: 1\r\nContent-Length: 7\r\n\r\n");
}

TEST(UpstreamRequest, can_be_our_own) {
  std::string out;
  append_upstream_request(out, {.method = "GET", .target = "/api/ps", .host = "[::1]:11434", .framing = {}, .own = {}},
                          nullptr);
  EXPECT_EQ(out, "GET /api/ps HTTP/1.1\r\nHost: [::1]:11434\r\nAccept-Encoding: identity\r\n\r\n");
}

TEST(RelayedResponse, drops_what_belongs_to_the_hop_or_to_us) {
  const std::string bytes =
      "HTTP/1.1 404 Nope\r\nServer: uvicorn\r\ncontent-type: application/json\r\nDate: today\r\n"
      "Set-Cookie: a=b\r\nKeep-Alive: timeout=5\r\nX-Powered-By: Express\r\nX-Internal: 1\r\n"
      "Access-Control-Allow-Origin: *\r\nX-Drover-Node: forged\r\nX-Request-Id: theirs\r\nX-Kept: 1\r\nX-Also: 2\r\n"
      "Connection: keep-alive, x-internal\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n";
  ResponseHead head;
  ASSERT_EQ(parse(bytes, {}, Method::post, head).state, State::complete);
  const Field own[] = {{"x-request-id", "ours"}, {"x-drover-node", "gpu-2"}};
  std::string out;
  append_relayed_response(out, head,
                          {.framing = {.kind = BodyKind::chunked}, .keep_alive = false, .client_minor = 1, .own = own});
  EXPECT_EQ(out,
            "HTTP/1.1 404 Not Found\r\ncontent-type: application/json\r\nDate: today\r\nX-Kept: 1\r\nX-Also: 2\r\n"
            "x-request-id: ours\r\nx-drover-node: gpu-2\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n");
}

}  // namespace
}  // namespace drover::http
