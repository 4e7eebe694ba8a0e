#include "world/chaos.h"

#include <fmt/format.h>

#include <array>

namespace drover::world {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// How far apart two strikes of a kind are, on average.
Duration gap(Fault fault) {
  switch (fault) {
    case Fault::node_refuses:
    case Fault::node_blackhole:
    case Fault::node_resets:
    case Fault::node_held: return seconds(25);
    case Fault::link_slow:
    case Fault::link_reset:
    case Fault::link_stall:
    case Fault::garbage: return Duration::max();  // by connection: link_faults()
    case Fault::node_crash: return seconds(30);
    case Fault::node_lies: return seconds(40);
    case Fault::probe_lies: return seconds(15);
    case Fault::node_moves: return seconds(60);
    case Fault::answer_hang: return seconds(15);
    case Fault::answer_reset:
    case Fault::answer_cut:
    case Fault::answer_stall:
    case Fault::answer_error:
    case Fault::answer_garbage:
    case Fault::answer_silent_end:
    case Fault::answer_drip:
    case Fault::out_of_memory:
    case Fault::server_busy: return seconds(5);
    case Fault::runner_crash:
    case Fault::slow_load: return seconds(10);
    case Fault::eviction: return seconds(25);
    case Fault::leak: return seconds(30);
    case Fault::names_fail:
    case Fault::no_descriptors: return seconds(20);
    case Fault::clock_step: return seconds(10);
    case Fault::frozen_worker: return seconds(8);
    case Fault::gateway_crash:
    case Fault::gateway_stop: return seconds(40);
    case Fault::reload: return seconds(7);
    case Fault::bad_reload: return seconds(9);
    case Fault::node_removed: return seconds(15);
  }
  return Duration::max();
}

// What no Ollama sends, put into its answer somewhere.
const std::array<std::string_view, 9> kGarbage{
    "HTTP/1.1 100 Continue\r\n\r\n",
    "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n",
    "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 102 "
    "Processing\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n"
    "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n",
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\n<p/>",
    "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n",
    "zz\r\n",
    "\x15\x03\x01",
    "\n",
};

struct Armed {
  Fault fault;
  sim::FaultKind kind;
};
constexpr std::array kArmed{
    Armed{Fault::answer_reset, sim::FaultKind::reset},     Armed{Fault::answer_cut, sim::FaultKind::cut},
    Armed{Fault::answer_stall, sim::FaultKind::stall},     Armed{Fault::answer_error, sim::FaultKind::error},
    Armed{Fault::answer_garbage, sim::FaultKind::garbage}, Armed{Fault::answer_silent_end, sim::FaultKind::silent_end},
    Armed{Fault::answer_drip, sim::FaultKind::drip},       Armed{Fault::answer_hang, sim::FaultKind::hang},
    Armed{Fault::node_lies, sim::FaultKind::hang},         Armed{Fault::out_of_memory, sim::FaultKind::out_of_memory},
    Armed{Fault::server_busy, sim::FaultKind::busy},       Armed{Fault::runner_crash, sim::FaultKind::crash},
    Armed{Fault::slow_load, sim::FaultKind::slow_load},    Armed{Fault::probe_lies, sim::FaultKind::empty_listing},
};

}  // namespace

Chaos::Chaos(net::SimWorld& world, net::SimLoop& loop, Ledger& ledger, const Plan& plan, Names& names,
             GatewayProcess& gateway, std::vector<std::unique_ptr<NodeProcess>>& nodes, std::vector<std::string> models)
    : world_(world),
      loop_(loop),
      network_(world, loop),
      ledger_(ledger),
      plan_(plan),
      names_(names),
      gateway_(gateway),
      nodes_(nodes),
      models_(std::move(models)),
      first_(plan.settings),
      link_random_(Random(plan.seed).split(3)),
      flows_(loop) {
  Random random = Random(plan.seed).split(5);
  Random told = Random(plan.seed).split(7);  // of the settings, true or not
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    fleet::NodeSpec spec;
    spec.name = node_name(i);
    spec.url = http::parse_base_url(fmt::format("http://{}:{}", host_of(i), nodes[i]->endpoint().port)).value();
    names_.point(host_of(i), nodes[i]->endpoint());
    if (plan.slots > 0) spec.slots = plan.slots;
    if (i % 2 == 0) spec.agent = spec.url;                              // half of them have an agent
    if (told.chance(0.3)) spec.gpu = told.chance(0.5) ? "H200" : "T4";  // whatever is behind it
    if (told.chance(0.2)) spec.max_loaded = 1 + static_cast<unsigned>(told.below(4));
    spec.weight = random.chance(0.7) ? 1 : 1 + static_cast<unsigned>(random.below(5));
    first_.nodes.push_back(std::move(spec));
  }
  settings_ = first_;
  yaml_ = write_settings();
  world_.set_link_faults([this](const net::Endpoint& to) { return link_faults(to); });
}

std::string Chaos::host_of(std::size_t node) const { return "node-" + node_name(node); }

std::string Chaos::write_settings() const {
  config::DroverSettings written = settings_;
  written.nodes.clear();
  for (std::size_t i = 0; i < settings_.nodes.size(); ++i) {
    if (!removed_.contains(i)) written.nodes.push_back(settings_.nodes[i]);
  }
  const auto is_gone = [&](const std::string& name) {
    return std::ranges::find(written.nodes, name, &fleet::NodeSpec::name) == written.nodes.end();
  };
  for (balance::RouteSettings& route : written.routes) std::erase_if(route.nodes, is_gone);
  return config::to_yaml(written);
}

void Chaos::warm(Random random) {
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    for (const auto& model : nodes_[i]->settings().models) {
      const std::string& name = model.spec.name;
      const bool embeds = model.spec.capabilities.embedding;
      if (random.chance(0.9))
        flows_.spawn(tell_node(i, fmt::format(R"({{"model":"{}"}})", name), embeds ? "/api/embed" : "/api/generate",
                               true, seconds(60)));
    }
  }
}

void Chaos::begin(Mono until) {
  healed_ = false;
  for (std::size_t i = 0; i < kFaultCount; ++i) {
    const auto fault = static_cast<Fault>(i);
    if (!plan_.has(fault) || gap(fault) == Duration::max()) continue;
    flows_.spawn(strike_often(fault, Random(plan_.seed).split(100 + i), until));
  }
}

net::Task<> Chaos::strike_often(Fault fault, Random random, Mono until) {
  const Duration mean = gap(fault);
  while (true) {
    const Mono next = loop_.now() + up_to(random, 2 * mean);
    if (next >= until || !co_await net::sleep_until(next)) co_return;
    co_await strike(fault, random.split(1));
  }
}

net::Task<> Chaos::strike(Fault fault, Random random) {
  const std::size_t node = random.below(nodes_.size());
  switch (fault) {
    case Fault::node_refuses:
    case Fault::node_blackhole:
    case Fault::node_resets:
    case Fault::node_held: {
      const Duration time = up_to(random, random.chance(0.2) ? seconds(15) : seconds(3));
      ledger_.struck(fault, fmt::format("node={} ms={}", node_name(node), time.count() / 1'000'000));
      co_return co_await break_network(fault, random, node, time);
    }
    case Fault::node_crash:
    case Fault::node_moves: co_return co_await crash_node(fault, random, node);
    case Fault::gateway_crash: co_return co_await crash_gateway(random);
    case Fault::gateway_stop: co_return co_await stop_gateway(random);
    case Fault::eviction: co_return co_await meddle(random, node);
    case Fault::leak: co_return co_await leave_badly(random, node);
    case Fault::reload: reload(random); break;
    case Fault::bad_reload: reload_badly(random); break;
    case Fault::node_removed: remove_node(random, node); break;
    case Fault::names_fail: break_names(random); break;
    case Fault::no_descriptors: {
      const Duration time = up_to(random, random.chance(0.2) ? seconds(5) : milliseconds(500));
      gateway_.lack_descriptors(loop_.now() + time);
      ledger_.struck(fault, fmt::format("ms={}", time.count() / 1'000'000));
      break;
    }
    case Fault::clock_step: {
      const auto by = up_to(random, std::chrono::hours(48)) - std::chrono::hours(24);
      ledger_.struck(fault, fmt::format("by={}s", by.count() / 1'000'000'000));
      world_.clock().step_wall(by);
      break;
    }
    case Fault::frozen_worker: {
      const Duration time = up_to(random, random.chance(0.2) ? milliseconds(2'500) : milliseconds(100));
      const std::size_t thread = random.below(plan_.workers + 1);
      gateway_.freeze(thread, loop_.now() + time);
      ledger_.struck(fault, fmt::format("thread={} ms={}", thread, time.count() / 1'000'000));
      break;
    }
    case Fault::link_slow:
    case Fault::link_reset:
    case Fault::link_stall:
    case Fault::garbage: break;
    case Fault::node_lies:
    case Fault::probe_lies:
    case Fault::answer_reset:
    case Fault::answer_cut:
    case Fault::answer_stall:
    case Fault::answer_error:
    case Fault::answer_garbage:
    case Fault::answer_silent_end:
    case Fault::answer_drip:
    case Fault::answer_hang:
    case Fault::out_of_memory:
    case Fault::server_busy:
    case Fault::runner_crash:
    case Fault::slow_load: arm(fault, random, node); break;
  }
}

// ---- nodes
// -----------------------------------------------------------------------------------------------------------

net::Task<> Chaos::break_network(Fault fault, Random, std::size_t node, Duration time) {
  const net::Endpoint at = nodes_[node]->endpoint();
  if (fault == Fault::node_held) {
    world_.hold(at, loop_.now() + time);
    world_.set_reach(at, net::Reach::blackhole);
  } else {
    world_.set_reach(at, fault == Fault::node_refuses     ? net::Reach::refused
                         : fault == Fault::node_blackhole ? net::Reach::blackhole
                                                          : net::Reach::reset);
  }
  co_await net::sleep_until(loop_.now() + time);
  world_.set_reach(at, net::Reach::normal);
}

net::Task<> Chaos::crash_node(Fault fault, Random random, std::size_t node) {
  if (!nodes_[node]->running()) co_return;
  ledger_.struck(fault, "node=" + node_name(node));
  nodes_[node]->crash();
  if (fault == Fault::node_moves) move(node);
  co_await net::sleep_until(loop_.now() + up_to(random, random.chance(0.3) ? seconds(12) : milliseconds(600)));
  if (!nodes_[node]->running()) nodes_[node]->start();
}

// Its machine got another address.
void Chaos::move(std::size_t node) {
  const auto at = *net::parse_ip(fmt::format("10.0.{}.{}", ++moves_, node + 1), nodes_[node]->endpoint().port);
  nodes_[node]->move_to(at);
  ledger_.set_node(node, at);
  names_.point(host_of(node), at);
}

void Chaos::break_names(Random& random) {
  const Mono until = loop_.now() + up_to(random, random.chance(0.3) ? seconds(40) : seconds(5));
  const bool silent = random.chance(0.5);
  ledger_.struck(Fault::names_fail, silent ? "silent" : "unknown");
  silent ? names_.fall_silent(until) : names_.forget(until);
}

void Chaos::arm(Fault fault, Random& random, std::size_t node) {
  if (!nodes_[node]->running()) return;
  for (const Armed& each : kArmed) {
    if (each.fault != fault) continue;
    sim::Fault armed{.kind = each.kind};
    armed.after_tokens = random.chance(0.4) ? 0 : 1 + static_cast<std::uint32_t>(random.below(12));
    armed.count =
        fault == Fault::node_lies ? 12 : 1 + static_cast<std::uint32_t>(random.below(random.chance(0.3) ? 8 : 2));
    armed.text = "something went wrong";
    if (fault == Fault::answer_drip) armed.seconds = milliseconds(1 + random.below(20));
    if (fault == Fault::slow_load) armed.seconds = seconds(random.below(12));
    ledger_.struck(fault, fmt::format("node={} after={} count={}", node_name(node), armed.after_tokens, armed.count));
    nodes_[node]->server().arm(std::move(armed));
  }
}

// Somebody else uses the node: loads and unloads what he likes.
net::Task<> Chaos::meddle(Random random, std::size_t node) {
  const std::string& model = models_[random.below(models_.size() - 1)];
  ledger_.struck(Fault::eviction, fmt::format("node={} model={}", node_name(node), model));
  const std::string_view how = random.chance(0.6)   ? R"(,"keep_alive":0)"
                               : random.chance(0.5) ? R"(,"options":{"num_ctx":6000})"
                                                    : "";
  co_await tell_node(node, fmt::format(R"({{"model":"{}"{}}})", model, how), "/api/generate", true, seconds(10));
}

net::Task<> Chaos::leave_badly(Random random, std::size_t node) {
  const std::string& model = models_[random.below(models_.size() - 1)];
  const std::string body = fmt::format(R"({{"model":"{}","prompt":"x"}})", model);
  ledger_.struck(Fault::leak, fmt::format("node={} model={}", node_name(node), model));
  leaked_.insert(node);
  if (random.chance(0.5)) {
    co_await tell_node(node, body, "/api/generate", true, Duration{0});  // gone in its first millisecond
  } else {
    // Without the last chunk: one slot, or all of them.
    const unsigned slots = random.chance(0.5) ? 1 : std::max(plan_.slots, 4U);
    for (unsigned i = 0; i < slots; ++i) co_await tell_node(node, body, "/api/generate", false, milliseconds(200));
  }
}

net::Task<> Chaos::tell_node(std::size_t node, std::string body, std::string path, bool whole, Duration stay) {
  auto dialled = co_await network_.dial(nodes_[node]->endpoint(), loop_.now() + seconds(1));
  if (!dialled) co_return;
  const std::string head = fmt::format("POST {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", path,
                                       net::to_text(nodes_[node]->endpoint()));
  const std::string bytes =
      whole ? fmt::format("{}Content-Length: {}\r\n\r\n{}", head, body.size(), body)
            : fmt::format("{}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{}\r\n", head, body.size(), body);
  if (!(*dialled)->write(bytes)) co_return;
  if (stay == Duration{0}) {
    co_await net::sleep_until(loop_.now() + std::chrono::microseconds(300));
    co_return;
  }
  const Mono until = loop_.now() + stay;
  while (true) {
    const auto read = co_await (*dialled)->read_some(until);
    if (!read || read->empty()) co_return;
  }
}

// What befalls a connection from its beginning.
net::LinkFaults Chaos::link_faults(const net::Endpoint& to) {
  net::LinkFaults faults;
  if (healed_) return faults;
  Random random = link_random_.split(1);
  const bool to_node = std::ranges::any_of(nodes_, [&](const auto& node) { return node->endpoint() == to; });
  auto& answers = faults.from_listener;
  if (plan_.has(Fault::link_slow) && random.chance(0.05)) faults.latency = up_to(random, milliseconds(200));
  const bool at_head = random.chance(0.3);  // about where the head of an answer ends
  const std::size_t at = at_head ? 115 + random.below(20) : random.below(random.chance(0.4) ? 400 : 20'000);
  const double kind = random.uniform();
  if (plan_.has(Fault::link_reset) && kind < 0.015) {
    (random.chance(0.7) ? answers : faults.from_dialler).reset_at = at;
  } else if (plan_.has(Fault::link_stall) && kind > 0.985) {
    auto& direction = random.chance(0.7) ? answers : faults.from_dialler;
    direction.stall_at = at;
    direction.stall = up_to(random, random.chance(0.3) ? seconds(30) : seconds(2));
  } else if (plan_.has(Fault::garbage) && to_node && kind > 0.5 && kind < 0.515) {
    answers.insert_at = random.chance(0.5) ? 0 : at;
    answers.insert = kGarbage[random.below(kGarbage.size())];
  }
  return faults;
}

// ---- gateway
// ---------------------------------------------------------------------------------------------------------

void Chaos::start_gateway() {
  yaml_ = write_settings();
  gateway_.start(yaml_);
}

net::Task<> Chaos::crash_gateway(Random random) {
  if (!gateway_.running() || std::exchange(gateway_away_, true)) co_return;
  ledger_.struck(Fault::gateway_crash, "");
  ledger_.gateway_crashed();
  gateway_.crash();
  co_await net::sleep_until(loop_.now() + up_to(random, milliseconds(800)));
  start_gateway();
  gateway_away_ = false;
}

net::Task<> Chaos::stop_gateway(Random random) {
  if (!gateway_.running() || std::exchange(gateway_away_, true)) co_return;
  ledger_.struck(Fault::gateway_stop, "");
  gateway_.terminate();
  if (random.chance(0.4)) {
    co_await net::sleep_until(loop_.now() + up_to(random, milliseconds(200)));
    if (gateway_.running() && random.chance(0.5)) reload(random);
  }
  while (gateway_.running()) {
    if (!co_await net::sleep_until(loop_.now() + milliseconds(20))) co_return;
  }
  start_gateway();
  gateway_away_ = false;
}

void Chaos::reload(Random& random) {
  if (!gateway_.running()) return;
  // Limits and routes change, nodes stay.
  settings_.timeouts.queue = milliseconds(200 + random.below(20'000));
  settings_.timeouts.silence = milliseconds(1'000 + random.below(15'000));
  settings_.timeouts.probe_interval = milliseconds(300 + random.below(3'000));
  settings_.limits.queue = random.chance(0.2) ? 2 : 500;
  draw_routing(random, settings_);
  draw_names(random, settings_);
  settings_.timeouts.spill = milliseconds(random.chance(0.3) ? 0 : random.below(10'000));
  settings_.timeouts.in_time = milliseconds(random.chance(0.3) ? 0 : random.below(3'000));
  yaml_ = write_settings();
  ledger_.struck(Fault::reload, "");
  gateway_.reload(yaml_);
}

void Chaos::reload_badly(Random& random) {
  if (!gateway_.running()) return;
  std::string bad = yaml_;
  switch (random.below(4)) {
    case 0: bad += "\nno_such_setting: 1\n"; break;
    case 1: bad += "\n  : [\n"; break;
    case 2: bad = bad.substr(0, random.below(bad.size())) + "\n\x01"; break;
    default: bad += fmt::format("\npolicy: best\n"); break;
  }
  const bool taken = gateway_.reload(bad);
  ledger_.struck(Fault::bad_reload, taken ? "was taken" : "was refused");
}

// The last one stays.
void Chaos::remove_node(Random&, std::size_t node) {
  if (!gateway_.running() || node == 0) return;
  const bool out = removed_.erase(node) == 0;
  if (out) removed_.insert(node);
  yaml_ = write_settings();
  ledger_.struck(Fault::node_removed, fmt::format("node={} {}", node_name(node), out ? "out" : "in"));
  gateway_.reload(yaml_);
}

void Chaos::heal() {
  healed_ = true;
  world_.forget_link_faults();
  names_.heal();
  gateway_.lack_descriptors(loop_.now());
  settings_ = first_;
  // Patient enough for a model to be loaded, and for an answer to stop while long prompts are read beside it.
  settings_.timeouts.queue = settings_.timeouts.request = settings_.timeouts.load = seconds(120);
  settings_.timeouts.silence = seconds(60);
  settings_.limits.queue = 1'000;
  removed_.clear();
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    NodeProcess& node = *nodes_[i];
    world_.set_reach(node.endpoint(), net::Reach::normal);
    world_.hold(node.endpoint(), world_.clock().mono());
    if (leaked_.erase(i) > 0) node.crash();
    if (!node.running()) node.start();
    node.server().clear_faults();
  }
  yaml_ = write_settings();
  if (gateway_.running()) gateway_.reload(yaml_);
}

}  // namespace drover::world
