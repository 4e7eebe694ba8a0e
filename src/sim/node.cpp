#include "sim/node.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/check.h"

namespace drover::sim {
namespace {

// The health ping that a node sends its runner before it gives it a request (4.1, step 2).
constexpr Duration kPing = std::chrono::milliseconds(2);
// A runner is killed, then the card's memory has to come back.
constexpr Duration kUnload = std::chrono::milliseconds(400);

constexpr std::array<std::string_view, 11> kSingleSlotFamilies{
    "mllama", "qwen3vl", "qwen3vlmoe", "qwen35",         "qwen35moe",      "qwen3next",
    "lfm2",   "lfm2moe", "nemotron_h", "nemotron_h_moe", "nemotron_h_omni"};

constexpr std::string_view kBusy = "server busy, please try again.  maximum pending requests exceeded";
constexpr std::string_view kRunnerGone = "an error was encountered while running the model: unexpected EOF";
constexpr std::string_view kRunnerNotRunning = "llama-server process no longer running: unknown ";

engine::Card card_of(const NodeSettings& settings) {
  const Machine& machine = settings.machine;
  engine::Card card = *engine::card_named(settings.card);
  engine::StepCosts& costs = card.costs;
  for (engine::Cost& cost : costs.few_rows) cost *= machine.weights;
  for (engine::Cost* cost : {&costs.many_rows, &costs.row, &costs.pair_alone, &costs.pair_one, &costs.pair_few,
                             &costs.pair_tiled, &costs.copy}) {
    *cost *= machine.arithmetic;
  }
  card.load_bandwidth =
      Bytes{static_cast<std::uint64_t>(static_cast<double>(card.load_bandwidth.value) / machine.loads)};
  card.load_overhead = Duration{std::llround(static_cast<double>(card.load_overhead.count()) * machine.loads)};
  return card;
}

std::size_t scaled_count(std::size_t count, double factor) {
  return static_cast<std::size_t>(static_cast<double>(count) * factor);
}

}  // namespace

Node::Node(const NodeSettings& settings) : settings_(settings), card_(card_of(settings)) {}

Duration Node::scaled(Duration time) const {
  return std::max(Duration{1}, Duration{std::llround(static_cast<double>(time.count()) / settings_.speedup)});
}

Node::Loaded* Node::loaded(std::string_view weights) {
  const auto found = loaded_.find(weights);
  return found == loaded_.end() ? nullptr : found->second.get();
}

std::uint32_t Node::context_of(const ModelSettings& model, const RunnerOptions& options) const {
  constexpr std::int64_t kLeast = 4, kVisionLeast = 2'048;
  std::int64_t context = settings_.context != 0 ? settings_.context : engine::default_context(card_.vram, model.spec);
  if (options.num_ctx) context = *options.num_ctx;
  context = std::max(context, model.spec.capabilities.vision ? kVisionLeast : kLeast);
  return static_cast<std::uint32_t>(std::min<std::int64_t>(context, model.spec.context));
}

std::size_t Node::slots_of(const ModelSettings& model) const {
  const bool single = model.spec.capabilities.embedding ||
                      std::ranges::find(kSingleSlotFamilies, model.spec.family) != kSingleSlotFamilies.end();
  return single ? 1 : settings_.slots;
}

double Node::busy() const {
  double busiest = 0;
  for (const auto& [weights, runner] : loaded_) {
    const double slots = static_cast<double>(runner->runner.settings().slots);
    busiest = std::max(busiest, static_cast<double>(runner->runner.running()) / slots);
  }
  return std::min(1.0, busiest);
}

Bytes Node::vram_used() const {
  Bytes sum;
  for (const auto& [weights, runner] : loaded_) sum += runner->size_vram;
  return sum;
}

// Section 4.4: what may differ between a request and the runner that is there.
bool Node::fits_request(const Loaded& runner, const Ask& ask) const {
  const RunnerOptions& wanted = ask.options;
  const RunnerOptions& had = runner.options;
  const auto differs_if_given = [](const auto& want, const auto& have) { return want && want != have; };
  return runner.context == context_of(*ask.model, wanted) && !differs_if_given(wanted.num_batch, had.num_batch) &&
         !differs_if_given(wanted.num_gpu, had.num_gpu) && wanted.main_gpu == had.main_gpu &&
         wanted.num_thread == had.num_thread && wanted.draft_num_predict == had.draft_num_predict &&
         wanted.use_mmap == had.use_mmap && wanted.shift == had.shift;
}

void Node::submit(Ask ask, Mono now) {
  settle(now);
  const AskId id = ask.id;
  Active& active = active_[id];
  active.ask = std::move(ask);
  const Loaded* runner = loaded(active.ask.model->spec.weights);
  if (runner != nullptr && runner->unloaded == kNever && !runner->dead && fits_request(*runner, active.ask)) {
    active.phase = Phase::pinging;
    pings_.push_back({now + scaled(kPing), id});
    return;
  }
  enqueue(active, now);
  pump(now);
}

// Section 4.2: the one in work is not counted, so one more than the capacity is accepted.
void Node::enqueue(Active& active, Mono now) {
  if (queue_.size() >= settings_.max_queue) {
    fail(active.ask.id, {503, std::string(kBusy)}, now);
    return;
  }
  active.phase = Phase::queued;
  queue_.push_back({active.ask.id});
}

Left Node::leave(AskId id, Mono now) {
  settle(now);
  const auto found = active_.find(id);
  if (found == active_.end()) return Left::clean;
  Active& active = found->second;
  const std::string_view weights = active.ask.model->spec.weights;
  Left left = Left::clean;
  switch (active.phase) {
    case Phase::pinging:  // sent on to the load queue, where the entry is skipped and its handler never woken
      std::erase_if(pings_, [&](const Ping& ping) { return ping.ask == id; });
      queue_.push_back({id, true});
      left = Left::leaked;
      break;
    case Phase::queued:
      for (Pending& pending : queue_) pending.left |= pending.id == id;
      if (head_ && head_->pending.id == id) head_->pending.left = true;
      left = Left::leaked;
      break;
    case Phase::loading:  // its own cold load: aborted, and whoever waits for the model starts over
      head_.reset();
      break;
    case Phase::running: {
      Loaded* runner = loaded(weights);
      runner->runner.cancel(engine::JobId{id.value}, now);
      detach(*runner, now);
      break;
    }
  }
  if (left == Left::leaked) ++leaked_;
  active_.erase(found);
  pump(now);
  return left;
}

void Node::leak_slot(AskId id, Mono now) {
  settle(now);
  const auto found = active_.find(id);
  if (found == active_.end() || found->second.phase != Phase::running) {
    leave(id, now);
    return;
  }
  Loaded* runner = loaded(found->second.ask.model->spec.weights);
  runner->runner.cancel(engine::JobId{id.value}, now);
  runner->runner.leak_slot();
  detach(*runner, now);
  active_.erase(found);
}

void Node::unload(const ModelSettings& model, Mono now) {
  settle(now);
  Loaded* runner = loaded(model.spec.weights);
  if (runner == nullptr || runner->unloaded != kNever) return;
  evict(*runner, now);
}

// Lifetime 0: goes when idle. A request that carries a keep_alive meanwhile gives it a new lifetime (4.7).
void Node::evict(Loaded& victim, Mono now) {
  victim.lifetime = Duration::zero();
  victim.expires = now;
  if (victim.users == 0) begin_unload(victim, now);
}

void Node::begin_unload(Loaded& runner, Mono now) {
  runner.timer = kNever;
  runner.unloaded = now + scaled(kUnload);
}

void Node::kill_runner(const ModelSettings& model, Mono now) {
  settle(now);
  Loaded* runner = loaded(model.spec.weights);
  if (runner == nullptr) return;
  runner->dead = true;
  std::vector<std::pair<AskId, Failure>> lost;
  for (auto& [id, active] : active_) {
    if (active.phase != Phase::running || active.ask.model->spec.weights != model.spec.weights) continue;
    const bool waited = !active.token_seen && runner->runner.waiting() > 0;
    lost.emplace_back(id, Failure{500, std::string(waited ? kRunnerNotRunning : kRunnerGone)});
  }
  for (auto& [id, failure] : lost) {
    runner->runner.cancel(engine::JobId{id.value}, now);
    detach(*runner, now);
    fail(id, std::move(failure), now);
  }
}

void Node::fail(AskId id, Failure failure, Mono now) {
  events_.push_back({.kind = NodeEvent::Kind::failed, .ask = id, .at = now, .failure = std::move(failure)});
  active_.erase(id);
}

std::vector<NodeEvent> Node::advance(Mono now) {
  settle(now);
  return std::exchange(events_, {});
}

Mono Node::next_event() const {
  if (!events_.empty()) return Mono{};
  Mono next = head_ ? head_->done : kNever;
  if (!pings_.empty()) next = std::min(next, pings_.front().ends);
  for (const auto& [weights, runner] : loaded_) {
    next = std::min({next, runner->timer, runner->unloaded, runner->runner.next_event()});
  }
  return next;
}

void Node::settle(Mono now) {
  while (true) {
    std::vector<NodeEvent> kept = std::exchange(events_, {});
    const Mono next = next_event();
    events_ = std::move(kept);
    if (next > now) break;
    step(next);
  }
  set_paces(now);
}

// Everything that is due at exactly this time.
void Node::step(Mono now) {
  set_paces(now);
  for (auto& [weights, runner] : loaded_) {
    runner_events_.clear();
    runner->runner.advance(now, runner_events_);
    for (const engine::RunnerEvent& event : runner_events_) take(event, *runner);
    if (runner->timer <= now) begin_unload(*runner, now);
  }
  while (!pings_.empty() && pings_.front().ends <= now) {
    const AskId id = pings_.front().ask;
    pings_.pop_front();
    end_ping(id, now);
  }
  std::erase_if(loaded_, [&](const auto& each) { return each.second->unloaded <= now; });
  if (head_ && head_->done <= now) finish_load(now);
  pump(now);
}

void Node::end_ping(AskId id, Mono now) {
  const auto found = active_.find(id);
  CHECK(found != active_.end());
  Active& active = found->second;
  Loaded* runner = loaded(active.ask.model->spec.weights);
  if (runner == nullptr || runner->unloaded != kNever || runner->dead || !fits_request(*runner, active.ask)) {
    active.phase = Phase::queued;
    queue_.push_back({id});
    return;
  }
  attach(active, *runner, now);
  if (active.part == kDone) active_.erase(found);
}

// Two models on one card slow each other; what does not fit the card runs on the host, slowly.
void Node::set_paces(Mono now) {
  const auto busy = std::ranges::count_if(loaded_, [](const auto& each) { return !each.second->runner.idle(); });
  for (auto& [weights, runner] : loaded_) {
    const double share = static_cast<double>(std::max<std::ptrdiff_t>(busy, 1));
    runner->runner.set_pace(share * engine::slowdown(runner->size, runner->size_vram) / settings_.speedup, now);
  }
}

void Node::take(const engine::RunnerEvent& event, Loaded& runner) {
  const AskId id{event.job.value};
  const auto found = active_.find(id);
  CHECK(found != active_.end());
  Active& active = found->second;
  if (event.kind == engine::RunnerEvent::Kind::token) {
    active.token_seen = true;
    events_.push_back({.kind = NodeEvent::Kind::token, .ask = id, .at = event.at, .index = event.index});
    return;
  }
  active.usage.prompt += event.usage.prompt;
  active.usage.cached += event.usage.cached;
  active.usage.answer += event.usage.answer;
  active.usage.waited += event.usage.waited;
  active.usage.prompt_time += event.usage.prompt_time;
  active.usage.answer_time += event.usage.answer_time;
  next_part(active, runner, event.at);
  if (active.part == kDone) active_.erase(found);
}

void Node::attach(Active& active, Loaded& runner, Mono now) {
  ++runner.users;
  runner.timer = kNever;
  if (active.ask.keep_alive) runner.lifetime = *active.ask.keep_alive;
  active.phase = Phase::running;
  events_.push_back({.kind = NodeEvent::Kind::ready, .ask = active.ask.id, .at = now});
  next_part(active, runner, now);
}

// Starts the next part, or ends the ask (part == kDone; the caller forgets it).
void Node::next_part(Active& active, Loaded& runner, Mono now) {
  if (active.part < active.ask.parts.size()) {
    Part& part = active.ask.parts[active.part++];
    set_paces(now);
    runner.runner.submit({.id = engine::JobId{active.ask.id.value},
                          .prompt = std::move(part.prompt),
                          .answer = part.answer,
                          .token = std::move(part.token),
                          .cached = part.cached},
                         now);
    return;
  }
  active.part = kDone;
  events_.push_back({.kind = NodeEvent::Kind::finished, .ask = active.ask.id, .at = now, .usage = active.usage});
  detach(runner, now);
}

// Section 4.5: at the last user's end the keep-alive begins.
void Node::detach(Loaded& runner, Mono now) {
  CHECK(runner.users > 0);
  if (--runner.users > 0) return;
  if (runner.lifetime == Duration::zero()) return begin_unload(runner, now);
  runner.expires = after(now, runner.lifetime);
  runner.timer = runner.expires;
}

void Node::pump(Mono now) {
  while (true) {
    if (head_) {
      if (head_->done != kNever) return;
      const bool waiting = head_->victim != nullptr && loaded(*head_->victim) != nullptr;
      if (waiting) return;
      head_->victim = nullptr;
    } else {
      if (queue_.empty()) return;
      head_ = Head{.pending = queue_.front()};
      queue_.pop_front();
    }
    if (head_->pending.left) {
      head_.reset();
      continue;
    }
    work_on_head(now);
  }
}

// Section 4.7. Afterwards the head is done, loads, or waits for a victim.
void Node::work_on_head(Mono now) {
  const auto found = active_.find(head_->pending.id);
  CHECK(found != active_.end());
  Active& active = found->second;
  const engine::ModelSpec& spec = active.ask.model->spec;
  if (Loaded* runner = loaded(spec.weights)) {
    if (runner->unloaded == kNever && !runner->dead && fits_request(*runner, active.ask)) {
      head_.reset();
      attach(active, *runner, now);
      if (active.part == kDone) active_.erase(found);
      return;
    }
    head_->victim = &runner->model->spec.weights;
    if (runner->unloaded == kNever) evict(*runner, now);
    return;
  }
  const auto size = engine::size_in_memory(spec, context_of(*active.ask.model, active.ask.options),
                                           static_cast<std::uint32_t>(slots_of(*active.ask.model)));
  const Bytes free = card_.vram > vram_used() ? card_.vram - vram_used() : Bytes{};
  const bool room = loaded_.size() < std::max<std::size_t>(settings_.max_loaded, 1) && engine::fits(size, free);
  if (room || loaded_.empty()) return begin_load(active.ask, now);
  std::vector<engine::Resident> residents;
  for (const auto& [weights, runner] : loaded_) {
    residents.push_back({weights, runner->lifetime, runner->users == 0});
  }
  Loaded* victim = loaded(residents[*engine::pick_victim(residents)].weights);
  head_->victim = &victim->model->spec.weights;
  if (victim->unloaded != kNever) return;
  ++evictions_;
  evict(*victim, now);
}

void Node::begin_load(const Ask& ask, Mono now) {
  active_[ask.id].phase = Phase::loading;
  head_->done = now + scaled(engine::load_time(card_, ask.model->spec)) + std::exchange(extra_load_, {});
}

void Node::finish_load(Mono now) {
  const auto found = active_.find(head_->pending.id);
  CHECK(found != active_.end());
  head_.reset();
  Active& active = found->second;
  const ModelSettings& model = *active.ask.model;
  const std::uint32_t context = context_of(model, active.ask.options);
  const auto slots = static_cast<std::uint32_t>(slots_of(model));
  const Bytes size = engine::size_in_memory(model.spec, context, slots);
  const Bytes free = card_.vram > vram_used() ? card_.vram - vram_used() : Bytes{};
  const bool on_host = active.ask.options.num_gpu == 0;
  const Bytes size_vram = on_host ? Bytes{} : engine::placed(size, free);
  constexpr std::uint32_t kBlock = 16;
  constexpr std::uint32_t kEngineLeast = 8;  // the model of an engine has no place for an answer in less
  const double cache = settings_.machine.cache;
  const engine::RunnerSettings runner{.kind = settings_.engine,
                                      .slots = slots,
                                      .context = std::max(context, kEngineLeast),
                                      .reuse = model.spec.reuse,
                                      .host_cache = scaled_count(engine::host_cache_tokens(model.spec), cache),
                                      .blocks = scaled_count(std::size_t{context} * slots / kBlock, cache),
                                      .block_tokens = kBlock,
                                      .every_token = settings_.every_token};
  auto made = std::make_unique<Loaded>(Loaded{.model = &model,
                                              .options = active.ask.options,
                                              .context = context,
                                              .size = size,
                                              .size_vram = size_vram,
                                              .runner = engine::Runner(engine::costs_on(card_, model.spec), runner),
                                              .lifetime = settings_.keep_alive});
  Loaded& added = *made;
  added.expires = after(now, added.lifetime);
  loaded_.emplace(model.spec.weights, std::move(made));
  ++loads_;
  set_paces(now);
  attach(active, added, now);
  if (active.part == kDone) active_.erase(found);
}

std::vector<Running> Node::running() const {
  std::vector<Running> all;
  for (const auto& [weights, runner] : loaded_) {
    all.push_back({.model = runner->model,
                   .size = runner->size,
                   .size_vram = runner->size_vram,
                   .expires = runner->expires,
                   .context = runner->context,
                   .running = runner->runner.running(),
                   .waiting = runner->runner.waiting()});
  }
  std::ranges::sort(all, [](const Running& a, const Running& b) {
    return a.expires != b.expires ? a.expires > b.expires : a.model->spec.weights < b.model->spec.weights;
  });
  return all;
}

const Node::Loaded* Node::usable(const ModelSettings& model) const {
  const auto found = loaded_.find(model.spec.weights);
  if (found == loaded_.end() || found->second->unloaded != kNever || found->second->dead) return nullptr;
  return found->second.get();
}

bool Node::is_loaded(const ModelSettings& model) const { return usable(model) != nullptr; }

std::size_t Node::known(const ModelSettings& model, std::span<const engine::Piece> prompt) const {
  const Loaded* runner = usable(model);
  return runner == nullptr ? 0 : runner->runner.known(prompt);
}

Mono Node::listing_ready() const {
  Mono ready{};
  for (const auto& [weights, runner] : loaded_) {
    if (runner->unloaded != kNever) ready = std::max(ready, runner->unloaded);
  }
  return ready;
}

}  // namespace drover::sim
