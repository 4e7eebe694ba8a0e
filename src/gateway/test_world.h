#pragma once
// For tests: a whole gateway in the simulated world, between nodes that do what a script says and clients that speak
// raw bytes.

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "gateway/gateway.h"
#include "net/sim_world.h"

namespace drover::gateway::test {

using namespace std::chrono_literals;

// What a node does with one request for inference.
struct Send {
  std::string bytes;
};
struct Pause {
  Duration time;
};
struct Close {};  // FIN
struct Reset {};  // RST
struct Hang {};   // until the other side leaves
using Step = std::variant<Send, Pause, Close, Reset, Hang>;
using Script = std::vector<Step>;

// An answer with Content-Length; and the head of a stream whose chunks follow.
std::string whole(std::string_view body, int status = 200, std::string_view type = "application/json; charset=utf-8");
std::string stream_head(std::string_view type = "application/x-ndjson");
std::string chunk(std::string_view payload);
inline const std::string kEnd = "0\r\n\r\n";
// A chat stream of this many tokens `t0 t1 ...` with its terminator.
Script chat_stream(int tokens, Duration gap = 10ms);
std::string token_line(int index);
std::string done_line();

// A node with one model, `m:latest`, in memory. Answers probes by itself.
class FakeNode {
 public:
  FakeNode(net::Network& network, std::string name, net::Endpoint at);

  const std::string& name() const { return name_; }
  net::Endpoint endpoint() const { return endpoint_; }

  // What to do with a request, by its number from 0; the last one repeats. Default: chat_stream(3).
  void play(std::vector<Script> scripts) { scripts_ = std::move(scripts); }
  void set_models(std::vector<std::string> names) { models_ = std::move(names); }
  void set_resident(bool resident) { resident_ = resident; }
  // Tokens of a slot, as it tells; 0: it does not.
  void set_context(std::uint64_t tokens) { context_ = tokens; }
  // What an agent at the same address says to GET /v1/node.
  void report(std::string body) { report_ = std::move(body); }
  // Refuses connections from now on, and breaks those it has; and comes back.
  void kill();
  void revive();
  // Accepts, and says nothing more, not even to probes.
  void freeze(bool frozen) { frozen_ = frozen; }

  // What it saw: bodies of inference requests, and for each when it came and when its connection went away.
  struct Seen {
    std::string path;
    std::string head;
    std::string body;
    Mono came;
    std::optional<Mono> left;  // the other side closed before the script was over
  };
  const std::vector<Seen>& seen() const { return seen_; }
  std::size_t busy() const { return busy_; }
  std::size_t most_busy() const { return most_busy_; }
  std::size_t probes() const { return probes_; }
  net::TaskGroup& flows() { return flows_; }

 private:
  net::Task<> accept(std::unique_ptr<net::Listener> listener);
  net::Task<> serve(std::unique_ptr<net::Stream> stream);
  net::Task<bool> perform(wire::ServerConnection& client, std::size_t number, Script script);
  std::string probe_answer(std::string_view path) const;
  void listen();

  net::Network& network_;
  std::string name_;
  net::Endpoint endpoint_;
  std::vector<Script> scripts_;
  std::vector<std::string> models_{"m:latest"};
  std::string report_;
  bool resident_ = true;
  std::uint64_t context_ = 4096;
  bool frozen_ = false;
  std::vector<Seen> seen_;
  std::size_t busy_ = 0;
  unsigned keep_alives_ = 0;  // begun: each time that nothing runs any more
  std::size_t most_busy_ = 0;
  std::size_t probes_ = 0;
  wire::ServerLimits limits_;
  net::TaskGroup flows_;
};

// What a raw client got.
struct Got {
  std::string bytes;
  bool connected = false;
  std::optional<ErrorCode> broke;  // the connection broke; unset: it ended, or is still open
  bool ended = false;              // FIN
  std::string status() const { return bytes.substr(0, 12); }
  // Of the head; empty: it is not there.
  std::string field(std::string_view name) const;
  // The body with chunked framing taken off; `clean`: whether its end was proper.
  std::string body(bool* clean = nullptr) const;
};

struct WorldOptions {
  std::size_t nodes = 2;
  std::optional<unsigned> slots = 4;
  std::size_t workers = 1;
  std::uint64_t seed = 1;
  net::SimNetworkSettings network{};
  std::function<void(GatewaySetup&)> change{};
  net::Resolver* resolver = nullptr;  // null: literals only
  std::optional<api::LogKey> log_key{};
};

// Answers what a test says; `fails` while it says nothing.
class FakeResolver final : public net::Resolver {
 public:
  std::optional<net::Endpoint> address;
  net::Task<Result<std::vector<net::Endpoint>>> resolve(net::Loop&, std::string host, std::uint16_t port,
                                                        Mono) override;
};

class World {
 public:
  explicit World(WorldOptions options = {});
  ~World();

  // A client that sends `request` on one connection and reads until the end, or until it has `patience`d enough; then
  // it leaves. Runs beside others; see run().
  std::shared_ptr<Got> send(std::string request, Duration patience = 10min);
  // Reads slowly: nothing at all.
  std::shared_ptr<Got> send_and_never_read(std::string request, Duration stay);
  // Sends a byte at a time, this far apart, until it is answered.
  std::shared_ptr<Got> send_in_drops(std::string request, Duration gap);

  bool run_until(const std::function<bool()>& done, Duration at_most = 1h) {
    return world.run_until(done, world.clock().mono() + at_most);
  }
  void run_for(Duration time) { world.run_for(time); }
  // Until every client has what it gets.
  bool finish(Duration at_most = 1h) {
    return run_until([this] { return clients.size() == 0; }, at_most);
  }
  Mono now() { return world.clock().mono(); }
  Json status() const { return gateway->status(); }
  // What a series of the metrics page counts, as `drover_x_total{label="value"}`; 0: it is not there.
  std::uint64_t counted(std::string_view series) const;
  std::vector<Json> log() const;
  // SIGTERM; and what follows until the gateway has ended.
  void begin_stop();
  void stop();
  // Every request has ended, every slot is free, nothing is buffered.
  void expect_at_rest();

  net::SimWorld world;
  net::SimLoop loop{world};
  net::SimNetwork network{world, loop};
  net::LiteralResolver resolver;
  NullLog null_log;
  std::vector<std::unique_ptr<FakeNode>> nodes;
  std::string access_log;
  std::unique_ptr<Gateway> gateway;
  net::Endpoint endpoint;
  net::Endpoint admin;
  net::TaskGroup clients{loop};
  GatewaySetup setup() const;

 private:
  WorldOptions options_;
  net::Signal first_round_;
  bool stopping_ = false;
  bool ended_ = false;
};

std::string post(std::string_view path, std::string_view body, std::string_view headers = "");
inline const std::string kChat = R"({"model":"m","messages":[{"role":"user","content":"hi"}]})";

}  // namespace drover::gateway::test
