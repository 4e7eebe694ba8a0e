#include "world/world.h"

#include <fmt/format.h>

#include "world/chaos.h"
#include "world/clients.h"
#include "world/processes.h"
#include "world/rare_conditions.h"

namespace drover::world {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kLookEvery = milliseconds(20);
constexpr Duration kLookWhenQuiet = milliseconds(200);  // nobody asks
constexpr Duration kWarmUp = seconds(60);               // at most
constexpr Duration kLongestVisit = seconds(800);        // six requests on one connection, of two minutes each
constexpr Duration kNameKept = seconds(31);             // a gateway asks for a node's address so often
constexpr double kNodeSpeed = 0.4;                      // of the card: then a stream has some 20 tokens a second

// The first node holds every model, so that each can be served by somebody when all is well.
sim::NodeSettings node_settings(const Plan& plan, Random random, std::size_t index) {
  sim::NodeSettings settings{.name = fmt::format("node-{}", index), .card = "slow", .models = {}};
  for (std::size_t i = 0; i < kModels.size(); ++i) {
    const bool holds = index == 0 || i == 0 || random.chance(0.6);
    if (holds) settings.models.push_back(*sim::known_model(kModels[i]));
  }
  settings.slots = plan.slots > 0 ? plan.slots : 4;
  settings.context = kOwnContext;
  settings.max_loaded = random.chance(0.3) ? 2 : 4;
  settings.max_queue = random.chance(0.2) ? 1 : 512;
  settings.speedup = random.chance(0.2) ? 3 * kNodeSpeed : kNodeSpeed;
  return settings;
}

// How much was asked of the gateway.
class Figures final : public Witness {
 public:
  std::uint64_t requests = 0;
  std::uint64_t chunks = 0;
  Duration streaming{};

  void forwarded(const Request&, std::string_view payload) override { chunks += !payload.empty(); }
  void logged(const Request& request) override {
    ++requests;
    if (request.first_byte && request.lines.front().value("drover.stream", false)) {
      streaming += Duration{request.lines.front().value("event.duration", std::int64_t{0})} -
                   std::chrono::duration_cast<Duration>(std::chrono::duration<double, std::milli>(
                       request.lines.front().value("drover.first_byte_ms", 0.0)));
    }
  }
};

class World final : private GatewayEvents, private Witness {
 public:
  World(const Plan& plan, const RunOptions& options)
      : plan_(plan),
        until_(options.until),
        trace_(options.show),
        world_(Random(plan.seed).split(1).next(), plan.network),
        ledger_(world_.clock(), trace_),
        court_{.plan = plan, .ledger = ledger_, .clock = world_.clock(), .trace = trace_},
        rare_(court_),
        gateway_(world_, names_, plan.workers, gateway_at_, *net::parse_ip("127.0.0.1", 11436), plan.seed, *this) {
    world_.set_tap(&ledger_);
    ledger_.set_gateway(gateway_at_);
    oracles_ = make_oracles(court_);
    ledger_.add(*this);  // what struck is known to all of them
    for (const auto& oracle : oracles_) ledger_.add(*oracle);
    ledger_.add(rare_);
    ledger_.add(figures_);
    Random random = Random(plan.seed).split(2);
    for (std::size_t i = 0; i < plan.nodes; ++i) {
      const net::Endpoint at = *net::parse_ip(fmt::format("10.0.0.{}", i + 1), 11434);
      ledger_.set_node(i, at);
      nodes_.push_back(std::make_unique<NodeProcess>(world_, node_loop_, at, node_settings(plan, random.split(i), i)));
      nodes_.back()->start();
      std::set<std::string>& held = court_.held.emplace_back();
      for (const auto& model : nodes_.back()->settings().models) held.insert(model.spec.name);
    }
    const std::vector<std::string> models(kModels.begin(), kModels.end());
    clients_ = std::make_unique<Clients>(world_, client_loop_, ledger_, plan, gateway_at_, models);
    chaos_ = std::make_unique<Chaos>(world_, client_loop_, ledger_, plan, names_, gateway_, nodes_, models);
  }

  Verdict run() {
    warm_up();
    trouble();
    heal();
    progress();
    rest();
    return verdict();
  }

 private:
  bool over() const { return court_.first || (until_ > 0 && trace_.events() >= until_); }

  // Lets time pass, with looks at the gateway. False: an oracle complained, or this was far enough.
  bool run_until(const std::function<bool()>& done, Mono until) {
    while (!over() && !done() && now() < until) {
      world_.run_until([this] { return over(); }, std::min(until, now() + look_gap()));
      look();
    }
    return !over();
  }
  Mono now() const { return const_cast<net::SimWorld&>(world_).clock().mono(); }

  Duration look_gap() const { return clients_->active() > 0 ? kLookEvery : kLookWhenQuiet; }

  void look() {
    if (now() < next_look_) world_.run_for(next_look_ - now());
    next_look_ = now() + look_gap();
    gateway_.clean_up();
    for (const auto& node : nodes_) node->clean_up();
    if (!gateway_.running()) return;
    balance::Snapshot snapshot = gateway_.gateway().scheduler().snapshot(now());
    name_nodes(snapshot);
    const gateway::Control& control = gateway_.gateway().control();
    std::set<std::size_t> alive;
    for (const auto& node : control.published()->nodes) {
      if (node.reachable()) alive.insert(static_cast<std::size_t>(node.name[0] - 'a'));
    }
    court_.stopping = gateway_.stopping();
    const std::size_t most = gateway_.most_unsent();
    ledger_.looked({.now = now(),
                    .life = gateway_.life(),
                    .snapshot = snapshot,
                    .buffered = gateway_.gateway().buffers().used(),
                    .most_unsent = most,
                    .pauses = most > plan_.settings.limits.stream_buffer.value,
                    .stopping = court_.stopping,
                    .alive = std::move(alive),
                    .name_lookups = control.name_lookups()});
  }

  // A gateway numbers nodes as they come; here they have the numbers of the world.
  void name_nodes(balance::Snapshot& snapshot) {
    if (std::exchange(numbered_life_, gateway_.life()) != gateway_.life()) numbers_.clear();
    for (const auto& node : gateway_.gateway().control().published()->nodes) {
      numbers_[node.id] = NodeId{static_cast<std::uint64_t>(node.name[0] - 'a')};
    }
    for (auto& node : snapshot.nodes) node.id = numbers_.at(node.id);
  }

  void warm_up() {
    gateway_.start(chaos_->settings());
    chaos_->warm(Random(plan_.seed).split(4));
    run_until([this] { return chaos_->active() == 0; }, now() + kWarmUp);
  }

  void trouble() {
    if (over()) return;
    const Mono end = now() + plan_.length();
    clients_->arrive(end);
    chaos_->begin(end);
    run_until([] { return false; }, end);
  }

  // Whoever stops or starts something finishes it first.
  void heal() {
    run_until([this] { return chaos_->active() == 0; }, now() + seconds(60));
    if (over()) return;
    if (chaos_->active() > 0) return court_.complain("progress", "the gateway does not end within a minute of SIGTERM");
    court_.healed = true;
    chaos_->heal();
    run_until([this] { return clients_->active() == 0; }, now() + kLongestVisit);
    if (!over() && clients_->active() > 0) {
      court_.complain("progress", fmt::format("{} clients never end", clients_->active()));
    }
    const config::Timeouts& limits = plan_.settings.timeouts;
    const Duration moved = plan_.has(Fault::node_moves) ? kNameKept : Duration{0};
    const Duration settled = moved + 3 * (limits.probe_interval + limits.probe) + limits.tags_interval + limits.load +
                             2 * plan_.settings.health.longest_open;
    run_until([] { return false; }, now() + settled);
  }

  void progress() {
    if (over()) return;
    std::vector<Answer> answers;
    clients_->ask_all(answers);
    run_until([&] { return clients_->active() == 0; }, now() + seconds(120));
    if (over()) return end_clients();  // they write to `answers`
    for (std::size_t i = 0; i < answers.size(); ++i) {
      if (answers[i].status == 200 && answers[i].whole) continue;
      court_.complain("progress", fmt::format("all is well again, and {} is answered with {}{}", kModels[i],
                                              answers[i].status, answers[i].whole ? "" : ", not whole"));
    }
  }

  void end_clients() {
    clients_->end();
    world_.run_until([this] { return clients_->active() == 0; }, now() + seconds(10));
  }

  // Everybody goes home.
  void rest() {
    const bool judged = !over();
    chaos_->end();
    world_.run_until([this] { return chaos_->active() == 0; }, now() + seconds(10));
    end_clients();
    if (judged && !court_.first) check_rest();
    gateway_.terminate();
    world_.run_until([this] { return !gateway_.running() || gateway_ended_ == gateway_.life(); }, now() + seconds(120));
    if (judged && gateway_.running() && gateway_ended_ != gateway_.life()) {
      court_.complain("progress", "the gateway does not end");
    }
    if (judged && !court_.first) ledger_.at_rest();
    if (gateway_.running()) gateway_.crash();
    for (const auto& node : nodes_) node->crash();
    const auto gone = [this] {
      bool all = gateway_.clean_up();
      for (const auto& node : nodes_) all &= node->clean_up();
      return all && !gateway_.running();
    };
    for (int i = 0; i < 200 && !gone(); ++i) world_.run_for(seconds(1));
  }

  // No request is under way any more: every slot is free, nothing is buffered, no node works.
  void check_rest() {
    world_.run_for(seconds(2));
    // A trial of the gateway's own may have begun just now, and ends by itself.
    world_.run_until([this] { return gateway_.gateway().scheduler().snapshot(now()).in_flight == 0; },
                     now() + plan_.settings.timeouts.trial);
    const balance::Snapshot snapshot = gateway_.gateway().scheduler().snapshot(now());
    if (snapshot.in_flight + snapshot.waiting + snapshot.retries > 0) {
      court_.complain("rest", fmt::format("nobody asks, and {} are in flight, {} wait, {} are retries",
                                          snapshot.in_flight, snapshot.waiting, snapshot.retries));
    }
    if (const Bytes used = gateway_.gateway().buffers().used(); used > Bytes{0}) {
      court_.complain("rest", fmt::format("nobody asks, and {} bytes are buffered", used.value));
    }
    // But a load of the gateway's own, which outlives who wanted it.
    std::size_t busy = 0;
    for (const auto& node : nodes_) busy += node->server().counts().in_flight;
    const auto loads = static_cast<std::size_t>(
        std::ranges::count_if(snapshot.nodes, [](const auto& node) { return node.loading.has_value(); }));
    if (busy > loads) court_.complain("rest", fmt::format("nobody asks, and nodes work on {} requests", busy));
  }

  Verdict verdict() {
    Verdict verdict;
    verdict.complaint = court_.first;
    if (over()) verdict.last_events = trace_.last();
    verdict.trace_hash = trace_.hash();
    verdict.events = trace_.events();
    verdict.simulated_seconds = drover::seconds(now().time_since_epoch());
    verdict.requests = figures_.requests;
    verdict.chunks = figures_.chunks;
    verdict.live_streams = drover::seconds(figures_.streaming) / drover::seconds(plan_.length());
    for (const auto& [condition, count] : rare_.met()) verdict.met.emplace(condition, count);
    for (const Request& request : ledger_.requests()) {
      ++verdict.outcomes[request.lost ? "lost" : request.turned_away ? "turned_away" : request.outcome()];
    }
    return verdict;
  }

  void started(unsigned life, const std::vector<const net::Network*>& networks) override {
    ledger_.gateway_started(life, networks);
    court_.stopping = false;
  }
  void configured(const config::DroverSettings& settings) override {
    court_.configured.emplace_back(now(), config::scheduler_settings(settings), settings.aliases);
  }
  void struck(Fault fault) override {
    court_.frozen_until = gateway_.frozen_until();
    if (fault == Fault::gateway_stop) court_.stopping = true;
  }
  void line(unsigned life, std::string_view text) override { ledger_.line(life, text); }
  void logged_event(std::string_view event, std::string_view text) override { ledger_.told(event, text); }

  // In peace: what was accepted has ended, and the counters say so.
  void ended(unsigned life, gateway::Gateway& gateway) override {
    gateway_ended_ = life;
    if (over()) return;
    const Json requests = gateway.status()["requests"];
    std::uint64_t sum = 0;
    for (const auto& [outcome, count] : requests["ended"].items()) {
      sum += count.get<std::uint64_t>();
      if (count.get<std::uint64_t>() == ledger_.lines_with(life, outcome)) continue;
      court_.complain("counters", fmt::format("{} are counted as {}, the access log has {}", count.dump(), outcome,
                                              ledger_.lines_with(life, outcome)));
    }
    if (requests["accepted"] != sum) {
      court_.complain("counters", fmt::format("{} were accepted, {} have ended", requests["accepted"].dump(), sum));
    }
  }

  const Plan& plan_;
  const std::uint64_t until_;
  Trace trace_;
  net::SimWorld world_;
  net::SimLoop node_loop_{world_};
  net::SimLoop client_loop_{world_};
  const net::Endpoint gateway_at_ = *net::parse_ip("127.0.0.1", 11435);
  Ledger ledger_;
  Court court_;
  RareConditions rare_;
  Figures figures_;
  std::vector<std::unique_ptr<Witness>> oracles_;
  std::vector<std::unique_ptr<NodeProcess>> nodes_;
  Names names_;
  GatewayProcess gateway_;
  std::unique_ptr<Clients> clients_;
  std::unique_ptr<Chaos> chaos_;
  Mono next_look_{};
  std::map<NodeId, NodeId> numbers_;  // by the gateway's
  unsigned numbered_life_ = 0;
  unsigned gateway_ended_ = 0;
};

}  // namespace

Verdict run_world(const Plan& plan, const RunOptions& options) { return World(plan, options).run(); }

}  // namespace drover::world
