#include "world/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace drover::world {
namespace {

using std::chrono::milliseconds;

constexpr std::array<std::string_view, kFaultCount> kFaultNames{
    "node_refuses",  "node_blackhole", "node_resets",   "node_held",      "link_slow",      "link_reset",
    "link_stall",    "garbage",        "node_crash",    "node_lies",      "probe_lies",     "node_moves",
    "answer_reset",  "answer_cut",     "answer_stall",  "answer_error",   "answer_garbage", "answer_silent_end",
    "answer_drip",   "answer_hang",    "out_of_memory", "server_busy",    "runner_crash",   "slow_load",
    "eviction",      "leak",           "names_fail",    "no_descriptors", "clock_step",     "frozen_worker",
    "gateway_crash", "gateway_stop",   "reload",        "bad_reload",     "node_removed"};

constexpr std::array<std::string_view, kHabitCount> kHabitNames{
    "patient",     "sdk",        "keeps_alive", "pipelines", "leaves",  "leaves_queue", "half_closes", "reads_slowly",
    "never_reads", "stays_open", "slow_body",   "malformed", "browses", "commands",     "crowds"};

// Mostly ordinary, now and then extreme: both ends of a range are where faults hide.
Duration between(Random& random, Duration least, Duration most) {
  const double share = random.chance(0.2) ? 0 : random.chance(0.25) ? 1 : random.uniform();
  return least + Duration{static_cast<std::int64_t>(share * static_cast<double>((most - least).count()))};
}
std::size_t between(Random& random, std::size_t least, std::size_t most) {
  return least + random.below(most - least + 1);
}
template <typename T>
T one_of(Random& random, std::initializer_list<T> choices) {
  return choices.begin()[random.below(choices.size())];
}

void draw_timeouts(Random& random, config::Timeouts& timeouts) {
  timeouts.head = between(random, milliseconds(500), milliseconds(10'000));
  timeouts.body_idle = between(random, milliseconds(500), milliseconds(10'000));
  timeouts.connect = between(random, milliseconds(100), milliseconds(2'000));
  timeouts.probe = between(random, milliseconds(500), milliseconds(5'000));
  timeouts.queue =
      random.chance(0.2) ? milliseconds(200 + random.below(2'000)) : milliseconds(5'000 + random.below(25'000));
  timeouts.silence = between(random, milliseconds(1'000), milliseconds(20'000));
  timeouts.client_stall = between(random, milliseconds(1'000), milliseconds(10'000));
  timeouts.keep_alive = between(random, milliseconds(500), milliseconds(30'000));
  timeouts.request = between(random, milliseconds(5'000), milliseconds(40'000));
  timeouts.drain = between(random, milliseconds(0), milliseconds(6'000));
  timeouts.probe_interval = between(random, milliseconds(300), milliseconds(3'000));
  timeouts.tags_interval = between(random, milliseconds(1'000), milliseconds(15'000));
  timeouts.load = between(random, milliseconds(20'000), milliseconds(60'000));
  timeouts.leaked_slot = between(random, milliseconds(3'000), milliseconds(20'000));
}

void draw_limits(Random& random, config::Limits& limits) {
  limits.queue = one_of<std::size_t>(random, {5, 40, 1000, 1000});
  limits.queue_per_tenant = one_of<std::size_t>(random, {3, 250, 250});
  limits.buffers = Bytes{one_of<std::uint64_t>(random, {1, 4, 64}) << 20};
  limits.request_body = std::min(limits.request_body, *limits.buffers);
  limits.stream_buffer = Bytes{one_of<std::uint64_t>(random, {64, 256, 1024}) << 10};
  limits.connections = one_of<std::size_t>(random, {48, 200, 10'000});
  limits.requests_per_connection = one_of<std::size_t>(random, {1, 3, 1000});
  limits.idle_node_connections = one_of<std::size_t>(random, {0, 1, 256});
}

void draw_rules(Random& random, config::DroverSettings& settings) {
  settings.retry.attempts = static_cast<unsigned>(one_of<std::size_t>(random, {1, 2, 3, 3, 3, 5}));
  settings.retry.budget_percent = static_cast<unsigned>(one_of<std::size_t>(random, {0, 20, 20, 100}));
  settings.retry.budget_floor = static_cast<unsigned>(one_of<std::size_t>(random, {0, 1, 3}));
  settings.health.rise = static_cast<unsigned>(between(random, 1, 3));
  settings.health.fall = static_cast<unsigned>(between(random, 2, 4));
  settings.health.failures = static_cast<unsigned>(between(random, 2, 6));
  settings.health.open = between(random, milliseconds(200), milliseconds(4'000));
  settings.health.longest_open = std::max<Duration>(settings.health.open, milliseconds(5'000));
}

constexpr std::size_t kMostNodes = 8;

// The first one at any place.
std::vector<std::string> draw_nodes(Random& random) {
  std::vector<std::string> nodes;
  for (std::size_t i = 1; i < kMostNodes; ++i) {
    if (random.chance(0.6)) nodes.push_back(node_name(i));
  }
  nodes.insert(nodes.begin() + static_cast<std::ptrdiff_t>(random.below(nodes.size() + 1)), node_name(0));
  return nodes;
}

net::SimNetworkSettings draw_network(Random& random) {
  net::SimNetworkSettings network;
  network.latency = between(random, std::chrono::microseconds(20), milliseconds(2));
  network.jitter = random.chance(0.5) ? between(random, Duration{0}, milliseconds(5)) : Duration{0};
  network.window = one_of<std::size_t>(random, {2'000, 16'000, 65'536});
  network.max_read = one_of<std::size_t>(random, {0, 0, 1'400, 64});
  network.max_write = one_of<std::size_t>(random, {0, 0, 1'400, 100});
  network.notice = one_of<Duration>(random, {Duration{0}, std::chrono::microseconds(50), milliseconds(1)});
  network.spurious = one_of<double>(random, {0, 0, 0.1});
  network.post = one_of<Duration>(random, {Duration{0}, std::chrono::microseconds(30), milliseconds(1)});
  return network;
}

template <std::size_t count>
std::bitset<count> draw_some(Random& random, double chance) {
  std::bitset<count> some;
  for (std::size_t i = 0; i < count; ++i) some.set(i, random.chance(chance));
  return some;
}

template <std::size_t count>
void drop(std::bitset<count>& set, const std::array<std::string_view, count>& names, std::string_view dropped) {
  const auto found = std::ranges::find(names, dropped);
  if (found != names.end()) set.reset(static_cast<std::size_t>(found - names.begin()));
}

template <std::size_t count>
std::string list(const std::bitset<count>& set, const std::array<std::string_view, count>& names) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) {
    if (set.test(i)) text.append(text.empty() ? "" : ",").append(names[i]);
  }
  return text.empty() ? "none" : text;
}

}  // namespace

std::string_view name(Fault fault) { return kFaultNames[static_cast<std::size_t>(fault)]; }
std::string_view name(Habit habit) { return kHabitNames[static_cast<std::size_t>(habit)]; }

Duration up_to(Random& random, Duration most) {
  return Duration{static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(most.count()) + 1))};
}

std::string node_name(std::size_t index) { return std::string(1, static_cast<char>('a' + index)); }

void draw_routing(Random& random, config::DroverSettings& settings) {
  using balance::PolicyKind;
  const auto any = [&] { return static_cast<PolicyKind>(random.below(balance::kPolicyNames.size())); };
  do settings.policy = any();
  while (settings.policy == PolicyKind::manual);  // which is for routes with nodes
  settings.routes.clear();
  for (const std::string_view pattern : {"llama3.2:3b", "gemma3:*", "q*", "*:latest", "*"}) {
    if (!random.chance(0.25)) continue;
    balance::RouteSettings route{.model = std::string(pattern), .policy = any()};
    if (route.policy == PolicyKind::manual || random.chance(0.4)) route.nodes = draw_nodes(random);
    if (random.chance(0.2)) route.context = balance::ContextRule::as_sent;
    settings.routes.push_back(std::move(route));
  }
}

void draw_names(Random& random, config::DroverSettings& settings) {
  const auto chat_model = [&] { return std::string(kModels[random.below(kChatModels)]); };
  for (balance::RouteSettings& route : settings.routes) {
    std::string other = chat_model();
    if (random.chance(0.5) && other != route.model) route.fallback = std::move(other);
  }
  if (random.chance(0.5)) {
    settings.routes.insert(settings.routes.begin(), {.model = std::string(kNobodys), .fallback = chat_model()});
  }
  fleet::AliasSettings split{.name = std::string(kSplit)};
  for (std::size_t i = 0; i < kChatModels; ++i) {
    const unsigned weight = one_of(random, {0U, 1U, 1U, 2U, 9U});
    if (weight > 0) split.models.push_back({std::string(kModels[i]), weight});
  }
  if (split.models.empty()) split.models.push_back({chat_model()});
  settings.aliases = {{std::string(kAlias), {{std::string(kModels.front())}}}, std::move(split)};
}

// A world of little trouble and little room, whose clients have to share it.
void crowd(Random& random, Plan& plan) {
  plan.faults &= draw_some<kFaultCount>(random, 0.1);
  plan.habits &= draw_some<kHabitCount>(random, 0.2);
  plan.habits.set(static_cast<std::size_t>(Habit::patient));
  plan.habits.set(static_cast<std::size_t>(Habit::crowds));
  plan.nodes = between(random, 3, 4);
  plan.slots = static_cast<unsigned>(between(random, 1, 3));
  plan.settings.limits.queue = 1'000;
  plan.settings.limits.queue_per_tenant = 250;
  plan.settings.limits.connections = 10'000;
  plan.settings.timeouts.queue = plan.settings.timeouts.request = std::chrono::seconds(60);
}

Plan draw_plan(std::uint64_t seed, const Overrides& overrides) {
  Random random(seed);
  Plan plan;
  plan.seed = seed;
  plan.minutes = overrides.minutes;
  plan.swarm = overrides.swarm;
  plan.nodes = between(random, 3, kMostNodes);
  plan.workers = between(random, 1, 3);
  plan.slots = static_cast<unsigned>(one_of<std::size_t>(random, {0, 2, 4, 4, 8, 8, 8, 8, 8}));
  plan.rate = random.chance(0.15) ? 46 : random.chance(0.3) ? 20 : 30;  // some 20 a second reach the gateway
  draw_timeouts(random, plan.settings.timeouts);
  draw_limits(random, plan.settings.limits);
  draw_rules(random, plan.settings);
  draw_routing(random, plan.settings);
  // Clients are taken for proxies that say who asks.
  plan.settings.trusted_proxies = {*net::parse_address_range("0.0.0.0/0"), *net::parse_address_range("::/0")};
  plan.settings.tenants = {{.name = "t1", .weight = 2}, {.name = "t2", .priority = balance::Priority::low}};
  plan.network = draw_network(random);
  // All faults at once hide what a few of them would show: a swarm has each with one chance in three.
  plan.faults = draw_some<kFaultCount>(random, overrides.swarm ? 0.33 : 0.66);
  plan.habits = draw_some<kHabitCount>(random, 0.7);
  plan.habits.set(static_cast<std::size_t>(Habit::patient));
  Random apart = Random(seed).split(6);  // of its own, so that a seed goes on to mean what it meant
  draw_names(apart, plan.settings);
  for (std::size_t i = 1; i <= kKnownCrowds; ++i) {
    plan.settings.tenants.push_back(
        {.name = fmt::format("{}{}", kCrowd, i), .weight = one_of(apart, {1U, 1U, 2U, 5U})});
  }
  plan.settings.timeouts.spill = between(apart, milliseconds(0), milliseconds(10'000));
  const bool left_out = std::ranges::find(overrides.without, name(Habit::crowds)) != overrides.without.end();
  if (apart.chance(0.2) && !left_out) crowd(apart, plan);
  plan.settings.timeouts.in_time = between(apart, milliseconds(0), milliseconds(3'000));
  plan.settings.timeouts.first_token = between(apart, milliseconds(0), milliseconds(4'000));
  if (overrides.nodes > 0) plan.nodes = overrides.nodes;
  if (overrides.rate > 0) plan.rate = overrides.rate;
  for (const std::string& dropped : overrides.without) {
    drop(plan.faults, kFaultNames, dropped);
    drop(plan.habits, kHabitNames, dropped);
  }
  return plan;
}

Result<void> check(const Overrides& overrides) {
  for (const std::string& each : overrides.without) {
    if (std::ranges::find(kFaultNames, each) != kFaultNames.end()) continue;
    if (std::ranges::find(kHabitNames, each) != kHabitNames.end()) continue;
    return Error{ErrorCode::invalid, Side::gateway,
                 fmt::format("there is no fault or habit '{}'; the faults are {}; the habits are {}", each,
                             fmt::join(kFaultNames, " "), fmt::join(kHabitNames, " "))};
  }
  return {};
}

std::string describe(const Plan& plan) {
  std::string routes;
  for (const balance::RouteSettings& route : plan.settings.routes) {
    const bool as_sent = route.context == balance::ContextRule::as_sent;
    routes += fmt::format("{}{}/{}/{}{}{}{}", routes.empty() ? "" : ",", route.model, balance::name(route.policy),
                          fmt::join(route.nodes, ""), as_sent ? "/as_sent" : "", route.fallback.empty() ? "" : ">",
                          route.fallback);
  }
  std::string split;
  for (const auto& share : plan.settings.aliases.back().models) {
    split += fmt::format("{}{}*{}", split.empty() ? "" : ",", share.weight, share.model);
  }
  const auto ms = [](Duration time) { return std::chrono::duration_cast<milliseconds>(time).count(); };
  const config::DroverSettings& s = plan.settings;
  return fmt::format(
      "nodes={} workers={} slots={} rate={} minutes={} policy={} routes={} split={} attempts={} budget={}%/{} queue={} "
      "queue_ms={} spill_ms={} in_time_ms={} first_token_ms={} "
      "silence_ms={} request_ms={} stall_ms={} keep_alive_ms={} drain_ms={} leaked_ms={} latency_us={} jitter_us={} "
      "notice_us={} "
      "post_us={} window={} max_read={} max_write={} faults={} habits={}",
      plan.nodes, plan.workers, plan.slots, plan.rate, plan.minutes, balance::name(s.policy), routes, split,
      s.retry.attempts, s.retry.budget_percent, s.retry.budget_floor, s.limits.queue, ms(s.timeouts.queue),
      ms(s.timeouts.spill), ms(s.timeouts.in_time), ms(s.timeouts.first_token), ms(s.timeouts.silence),
      ms(s.timeouts.request), ms(s.timeouts.client_stall), ms(s.timeouts.keep_alive), ms(s.timeouts.drain),
      ms(s.timeouts.leaked_slot), plan.network.latency.count() / 1000, plan.network.jitter.count() / 1000,
      plan.network.notice.count() / 1000, plan.network.post.count() / 1000, plan.network.window, plan.network.max_read,
      plan.network.max_write, list(plan.faults, kFaultNames), list(plan.habits, kHabitNames));
}

std::string replay_command(std::uint64_t seed, const Overrides& overrides) {
  std::string text = fmt::format("drover world --seed {} --minutes {}", seed, overrides.minutes);
  if (overrides.swarm) text += " --swarm";
  if (overrides.nodes > 0) text += fmt::format(" --nodes {}", overrides.nodes);
  if (overrides.rate > 0) text += fmt::format(" --rate {}", overrides.rate);
  if (!overrides.without.empty()) text += fmt::format(" --without {}", fmt::join(overrides.without, ","));
  return text;
}

}  // namespace drover::world
