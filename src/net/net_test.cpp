// Flows, time and streams: the same flows in the simulated world and on Linux.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>

#include "net/address_range.h"
#include "net/linux_network.h"
#include "net/outbox.h"
#include "net/resolver.h"
#include "net/signal.h"
#include "net/sim_world.h"
#include "net/soon.h"

namespace drover::net {
namespace {

using namespace std::chrono_literals;

const Endpoint kServer = *parse_ip("127.0.0.1", 0);

// Sends back what comes until the peer ends its side.
Task<> echo_once(Listener& listener) {
  auto accepted = co_await listener.accept();
  if (!accepted) co_return;
  Stream& stream = **accepted;
  while (true) {
    const auto bytes = co_await stream.read_some(kNever);
    if (!bytes || bytes->empty()) break;
    if (!stream.write(*bytes)) break;
  }
  co_await stream.drained(0, kNever);
}

Task<> exchange(Network& network, Endpoint to, std::string sent, std::string& received) {
  auto dialled = co_await network.dial(to, network.loop().now() + 1s);
  if (!dialled) co_return;
  Stream& stream = **dialled;
  if (!stream.write(sent)) co_return;
  while (received.size() < sent.size()) {
    const auto bytes = co_await stream.read_some(network.loop().now() + 10s);
    if (!bytes || bytes->empty()) co_return;
    received += *bytes;
  }
}

std::string pattern(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + i % 23);
  return text;
}

struct SimFixture {
  explicit SimFixture(SimNetworkSettings settings = {}, std::uint64_t seed = 1) : world(seed, settings) {}
  SimWorld world;
  SimLoop loop{world};
  SimNetwork network{world, loop};
  bool run(TaskGroup& group) {
    return world.run_until([&] { return group.size() == 0; }, world.clock().mono() + 1h);
  }
};

TEST(SimWorld, carries_bytes_whole_however_reads_and_writes_are_split) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SimFixture sim({.jitter = 1ms, .window = 1000, .max_read = 700, .max_write = 300}, seed);
    auto listener = sim.network.listen(kServer).value();
    TaskGroup group(sim.loop);
    std::string received;
    const std::string sent = pattern(20'000);
    group.spawn(echo_once(*listener));
    group.spawn(exchange(sim.network, listener->local(), sent, received));
    EXPECT_TRUE(sim.run(group)) << "seed " << seed;
    EXPECT_EQ(received, sent) << "seed " << seed;
  }
}

TEST(SimWorld, replays_a_run_from_its_seed) {
  const auto events_of = [](std::uint64_t seed) {
    SimFixture sim({.jitter = 3ms, .max_read = 50}, seed);
    auto listener = sim.network.listen(kServer).value();
    TaskGroup group(sim.loop);
    std::string received;
    group.spawn(echo_once(*listener));
    group.spawn(exchange(sim.network, listener->local(), pattern(5'000), received));
    sim.run(group);
    return std::pair(sim.world.events(), sim.world.clock().mono());
  };
  EXPECT_EQ(events_of(5), events_of(5));
  EXPECT_NE(events_of(5), events_of(6));
}

Task<> expect_dial_error(Network& network, Endpoint to, ErrorCode expected, Duration patience) {
  const auto dialled = co_await network.dial(to, network.loop().now() + patience);
  EXPECT_FALSE(dialled);
  if (!dialled) EXPECT_EQ(name(dialled.error()), name(expected));
}

TEST(SimWorld, refuses_and_swallows_dials) {
  SimFixture sim;
  TaskGroup group(sim.loop);
  const Endpoint nobody = *parse_ip("127.0.0.1", 9);
  const Endpoint hole = *parse_ip("127.0.0.1", 10);
  sim.world.set_reach(hole, Reach::blackhole);
  group.spawn(expect_dial_error(sim.network, nobody, ErrorCode::connect_refused, 2s));
  group.spawn(expect_dial_error(sim.network, hole, ErrorCode::connect_timed_out, 2s));
  EXPECT_TRUE(sim.run(group));
  EXPECT_EQ(sim.world.clock().mono(), Mono{} + 2s);
}

Task<> read_with_deadline(Network& network, Endpoint to, Duration patience, ErrorCode& error, Mono& at) {
  auto dialled = co_await network.dial(to, kNever);
  const auto bytes = co_await (*dialled)->read_some(network.loop().now() + patience);
  if (!bytes) error = bytes.error();
  at = network.loop().now();
}

Task<> accept_and_hold(Listener& listener, Duration hold, Loop& loop) {
  auto accepted = co_await listener.accept();
  co_await sleep_until(loop.now() + hold);
}

// Writes until a write fails; then says whether the loop had been told that the peer is gone.
Task<> write_until_reset(Network& network, Endpoint to, bool& told) {
  auto dialled = co_await network.dial(to, kNever);
  while ((*dialled)->write("x")) co_await sleep_until(network.loop().now() + 1ms);
  told = (*dialled)->hung_up();
}

Task<> accept_and_reset(Listener& listener) {
  auto accepted = co_await listener.accept();
  (*accepted)->abort();
}

TEST(SimWorld, a_write_meets_a_reset_before_or_after_the_loop_is_told_of_it) {
  std::size_t before = 0, after = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SimFixture sim({.notice = 2ms}, seed);
    auto listener = sim.network.listen(kServer).value();
    TaskGroup group(sim.loop);
    bool told = false;
    group.spawn(accept_and_reset(*listener));
    group.spawn(write_until_reset(sim.network, listener->local(), told));
    EXPECT_TRUE(sim.run(group)) << "seed " << seed;
    ++(told ? after : before);
    sim.world.run_for(1s);
  }
  EXPECT_GT(before, 0U);
  EXPECT_GT(after, 0U);
}

// What one direction of a connection gave before it ended, and how.
struct Heard {
  std::string bytes;
  std::optional<ErrorCode> broke;
  Mono last{};
};

Task<> hear(Network& network, Endpoint to, Heard& heard) {
  auto dialled = co_await network.dial(to, kNever);
  while (true) {
    const auto bytes = co_await (*dialled)->read_some(kNever);
    if (!bytes) heard.broke = bytes.error();
    if (!bytes || bytes->empty()) co_return;
    heard.bytes += *bytes;
    heard.last = network.loop().now();
  }
}

Task<> accept_and_tell(Listener& listener, std::string text) {
  auto accepted = co_await listener.accept();
  if (!accepted) co_return;
  static_cast<void>((*accepted)->write(text));
  co_await (*accepted)->readable(kNever);
}

Task<> dial_and_read(Network& network, Endpoint to) {
  auto dialled = co_await network.dial(to, kNever);
  if (dialled) co_await (*dialled)->read_some(kNever);
}

TEST(SimWorld, what_is_under_way_may_outlive_the_network_that_it_was_for) {
  for (int moment = 0; moment < 60; ++moment) {
    SimFixture sim({.notice = 2ms});
    auto other = std::make_unique<SimNetwork>(sim.world, sim.loop);
    auto listener = sim.network.listen(kServer).value();
    {
      TaskGroup group(sim.loop);
      group.spawn(accept_and_tell(*listener, "x"));
      group.spawn(dial_and_read(*other, listener->local()));
      sim.world.run_for(moment * 100us);
      group.cancel_all();
      EXPECT_TRUE(sim.run(group));
    }
    other.reset();
    sim.world.run_for(1s);
    EXPECT_EQ(sim.network.streams(), 0U);
  }
}

Heard heard_through(LinkFaults faults, Duration hold = {}) {
  SimFixture sim;
  auto listener = sim.network.listen(kServer).value();
  sim.world.set_link_faults([&](const Endpoint&) { return faults; });
  if (hold > Duration{0}) sim.world.hold(listener->local(), sim.world.clock().mono() + hold);
  TaskGroup group(sim.loop);
  Heard heard;
  group.spawn(accept_and_tell(*listener, "0123456789"));
  group.spawn(hear(sim.network, listener->local(), heard));
  sim.world.run_for(1min);
  group.cancel_all();
  EXPECT_TRUE(sim.run(group));
  return heard;
}

TEST(SimWorld, a_link_resets_stalls_and_inserts_at_a_byte) {
  const Heard reset = heard_through({.from_listener = {.reset_at = 4}});
  EXPECT_EQ(reset.bytes, "0123");
  EXPECT_EQ(reset.broke, ErrorCode::reset);
  const Heard stalled = heard_through({.from_listener = {.stall_at = 4, .stall = 5s}});
  EXPECT_EQ(stalled.bytes, "0123456789");
  EXPECT_GE(stalled.last, Mono{} + 5s);
  const Heard inserted = heard_through({.from_listener = {.insert_at = 4, .insert = "abc"}});
  EXPECT_EQ(inserted.bytes, "0123abc456789");
  const Heard held = heard_through({}, 7s);
  EXPECT_EQ(held.bytes, "0123456789");
  EXPECT_GE(held.last, Mono{} + 7s);
}

TEST(SimWorld, a_process_that_crashes_resets_its_peers_and_reaches_nobody_any_more) {
  SimFixture sim;
  SimNetwork process(sim.world, sim.loop);
  auto listener = process.listen(kServer).value();
  const Endpoint at = listener->local();
  TaskGroup group(sim.loop);
  Heard heard;
  group.spawn(accept_and_tell(*listener, "all"));
  group.spawn(hear(sim.network, at, heard));
  sim.world.run_for(10ms);
  process.crash();
  group.spawn(expect_dial_error(sim.network, at, ErrorCode::connect_refused, 1s));
  group.spawn(expect_dial_error(process, at, ErrorCode::unreachable, 1s));
  EXPECT_TRUE(sim.run(group));
  EXPECT_EQ(heard.bytes, "all");
  EXPECT_EQ(heard.broke, ErrorCode::reset);
  EXPECT_EQ(process.streams(), 0U);
}

TEST(Deadline, ends_a_silent_read_a_slot_or_two_late_and_never_early) {
  for (const Duration patience : {Duration(1ms), Duration(100ms), Duration(30s), Duration(10min)}) {
    SimFixture sim;
    auto listener = sim.network.listen(kServer).value();
    TaskGroup group(sim.loop);
    ErrorCode error{};
    Mono at{};
    group.spawn(accept_and_hold(*listener, 1h, sim.loop));
    group.spawn(read_with_deadline(sim.network, listener->local(), patience, error, at));
    sim.world.run_until([&] { return at != Mono{}; }, Mono{} + 1h);
    EXPECT_EQ(name(error), "timed_out");
    EXPECT_GE(at, Mono{} + patience);
    EXPECT_LE(at, Mono{} + patience + 40ms);
    group.cancel_all();
    EXPECT_TRUE(sim.run(group));
  }
}

Task<> wait_under_guard(Stream& client, Signal& never, ErrorCode& error, Mono& at) {
  Flow& flow = co_await this_flow();
  const HangupGuard guard(client, flow);
  const auto waited = co_await never.notified(kNever);
  if (!waited) error = waited.error();
  at = flow.loop().now();
}

Task<> serve_guarded(Listener& listener, ErrorCode& error, Mono& at) {
  auto accepted = co_await listener.accept();
  Signal never;
  co_await wait_under_guard(**accepted, never, error, at);
}

Task<> dial_and_leave(Network& network, Endpoint to, Duration stay) {
  auto dialled = co_await network.dial(to, kNever);
  co_await sleep_until(network.loop().now() + stay);
}

TEST(HangupGuard, cancels_the_flow_when_the_peer_leaves_whatever_it_waits_for) {
  SimFixture sim;
  auto listener = sim.network.listen(kServer).value();
  TaskGroup group(sim.loop);
  ErrorCode error{};
  Mono at{};
  group.spawn(serve_guarded(*listener, error, at));
  group.spawn(dial_and_leave(sim.network, listener->local(), 5s));
  EXPECT_TRUE(sim.run(group));
  EXPECT_EQ(name(error), "cancelled");
  EXPECT_LE(at, Mono{} + 5s + 1ms);
}

Task<> flood(Stream& stream, std::size_t size, std::size_t& kept, bool& drained) {
  const std::string bytes = pattern(size);
  EXPECT_TRUE(stream.write(bytes));
  kept = stream.unsent();
  drained = (co_await stream.drained(0, kNever)).has_value();
}

Task<> serve_flood(Listener& listener, std::size_t size, std::size_t& kept, bool& drained) {
  auto accepted = co_await listener.accept();
  co_await flood(**accepted, size, kept, drained);
}

Task<> read_slowly(Network& network, Endpoint to, std::size_t size, std::string& received) {
  auto dialled = co_await network.dial(to, kNever);
  while (received.size() < size) {
    co_await sleep_until(network.loop().now() + 10ms);
    const auto bytes = co_await (*dialled)->read_some(kNever);
    if (!bytes || bytes->empty()) co_return;
    received += *bytes;
  }
}

TEST(Stream, keeps_what_a_slow_reader_does_not_take_and_sends_it_as_it_drains) {
  SimFixture sim({.window = 4096});
  auto listener = sim.network.listen(kServer).value();
  TaskGroup group(sim.loop);
  std::size_t kept = 0;
  bool drained = false;
  std::string received;
  group.spawn(serve_flood(*listener, 50'000, kept, drained));
  group.spawn(read_slowly(sim.network, listener->local(), 50'000, received));
  EXPECT_TRUE(sim.run(group));
  EXPECT_EQ(kept, 50'000U - 4096U);
  EXPECT_TRUE(drained);
  EXPECT_EQ(received, pattern(50'000));
}

Task<> abort_after_reading(Listener& listener) {
  auto accepted = co_await listener.accept();
  co_await (*accepted)->read_some(kNever);
  (*accepted)->abort();
}

Task<> read_until_error(Network& network, Endpoint to, ErrorCode& error) {
  auto dialled = co_await network.dial(to, kNever);
  EXPECT_TRUE((*dialled)->write("hello"));
  const auto bytes = co_await (*dialled)->read_some(kNever);
  if (!bytes) error = bytes.error();
}

TEST(Stream, abort_reaches_the_peer_as_a_reset) {
  SimFixture sim;
  auto listener = sim.network.listen(kServer).value();
  TaskGroup group(sim.loop);
  ErrorCode error{};
  group.spawn(abort_after_reading(*listener));
  group.spawn(read_until_error(sim.network, listener->local(), error));
  EXPECT_TRUE(sim.run(group));
  EXPECT_EQ(name(error), "reset");
}

Soon<int> half_of(int number, Loop& loop) {
  if (number % 2 == 0) return number / 2;
  return [](int odd, Loop& its_loop) -> Task<int> {
    co_await sleep_until(its_loop.now() + 1s);
    co_return odd / 2 + 1;
  }(number, loop);
}

TEST(Soon, is_there_at_once_or_when_its_task_has_ended) {
  SimFixture sim;
  const Mono begin = sim.loop.now();
  std::vector<std::pair<int, Duration>> seen;  // what, and when
  TaskGroup group(sim.loop);
  group.spawn([](SimFixture& its_sim, Mono its_begin, std::vector<std::pair<int, Duration>>& its_seen) -> Task<> {
    for (const int number : {4, 5, 6}) {
      const int half = co_await half_of(number, its_sim.loop);
      its_seen.emplace_back(half, its_sim.loop.now() - its_begin);
    }
  }(sim, begin, seen));
  ASSERT_TRUE(sim.run(group));
  EXPECT_EQ(seen, (std::vector<std::pair<int, Duration>>{{2, 0s}, {3, 1s}, {3, 1s}}));
}

TEST(TaskGroup, cancels_its_flows_and_tells_when_the_last_has_ended) {
  SimFixture sim;
  auto listener = sim.network.listen(kServer).value();
  TaskGroup sleepers(sim.loop), watchers(sim.loop);
  for (int i = 0; i < 3; ++i) sleepers.spawn(accept_and_hold(*listener, 1h, sim.loop));
  bool ended = false;
  watchers.spawn([](TaskGroup& group, bool& done) -> Task<> { done = co_await group.ended(); }(sleepers, ended));
  sim.world.run_for(1s);
  EXPECT_FALSE(ended);
  sleepers.cancel_all();
  EXPECT_TRUE(sim.run(watchers));
  EXPECT_TRUE(ended);
}

// The Linux world.

Task<> then_stop(LinuxLoop& loop, TaskGroup& group) {
  co_await group.ended();
  loop.stop();
}

TEST(Linux, carries_more_bytes_than_the_sockets_hold) {
  SystemClock clock;
  LinuxLoop loop(clock);
  LinuxNetwork network(loop);
  auto listener = network.listen(kServer, {}).value();
  TaskGroup group(loop), ending(loop);
  std::string received;
  const std::string sent = pattern(20'000'000);
  group.spawn(echo_once(*listener));
  group.spawn(exchange(network, listener->local(), sent, received));
  ending.spawn(then_stop(loop, group));
  loop.run();
  EXPECT_TRUE(received == sent) << "received " << received.size() << " bytes";
}

// Writes in pieces, some of them empty, and tells what the other side got of each write.
Task<> write_pieces(Network& network, Endpoint to, std::span<const std::vector<std::string_view>> writes,
                    std::string& received) {
  auto dialled = co_await network.dial(to, network.loop().now() + 1s);
  if (!dialled) co_return;
  Stream& stream = **dialled;
  for (const auto& pieces : writes) {
    std::size_t left = 0;
    for (const std::string_view piece : pieces) left += piece.size();
    if (!stream.write(pieces)) co_return;
    while (left > 0) {
      const auto bytes = co_await stream.read_some(network.loop().now() + 10s);
      if (!bytes || bytes->empty()) co_return;
      received += *bytes;
      left -= bytes->size();
    }
    received += '|';
  }
}

TEST(Linux, a_write_of_several_pieces_is_one_run_of_bytes_whatever_their_size) {
  SystemClock clock;
  LinuxLoop loop(clock);
  LinuxNetwork network(loop);
  auto listener = network.listen(kServer, {}).value();
  TaskGroup group(loop), ending(loop);
  std::string received, expected;
  const std::string text = pattern(5'000);
  std::vector<std::vector<std::string_view>> writes;
  for (const std::size_t size : std::vector<std::size_t>{1, 7, 2047, 2048, 2049, 5000}) {
    const std::string_view whole = std::string_view(text).substr(0, size);
    writes.push_back({whole.substr(0, 1), {}, whole.substr(1, size / 2), whole.substr(1).substr(size / 2)});
    expected += std::string(whole) + '|';
  }
  group.spawn(echo_once(*listener));
  group.spawn(write_pieces(network, listener->local(), writes, received));
  ending.spawn(then_stop(loop, group));
  loop.run();
  EXPECT_EQ(received, expected);
}

struct PostOffice final : Outbox::Sender {
  void send_now(std::string_view bytes) override { sent.emplace_back(bytes); }
  std::vector<std::string> sent;
};

TEST(Outbox, sends_what_was_put_off_in_its_order_and_never_keeps_many) {
  Outbox outbox;
  PostOffice office;
  const std::array<std::string_view, 3> pieces{"one", "", " two"};
  outbox.add(office, pieces, 7);
  outbox.add(office, std::array<std::string_view, 1>{"three"}, 5);
  EXPECT_TRUE(office.sent.empty());
  outbox.flush();
  EXPECT_EQ(office.sent, (std::vector<std::string>{"one two", "three"}));
  outbox.flush();
  EXPECT_EQ(office.sent.size(), 2U) << "once";

  const std::string largest(Outbox::kLargest, 'x');
  for (std::size_t i = 0; i < Outbox::kMost; ++i) {
    EXPECT_EQ(office.sent.size(), 2U);
    outbox.add(office, std::array<std::string_view, 1>{largest}, largest.size());
  }
  EXPECT_EQ(office.sent.size(), 2 + Outbox::kMost);
  EXPECT_EQ(office.sent.back(), largest);
}

// Little, which is put off, and much, which is not, in turns; what is last is little, and its end comes with it.
Task<> write_little_and_much(Network& network, Endpoint to, std::string text) {
  auto dialled = co_await network.dial(to, network.loop().now() + 1s);
  if (!dialled) co_return;
  Stream& stream = **dialled;
  std::string_view rest = text;
  for (std::size_t size = 10; !rest.empty(); size = size == 10 ? 3 * Outbox::kLargest : 10) {
    std::string_view piece = rest.substr(0, size);
    rest.remove_prefix(piece.size());
    if (rest.size() % 2 == 0 && !stream.write(std::exchange(piece, {}))) co_return;
    while (!piece.empty()) {
      const auto taken = co_await stream.write_some(std::span(&piece, 1), network.loop().now() + 10s);
      if (!taken) co_return;
      piece.remove_prefix(*taken);
    }
  }
  stream.finish();
  [[maybe_unused]] const auto ended = co_await stream.read_some(network.loop().now() + 10s);
}

Task<> take_all(Listener& listener, std::string& received) {
  auto accepted = co_await listener.accept();
  if (!accepted) co_return;
  while (true) {
    const auto bytes = co_await (*accepted)->read_some(kNever);
    if (!bytes || bytes->empty()) co_return;
    received += *bytes;
  }
}

TEST(Linux, what_was_put_off_goes_before_what_was_written_later) {
  SystemClock clock;
  LinuxLoop loop(clock);
  LinuxNetwork network(loop);
  auto listener = network.listen(kServer, {}).value();
  TaskGroup group(loop), ending(loop);
  std::string received;
  const std::string sent = pattern(1'000'005);
  group.spawn(take_all(*listener, received));
  group.spawn(write_little_and_much(network, listener->local(), sent));
  ending.spawn(then_stop(loop, group));
  loop.run();
  EXPECT_TRUE(received == sent) << "received " << received.size() << " bytes";
}

Task<> write_and_leave(Network& network, Endpoint to) {
  auto dialled = co_await network.dial(to, network.loop().now() + 1s);
  if (dialled) [[maybe_unused]]
    const auto written = (*dialled)->write("farewell");
}

TEST(Linux, what_was_put_off_leaves_before_the_stream_does) {
  SystemClock clock;
  LinuxLoop loop(clock);
  LinuxNetwork network(loop);
  auto listener = network.listen(kServer, {}).value();
  TaskGroup group(loop), ending(loop);
  std::string received;
  group.spawn(take_all(*listener, received));
  group.spawn(write_and_leave(network, listener->local()));
  ending.spawn(then_stop(loop, group));
  loop.run();
  EXPECT_EQ(received, "farewell");
}

Task<> dial_both(Network& network, Endpoint to, std::array<std::unique_ptr<Stream>, 2>& dialled) {
  for (auto& stream : dialled) stream = std::move(*co_await network.dial(to, network.loop().now() + 1s));
}

TEST(Linux, what_came_before_a_listener_closes_is_taken_without_a_wait) {
  SystemClock clock;
  LinuxLoop loop(clock);
  LinuxNetwork network(loop);
  TaskGroup group(loop), ending(loop);
  auto listener = network.listen(kServer, {}).value();
  std::array<std::unique_ptr<Stream>, 2> dialled;
  group.spawn(dial_both(network, listener->local(), dialled));
  ending.spawn(then_stop(loop, group));
  loop.run();
  EXPECT_NE(listener->accept_waiting(), nullptr);
  EXPECT_NE(listener->accept_waiting(), nullptr);
  EXPECT_EQ(listener->accept_waiting(), nullptr);
}

TEST(Linux, a_dial_nobody_answers_is_refused) {
  SystemClock clock;
  LinuxLoop loop(clock);
  LinuxNetwork network(loop);
  Endpoint gone;
  {
    auto listener = network.listen(kServer, {}).value();
    gone = listener->local();
  }
  TaskGroup group(loop), ending(loop);
  group.spawn(expect_dial_error(network, gone, ErrorCode::connect_refused, 5s));
  ending.spawn(then_stop(loop, group));
  loop.run();
}

Task<> look_at_options(Network& network, Endpoint to, std::vector<int>& options) {
  const auto dialled = co_await network.dial(to, kNever);
  EXPECT_TRUE(dialled);
  for (int descriptor = 3; descriptor < 64; ++descriptor) {
    sockaddr_in peer{};
    socklen_t size = sizeof peer;
    if (::getpeername(descriptor, reinterpret_cast<sockaddr*>(&peer), &size) != 0 || ntohs(peer.sin_port) != to.port)
      continue;
    for (const auto& [level, option] :
         {std::pair<int, int>(IPPROTO_TCP, TCP_USER_TIMEOUT), {SOL_SOCKET, SO_KEEPALIVE}}) {
      int value = 0;
      size = sizeof value;
      ::getsockopt(descriptor, level, option, &value, &size);
      options.push_back(value);
    }
  }
}

TEST(Linux, row_10_a_peer_whose_machine_is_gone_is_noticed_after_20_seconds) {
  SystemClock clock;
  LinuxLoop loop(clock);
  LinuxNetwork network(loop);
  auto listener = network.listen(kServer, {}).value();
  TaskGroup group(loop), ending(loop);
  std::vector<int> options;
  group.spawn(look_at_options(network, listener->local(), options));
  ending.spawn(then_stop(loop, group));
  loop.run();
  EXPECT_EQ(options, (std::vector{20'000, 1}));
}

TEST(Linux, the_error_of_a_taken_port_says_what_to_do) {
  SystemClock clock;
  LinuxLoop loop(clock);
  LinuxNetwork network(loop);
  auto first = network.listen(kServer, {}).value();
  const auto second = network.listen(first->local(), {});
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().detail.find("another program listens there"), std::string::npos) << second.error().detail;
}

TEST(Linux, a_client_that_leaves_cancels_the_guarded_flow) {
  SystemClock clock;
  LinuxLoop loop(clock);
  LinuxNetwork network(loop);
  auto listener = network.listen(kServer, {}).value();
  TaskGroup group(loop), ending(loop);
  ErrorCode error{};
  Mono at{};
  group.spawn(serve_guarded(*listener, error, at));
  group.spawn(dial_and_leave(network, listener->local(), 5ms));
  ending.spawn(then_stop(loop, group));
  loop.run();
  EXPECT_EQ(name(error), "cancelled");
}

TEST(Linux, posts_from_other_threads_run_on_the_loop_in_order) {
  SystemClock clock;
  LinuxLoop loop(clock);
  std::vector<int> order;
  std::thread other([&] {
    for (int i = 0; i < 100; ++i) loop.post([&order, i] { order.push_back(i); });
    loop.stop();
  });
  loop.run();
  other.join();
  ASSERT_EQ(order.size(), 100U);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

Task<> resolve(Resolver& resolver, Loop& loop, std::string host, std::string& into) {
  const auto found = co_await resolver.resolve(loop, host, 80, loop.now() + 30s);
  into = found ? to_text(found->front()) : std::string(name(found.error().code));
}

TEST(Resolver, answers_literals_itself_and_says_when_a_name_does_not_exist) {
  SystemClock clock;
  LinuxLoop loop(clock);
  SystemResolver resolver;
  TaskGroup group(loop), ending(loop);
  std::string literal, local, nobody;
  group.spawn(resolve(resolver, loop, "::1", literal));
  group.spawn(resolve(resolver, loop, "localhost", local));
  group.spawn(resolve(resolver, loop, "no-such-name.invalid", nobody));
  ending.spawn(then_stop(loop, group));
  loop.run();
  EXPECT_EQ(literal, "[::1]:80");
  EXPECT_EQ(local, "127.0.0.1:80");
  EXPECT_EQ(nobody, "unreachable");
}

struct EndpointCase {
  std::string_view text, expected;
};
constexpr EndpointCase kEndpointCases[] = {{"127.0.0.1:80", "127.0.0.1:80"}, {"[::1]:80", "[::1]:80"},
                                           {"localhost:0", "127.0.0.1:0"},   {":80", "0.0.0.0:80"},
                                           {"example:80", "error"},          {"127.0.0.1", "error"},
                                           {"127.0.0.1:", "error"},          {"1.2.3.4:70000", "error"}};

TEST(Endpoint, reads_addresses_to_listen_on) {
  for (const auto& [text, expected] : kEndpointCases) {
    const auto endpoint = parse_endpoint(text);
    EXPECT_EQ(endpoint ? to_text(*endpoint) : "error", expected) << text;
  }
}

struct IpCase {
  std::string_view text, means;  // nothing: it is no address
};
constexpr IpCase kIps[] = {{"0.0.0.0", "0.0.0.0"},
                           {"255.249.10.9", "255.249.10.9"},
                           {"127.0.0.100", "127.0.0.100"},
                           {"::1", "::1"},
                           {"[2001:db8::17]", "2001:db8::17"},
                           {"", ""},
                           {"1.2.3", ""},
                           {"1.2.3.", ""},
                           {"1.2.3.4.", ""},
                           {"1.2.3.4.5", ""},
                           {"1.2.3.256", ""},
                           {"1.2.3.0256", ""},
                           {"1.2.3.01", ""},
                           {"1.2.3.00", ""},
                           {"1.2..4", ""},
                           {".1.2.3.4", ""},
                           {"1.2.3.4 ", ""},
                           {"1.2.3.-4", ""},
                           {"1.2.3.x", ""},
                           {"::g", ""}};

TEST(Endpoint, reads_addresses_strictly_and_writes_them_as_they_were) {
  for (const auto& [text, means] : kIps) {
    const auto read = parse_ip(text, 1);
    EXPECT_EQ(read ? ip_text(*read) : "", means) << text;
  }
}

struct RangeCase {
  std::string_view range, address;
  bool contains;
};
constexpr RangeCase kRanges[] = {{"10.0.0.0/8", "10.255.0.1", true},
                                 {"10.0.0.0/8", "11.0.0.0", false},
                                 {"10.0.0.0/8", "::ffff:10.1.2.3", true},
                                 {"192.168.4.0/22", "192.168.7.255", true},
                                 {"192.168.4.0/22", "192.168.8.0", false},
                                 {"10.0.0.1", "10.0.0.1", true},
                                 {"10.0.0.1", "10.0.0.2", false},
                                 {"0.0.0.0/0", "1.2.3.4", true},
                                 {"0.0.0.0/0", "::1", false},
                                 {"::/0", "fe80::1", true},
                                 {"fd00::/9", "fd7f::1", true},
                                 {"fd00::/9", "fd80::1", false},
                                 {"::1", "::1", true}};

TEST(AddressRange, contains_what_begins_alike) {
  for (const auto& [range, address, contains] : kRanges) {
    const auto read = parse_address_range(range);
    ASSERT_TRUE(read) << range;
    EXPECT_EQ(to_text(*read), range);
    EXPECT_EQ(read->contains(*parse_ip(address, 1)), contains) << range << " " << address;
  }
}

TEST(AddressRange, is_read_strictly) {
  for (const auto* text :
       {"", "10.0.0/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8x", "::/129", "host/8", "10.0.0.1/8"}) {
    EXPECT_FALSE(parse_address_range(text)) << text;
  }
}

TEST(Endpoint, knows_loopback_in_both_families) {
  for (const auto* text : {"127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"}) {
    EXPECT_TRUE(parse_ip(text, 0)->is_loopback()) << text;
  }
  for (const auto* text : {"0.0.0.0", "10.0.0.1", "::", "fe80::1"})
    EXPECT_FALSE(parse_ip(text, 0)->is_loopback()) << text;
}

}  // namespace
}  // namespace drover::net
