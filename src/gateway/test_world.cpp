#include "gateway/test_world.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "http/chunked.h"

namespace drover::gateway::test {

std::string whole(std::string_view body, int status, std::string_view type) {
  return fmt::format("HTTP/1.1 {} X\r\nContent-Type: {}\r\nContent-Length: {}\r\n\r\n{}", status, type, body.size(),
                     body);
}

std::string stream_head(std::string_view type) {
  return fmt::format("HTTP/1.1 200 OK\r\nContent-Type: {}\r\nTransfer-Encoding: chunked\r\n\r\n", type);
}

std::string chunk(std::string_view payload) { return fmt::format("{:x}\r\n{}\r\n", payload.size(), payload); }

std::string token_line(int index) {
  return fmt::format(
      R"({{"model":"m","created_at":"2026-01-01T00:00:00Z","message":{{"role":"assistant","content":"t{} "}},"done":false}})"
      "\n",
      index);
}

std::string done_line() {
  return R"({"model":"m","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant","content":""},"done":true,)"
         R"("done_reason":"stop","total_duration":5000000,"load_duration":1000000,"prompt_eval_count":3,)"
         R"("prompt_eval_duration":1000000,"eval_count":2,"eval_duration":2000000})"
         "\n";
}

Script chat_stream(int tokens, Duration gap) {
  Script script;
  for (int i = 0; i < tokens; ++i) {
    script.push_back(Pause{gap});
    script.push_back(Send{(i == 0 ? stream_head() : "") + chunk(token_line(i))});
  }
  script.push_back(Send{chunk(done_line()) + kEnd});
  return script;
}

// ---- node
// ------------------------------------------------------------------------------------------------------------

FakeNode::FakeNode(net::Network& network, std::string name, net::Endpoint at)
    : network_(network), name_(std::move(name)), endpoint_(at), flows_(network.loop()) {
  scripts_ = {chat_stream(3)};
  listen();
}

void FakeNode::listen() {
  auto listener = network_.listen(endpoint_).value();
  endpoint_ = listener->local();
  flows_.spawn(accept(std::move(listener)));
}

void FakeNode::kill() { flows_.cancel_all(); }

void FakeNode::revive() { listen(); }

net::Task<> FakeNode::accept(std::unique_ptr<net::Listener> listener) {
  while (true) {
    auto accepted = co_await listener->accept();
    if (!accepted) co_return;
    flows_.spawn(serve(std::move(*accepted)));
  }
}

std::string FakeNode::probe_answer(std::string_view path) const {
  const std::string digest(64, 'a');
  Json list = Json::array();
  for (const std::string& model : models_) {
    if (path == "/api/ps" && !resident_) continue;
    list.push_back({{"name", model},
                    {"model", model},
                    {"modified_at", "2026-01-01T00:00:00Z"},
                    {"size", 1000},
                    {"digest", digest},
                    {"details", Json::object()}});
    if (path == "/api/ps") {
      list.back()["expires_at"] = fmt::format("2030-01-01T00:{:02}:{:02}Z", keep_alives_ / 60 % 60, keep_alives_ % 60);
      list.back()["size_vram"] = 1000;
      if (context_ > 0) list.back()["context_length"] = context_;
    }
  }
  if (path == "/v1/node") return report_;
  if (path == "/api/version") return R"({"version":"0.34.4"})";
  if (path == "/api/show") return R"({"modelfile":"","details":{},"model_info":{},"capabilities":["completion"]})";
  return to_text(Json{{"models", list}});
}

net::Task<> FakeNode::serve(std::unique_ptr<net::Stream> stream) {
  wire::ServerConnection client(*stream, network_.loop(), limits_);
  while (co_await client.wait_for_request()) {
    wire::Incoming request;
    const auto read = co_await client.read_head(request);
    if (read == wire::ServerConnection::Read::nothing) continue;
    if (read != wire::ServerConnection::Read::complete) break;
    wire::TextBody body(100_MiB);
    if (co_await client.read_body(request, body) != wire::ServerConnection::Read::complete) break;
    if (frozen_) {
      co_await stream->read_some(kNever);
      break;
    }
    const std::string path(request.head->path());
    if (request.head->method() == http::Method::get || path == "/api/show") {
      ++probes_;
      if (!co_await client.answer(request, {.content_type = "application/json", .body = probe_answer(path)})) break;
    } else {
      const std::size_t number = seen_.size();
      seen_.push_back({path, request.head_bytes, body.text(), network_.loop().now(), std::nullopt});
      most_busy_ = std::max(most_busy_, ++busy_);
      const bool stays = co_await perform(client, number, scripts_[std::min(number, scripts_.size() - 1)]);
      if (--busy_ == 0) ++keep_alives_;
      if (!stays) break;
    }
    if (!co_await client.finish_request(request)) break;
  }
  if (flows_.size() > 0 && (co_await net::this_flow()).cancelled()) stream->abort();
}

net::Task<bool> FakeNode::perform(wire::ServerConnection& client, std::size_t number, Script script) {
  net::Stream& stream = client.stream();
  for (const Step& step : script) {
    if (const auto* send = std::get_if<Send>(&step)) {
      if (!stream.write(send->bytes) || stream.hung_up()) {
        seen_[number].left = network_.loop().now();
        co_return false;
      }
    } else if (const auto* pause = std::get_if<Pause>(&step)) {
      // A real node watches its client while it works.
      const auto gone = co_await stream.readable(network_.loop().now() + pause->time);
      if (gone) {
        seen_[number].left = network_.loop().now();
        co_return false;
      }
      if (gone.error() == ErrorCode::cancelled) co_return false;
    } else if (std::holds_alternative<Close>(step)) {
      co_await stream.drained(0, kNever);
      co_return false;
    } else if (std::holds_alternative<Reset>(step)) {
      co_await stream.drained(0, kNever);
      stream.abort();
      co_return false;
    } else {
      co_await stream.readable(kNever);
      seen_[number].left = network_.loop().now();
      co_return false;
    }
  }
  co_return true;
}

// ---- world
// -----------------------------------------------------------------------------------------------------------

net::Task<Result<std::vector<net::Endpoint>>> FakeResolver::resolve(net::Loop&, std::string host, std::uint16_t port,
                                                                    Mono) {
  if (!address) co_return Error{ErrorCode::unreachable, Side::upstream, host + " does not resolve"};
  net::Endpoint found = *address;
  found.port = port;
  co_return std::vector{found};
}

std::string Got::field(std::string_view name) const {
  const auto at = bytes.find(fmt::format("\r\n{}: ", name));
  if (at == std::string::npos) return {};
  const auto begin = at + name.size() + 4;
  return bytes.substr(begin, bytes.find("\r\n", begin) - begin);
}

std::string Got::body(bool* clean) const {
  const auto end = bytes.find("\r\n\r\n");
  if (clean != nullptr) *clean = false;
  if (end == std::string::npos) return {};
  const std::string head = bytes.substr(0, end);
  std::string rest = bytes.substr(end + 4);
  if (head.find("Transfer-Encoding: chunked") == std::string::npos) {
    if (clean != nullptr) *clean = true;
    return rest;
  }
  http::ChunkedDecoder decoder;
  std::string text;
  std::string_view left = rest;
  while (!left.empty()) {
    const auto step = decoder.step(left);
    text += step.payload;
    left.remove_prefix(step.consumed);
    if (step.state == http::ChunkedDecoder::State::more) continue;
    if (clean != nullptr) *clean = step.state == http::ChunkedDecoder::State::done;
    break;
  }
  return text;
}

std::string post(std::string_view path, std::string_view body, std::string_view headers) {
  return fmt::format("POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n{}\r\n{}", path, body.size(),
                     headers, body);
}

World::World(WorldOptions options) : world(options.seed, options.network), options_(std::move(options)) {
  for (std::size_t i = 0; i < options_.nodes; ++i) {
    // One address each, all on one port, as machines of a fleet are.
    nodes.push_back(std::make_unique<FakeNode>(network, std::string(1, static_cast<char>('a' + i)),
                                               *net::parse_ip(fmt::format("10.0.0.{}", i + 1), 11434)));
  }
  GatewayParts parts{.control = network,
                     .workers = std::vector<net::Network*>(options_.workers, &network),
                     .resolver = options_.resolver != nullptr ? *options_.resolver : resolver,
                     .log = null_log,
                     .access_line = [this](std::string_view line) { access_log += line; },
                     .log_dropped = {},
                     .log_key = options_.log_key,
                     .local_slots = {},
                     .seed = options_.seed,
                     .version = "test",
                     .commit = "test"};
  gateway = std::make_unique<Gateway>(std::move(parts), setup());
  gateway->start(first_round_);
  EXPECT_TRUE(run_until([this] { return first_round_.notified(); }, 1min));
  endpoint = gateway->listen(*net::parse_ip("127.0.0.1", 0)).value();
  admin = gateway->listen_admin(*net::parse_ip("127.0.0.1", 0)).value();
  run_for(100ms);
}

GatewaySetup World::setup() const {
  GatewaySetup setup;
  for (const auto& node : nodes) {
    fleet::NodeSpec spec;
    spec.name = node->name();
    spec.url = http::parse_base_url(net::to_text(node->endpoint())).value();
    spec.slots = options_.slots;
    setup.nodes.push_back(std::move(spec));
  }
  setup.origins = guard::OriginRules::gateway({}).value();
  if (options_.change) options_.change(setup);
  return setup;
}

void World::begin_stop() {
  if (!std::exchange(stopping_, true)) gateway->end([this] { ended_ = true; });
}

void World::stop() {
  begin_stop();
  EXPECT_TRUE(run_until([&] { return ended_; }, 2h));
  run_for(10ms);
}

World::~World() {
  clients.cancel_all();
  stop();
  for (auto& node : nodes) node->flows().cancel_all();
  EXPECT_TRUE(run_until([&] { return clients.size() == 0; }, 2h));
  EXPECT_TRUE(run_until(
      [&] {
        for (auto& node : nodes) {
          node->flows().cancel_all();
          if (node->flows().size() > 0) return false;
        }
        return true;
      },
      1h));
  run_for(1s);
}

namespace {

net::Task<> raw_client(World& world, std::string request, Duration patience, std::shared_ptr<Got> got) {
  auto dialled = co_await world.network.dial(world.endpoint, world.loop.now() + 5s);
  if (!dialled) {
    got->broke = dialled.error();
    co_return;
  }
  got->connected = true;
  net::Stream& stream = **dialled;
  if (!stream.write(request)) co_return;
  const Mono until = after(world.loop.now(), patience);
  while (true) {
    const auto bytes = co_await stream.read_some(until);
    if (!bytes) {
      if (bytes.error() == ErrorCode::reset) got->broke = ErrorCode::reset;
      co_return;
    }
    if (bytes->empty()) {
      got->ended = true;
      co_return;
    }
    got->bytes += *bytes;
  }
}

net::Task<> deaf_client(World& world, std::string request, Duration stay, std::shared_ptr<Got> got) {
  auto dialled = co_await world.network.dial(world.endpoint, world.loop.now() + 5s);
  if (!dialled || !(*dialled)->write(request)) co_return;
  got->connected = true;
  co_await net::sleep_until(world.loop.now() + stay);
  if ((*dialled)->hung_up()) got->broke = ErrorCode::reset;
}

net::Task<> dripping_client(World& world, std::string request, Duration gap, std::shared_ptr<Got> got) {
  auto dialled = co_await world.network.dial(world.endpoint, world.loop.now() + 5s);
  if (!dialled) co_return;
  net::Stream& stream = **dialled;
  for (const char& byte : request) {
    if (!stream.write(std::string_view(&byte, 1))) co_return;
    if (co_await stream.readable(world.loop.now() + gap)) break;
  }
  const auto bytes = co_await stream.read_some(world.loop.now() + 5s);
  if (bytes) got->bytes = *bytes;
}

}  // namespace

std::shared_ptr<Got> World::send(std::string request, Duration patience) {
  auto got = std::make_shared<Got>();
  clients.spawn(raw_client(*this, std::move(request), patience, got));
  return got;
}

std::shared_ptr<Got> World::send_and_never_read(std::string request, Duration stay) {
  auto got = std::make_shared<Got>();
  clients.spawn(deaf_client(*this, std::move(request), stay, got));
  return got;
}

std::shared_ptr<Got> World::send_in_drops(std::string request, Duration gap) {
  auto got = std::make_shared<Got>();
  clients.spawn(dripping_client(*this, std::move(request), gap, got));
  return got;
}

std::vector<Json> World::log() const {
  std::vector<Json> lines;
  for (std::size_t at = 0; at < access_log.size();) {
    const auto end = access_log.find('\n', at);
    lines.push_back(parse_json(access_log.substr(at, end - at)).value());
    at = end + 1;
  }
  return lines;
}

std::uint64_t World::counted(std::string_view series) const {
  const std::string page = "\n" + gateway->metrics_page();
  const auto at = page.find(fmt::format("\n{} ", series));
  return at == std::string::npos ? 0 : std::stoull(page.substr(at + series.size() + 2));
}

void World::expect_at_rest() {
  run_for(1s);
  const Json state = status();
  EXPECT_EQ(state["queue"]["in_flight"], 0) << state.dump(2);
  EXPECT_EQ(state["queue"]["waiting"], 0) << state.dump(2);
  EXPECT_EQ(state["queue"]["retries"], 0) << state.dump(2);
  EXPECT_EQ(gateway->buffers().used().value, 0U);
  std::uint64_t ended = 0;
  for (const auto& [outcome, count] : state["requests"]["ended"].items()) ended += count.get<std::uint64_t>();
  EXPECT_EQ(state["requests"]["accepted"], ended) << state["requests"].dump();
  for (const auto& node : nodes) EXPECT_EQ(node->busy(), 0U) << node->name();
}

}  // namespace drover::gateway::test
