// HTTP over streams: a server and a client of ours meet in the simulated world, whatever way their bytes are cut.
#include <gtest/gtest.h>

#include "net/sim_world.h"
#include "wire/call.h"
#include "wire/server_connection.h"

namespace drover::wire {
namespace {

using namespace std::chrono_literals;

struct World {
  explicit World(net::SimNetworkSettings settings = {}, std::uint64_t seed = 1) : world(seed, settings) {}
  net::SimWorld world;
  net::SimLoop loop{world};
  net::SimNetwork network{world, loop};
  net::TaskGroup group{loop};
  std::unique_ptr<net::Listener> listener = network.listen(*net::parse_ip("127.0.0.1", 0)).value();

  bool run() {
    return world.run_until([&] { return group.size() == 0; }, world.clock().mono() + 1h);
  }
};

// Answers each request with its method, path and body.
net::Task<> echo(World& world, ServerLimits& limits, int& served) {
  auto accepted = co_await world.listener->accept();
  ServerConnection connection(**accepted, world.loop, limits);
  while (co_await connection.wait_for_request()) {
    Incoming request;
    auto read = co_await connection.read_head(request);
    if (read == ServerConnection::Read::nothing) continue;
    TextBody body(100_KiB);
    if (read == ServerConnection::Read::complete) read = co_await connection.read_body(request, body);
    if (read == ServerConnection::Read::refused) {
      const auto& refusal = connection.refusal();
      if (co_await connection.answer(
              request, {.status = refusal.status, .content_type = "text/plain", .body = refusal.reason})) {
        co_await connection.linger();
      }
      co_return;
    }
    if (read != ServerConnection::Read::complete) co_return;
    ++served;
    const std::string text = fmt::format("{} {} {}", request.head->method_text(), request.head->path(), body.text());
    if (!co_await connection.answer(request, {.content_type = "text/plain", .body = text})) co_return;
    if (!co_await connection.finish_request(request)) {
      co_await connection.linger();
      co_return;
    }
  }
}

// Sends raw bytes and collects all that comes back until the server closes or is silent.
net::Task<> raw(World& world, std::vector<std::string> pieces, Duration pause, std::string& received) {
  auto dialled = co_await world.network.dial(world.listener->local(), kNever);
  for (const std::string& piece : pieces) {
    if (!(*dialled)->write(piece)) break;
    if (pause > 0s) co_await net::sleep_until(world.loop.now() + pause);
  }
  while (true) {
    const auto bytes = co_await (*dialled)->read_some(world.loop.now() + 60s);
    if (!bytes || bytes->empty()) co_return;
    received += *bytes;
  }
}

std::string converse(std::vector<std::string> pieces, Duration pause = 0s, net::SimNetworkSettings settings = {},
                     std::uint64_t seed = 1, Duration head_time = 10s) {
  World world(settings, seed);
  ServerLimits limits;
  limits.idle = 1s;
  limits.head_time = head_time;
  int served = 0;
  std::string received;
  world.group.spawn(echo(world, limits, served));
  world.group.spawn(raw(world, std::move(pieces), pause, received));
  EXPECT_TRUE(world.run());
  return received;
}

std::size_t count(std::string_view text, std::string_view part) {
  std::size_t found = 0;
  for (auto at = text.find(part); at != std::string_view::npos; at = text.find(part, at + part.size())) ++found;
  return found;
}

TEST(ServerConnection, reads_bodies_of_either_framing_however_they_are_cut) {
  const std::string length = "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\nhello world";
  const std::string chunked =
      "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nA: "
      "b\r\n\r\n";
  for (const std::string& request : {length, chunked}) {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
      const auto answer = converse({request}, 0s, {.max_read = seed == 1 ? 1U : 9U}, seed);
      EXPECT_NE(answer.find("POST /a hello world"), std::string::npos) << "seed " << seed << ": " << answer;
    }
  }
}

TEST(ServerConnection, row_53_answers_pipelined_requests_in_order) {
  std::string requests, expected;
  for (int i = 0; i < 100; ++i) requests += fmt::format("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", i);
  for (const std::size_t max_read : {std::size_t{0}, std::size_t{7}}) {
    const auto answer = converse({requests}, 0s, {.max_read = max_read});
    EXPECT_EQ(count(answer, "HTTP/1.1 200 OK"), 100U);
    EXPECT_LT(answer.find("GET /41 "), answer.find("GET /42 "));
  }
}

TEST(ServerConnection, row_55_slow_heads_and_slow_bodies_get_408) {
  const std::vector<std::string> drip(20, "G");
  EXPECT_EQ(converse(drip, 1s).substr(0, 12), "HTTP/1.1 408");
  std::vector<std::string> body{"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"};
  for (int i = 0; i < 60; ++i) body.push_back("x");
  EXPECT_EQ(converse(body, 1s).substr(0, 12), "HTTP/1.1 408");
}

// Such as a late notice of bytes that were read with the request before.
TEST(ServerConnection, row_55_a_false_alarm_neither_begins_a_head_nor_prolongs_the_wait_for_one) {
  const std::string request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
  const net::SimNetworkSettings alarms{.spurious = 1};
  const auto in_time = converse({request, request.substr(0, 9), request.substr(9)}, 600ms, alarms, 1, 1s);
  EXPECT_EQ(count(in_time, "HTTP/1.1 200 OK"), 2U) << in_time;
  const auto too_late = converse({request, request}, 1200ms, alarms, 1, 10s);
  EXPECT_EQ(count(too_late, "HTTP/1.1 200 OK"), 1U) << too_late;
}

TEST(ServerConnection, row_56_a_body_cut_short_is_not_served) {
  World world;
  ServerLimits limits;
  int served = 0;
  world.group.spawn(echo(world, limits, served));
  world.group.spawn([](World& at) -> net::Task<> {
    auto dialled = co_await at.network.dial(at.listener->local(), kNever);
    EXPECT_TRUE((*dialled)->write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhello"));
    (*dialled)->finish();
    const auto bytes = co_await (*dialled)->read_some(kNever);
    EXPECT_TRUE(!bytes || bytes->empty());
  }(world));
  EXPECT_TRUE(world.run());
  EXPECT_EQ(served, 0);
}

TEST(ServerConnection, row_62_and_63_a_body_above_the_limit_gets_413_and_close) {
  const std::string big(200'000, 'x');
  const auto answer = converse({"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n" + big});
  EXPECT_EQ(answer.substr(0, 12), "HTTP/1.1 413");
  EXPECT_NE(answer.find("Connection: close"), std::string::npos);
  const auto chunked =
      converse({"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n30D40\r\n" + big + "\r\n0\r\n\r\n"});
  EXPECT_EQ(chunked.substr(0, 12), "HTTP/1.1 413");
}

TEST(ServerConnection, row_51_says_continue_before_it_reads_the_body) {
  const auto answer =
      converse({"POST /c HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n", "ok"}, 10ms);
  EXPECT_EQ(answer.find("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK"), 0U) << answer;
}

TEST(ServerConnection, row_54_drops_trailers) {
  const auto answer =
      converse({"POST /t HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n"
                "Host: evil\r\nContent-Length: 5\r\n\r\nGET /next HTTP/1.1\r\nHost: x\r\n\r\n"});
  EXPECT_EQ(count(answer, "HTTP/1.1 200 OK"), 2U) << answer;
}

TEST(ServerConnection, head_requests_get_no_body_and_close_is_honoured) {
  const auto answer = converse({"HEAD /h HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"});
  EXPECT_NE(answer.find("Content-Length: 8\r\n"), std::string::npos);
  EXPECT_TRUE(answer.ends_with("\r\n\r\n")) << answer;
}

net::Task<> one_call(World& world, CallRequest request, Result<CallAnswer>& into) {
  into = co_await call(world.network, world.listener->local(), std::move(request), world.loop.now() + 5s);
}

TEST(Call, carries_a_request_and_its_whole_answer) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    World world({.max_read = 5, .max_write = 17}, seed);
    ServerLimits limits;
    int served = 0;
    Result<CallAnswer> answer = Error{ErrorCode::invalid, Side::gateway, "no answer yet"};
    world.group.spawn(echo(world, limits, served));
    world.group.spawn(one_call(world, {.method = "POST", .target = "/x", .host = "n", .body = "hello"}, answer));
    EXPECT_TRUE(world.run());
    ASSERT_TRUE(answer) << answer.error().detail;
    EXPECT_EQ(answer->body, "POST /x hello") << "seed " << seed;
  }
}

// Says `bytes` to whoever connects, then closes.
net::Task<> say(World& world, std::string bytes) {
  auto accepted = co_await world.listener->accept();
  std::string request;
  while (!request.ends_with("\r\n\r\n")) {
    const auto piece = co_await (*accepted)->read_some(world.loop.now() + 1s);
    if (!piece || piece->empty()) co_return;
    request += *piece;
  }
  EXPECT_TRUE((*accepted)->write(bytes));
  (*accepted)->finish();
  co_await (*accepted)->read_some(world.loop.now() + 1s);
}

struct AnswerCase {
  std::string_view name, bytes, expected;  // expected: the body, or the error code
};
constexpr AnswerCase kAnswers[] = {
    {"length", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok"},
    {"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n", "ok"},
    {"until close", "HTTP/1.0 200 OK\r\n\r\nok", "ok"},
    {"interim first", "HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok"},
    {"closed at once", "", "closed"},
    {"row 18: cut in chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\no", "closed"},
    {"row 19: cut short of its length", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", "closed"},
    {"row 22: bad chunk size", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nok", "protocol"},
    {"row 31: garbage", "SSH-2.0-OpenSSH\r\n\r\n", "protocol"},
};

TEST(ClientConnection, reads_answers_as_their_framing_says) {
  for (const AnswerCase& row : kAnswers) {
    for (const std::size_t max_read : {std::size_t{0}, std::size_t{1}}) {
      World world({.max_read = max_read});
      Result<CallAnswer> answer = Error{ErrorCode::invalid, Side::gateway, "no answer yet"};
      world.group.spawn(say(world, std::string(row.bytes)));
      world.group.spawn(one_call(world, {.target = "/", .host = "n"}, answer));
      EXPECT_TRUE(world.run());
      EXPECT_EQ(answer ? answer->body : std::string(name(answer.error().code)), row.expected) << row.name;
    }
  }
}

TEST(ClientConnection, row_28_swallows_eight_interim_heads_and_no_more) {
  for (const int interims : {8, 9}) {
    World world;
    std::string bytes;
    for (int i = 0; i < interims; ++i) bytes += "HTTP/1.1 102 Processing\r\n\r\n";
    Result<CallAnswer> answer = Error{ErrorCode::invalid, Side::gateway, "no answer yet"};
    world.group.spawn(say(world, bytes + "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    world.group.spawn(one_call(world, {.target = "/", .host = "n"}, answer));
    EXPECT_TRUE(world.run());
    EXPECT_EQ(answer.has_value(), interims == 8) << interims;
  }
}

}  // namespace
}  // namespace drover::wire
