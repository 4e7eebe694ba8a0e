#include "replay/stage.h"

#include <algorithm>

#include "api/model_name.h"
#include "base/check.h"
#include "engine/memory.h"
#include "replay/prompt_blocks.h"
#include "replay/router.h"

namespace drover::replay {
namespace {

// Asks of a node: requests by their number, loads by their token.
constexpr std::uint64_t kLoad = std::uint64_t{1} << 63;

sim::AskId ask_of(std::size_t request) { return {request}; }

}  // namespace

Stage::Stage(const Fleet& fleet, const std::vector<double>& bytes_per_token, Workload& workload)
    : fleet_(fleet), bytes_per_token_(bytes_per_token), workload_(workload), due_(fleet.size(), kNever) {
  for (const sim::NodeSettings& settings : fleet) {
    Machine machine{.node = sim::Node(settings), .models = {}};
    for (const std::string& name : workload.models()) {
      const std::string key = api::model_key(name);
      const auto held =
          std::ranges::find(settings.models, key, [](const auto& each) { return api::model_key(each.spec.name); });
      machine.models.push_back(held == settings.models.end() ? nullptr : &*held);
    }
    nodes_.push_back(std::move(machine));
  }
}

void Stage::warm_up() {
  constexpr Mono kBefore{-std::chrono::minutes(2)};  // enough to load, and too short for a keep-alive to run out
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    Machine& machine = nodes_[i];
    Bytes free = machine.node.card().vram;
    for (std::size_t model = 0; model < machine.models.size() && machine.warm < fleet_[i].max_loaded; ++model) {
      const sim::ModelSettings* held = machine.models[model];
      if (held == nullptr) continue;
      const Bytes size = engine::size_in_memory(held->spec, machine.node.context_of(*held, {}), fleet_[i].slots);
      if (!engine::fits(size, free)) continue;
      free = free - size;
      ++machine.warm;
      machine.node.submit({.id = {kLoad + model}, .model = held, .options = {}, .keep_alive = {}, .parts = {}},
                          kBefore);
    }
    machine.node.advance(now_);
    due_[i] = machine.node.next_event();
  }
}

void Stage::run(Router& router) {
  while (open_ > 0 || workload_.next() != kNever) {
    const auto first = std::ranges::min_element(due_);
    const Mono arrival = workload_.next();
    const Mono next = std::min({*first, arrival, router.next()});
    CHECK(next >= now_ && next != kNever);
    now_ = next;
    if (*first <= next) {
      advance(static_cast<std::size_t>(first - due_.begin()), router);
    } else if (arrival <= next) {
      arrive(router);
    } else {
      router.wake(*this);
    }
  }
}

std::span<const std::uint64_t> Stage::prefix(std::size_t number) {
  const Question& question = requests_[number].question;
  chain_blocks(question.prompt, bytes_per_token_[question.model], blocks_);
  return blocks_;
}

bool Stage::can_serve(std::size_t node, const Request& request) const {
  const sim::ModelSettings* model = model_on(node, request.question.model);
  if (model == nullptr) return false;
  return request.tokens + request.question.answer <= nodes_[node].node.context_of(*model, {});
}

void Stage::arrive(Router& router) {
  const std::size_t number = requests_.size();
  Request request{.question = workload_.take(), .arrived = now_};
  request.tokens = engine::token_count(request.question.prompt);
  request.bytes = text_bytes(request.tokens, bytes_per_token_[request.question.model]);
  requests_.push_back(std::move(request));
  ++open_;
  bool any = false;
  for (std::size_t node = 0; node < nodes_.size() && !any; ++node) any = can_serve(node, requests_[number]);
  if (any) return router.arrived(*this, number);
  end(number, End::left_out);
}

void Stage::start(std::size_t number, std::size_t node, std::optional<std::uint32_t> cached) {
  Request& request = requests_[number];
  CHECK(can_serve(node, request));
  request.node = node;
  request.started = now_;
  Question& question = request.question;
  sim::Part part{
      .prompt = std::exchange(question.prompt, {}), .answer = question.answer, .token = {}, .cached = cached};
  if (question.answer_name) {
    part.token = [name = *question.answer_name](std::uint32_t index) { return answer_token(name, index); };
  }
  sim::Ask ask{
      .id = ask_of(number), .model = model_on(node, question.model), .options = {}, .keep_alive = {}, .parts = {}};
  ask.parts.push_back(std::move(part));
  nodes_[node].node.submit(std::move(ask), now_);
  due_[node] = std::max(now_, nodes_[node].node.next_event());
}

void Stage::refuse(std::size_t number) { end(number, End::refused); }

void Stage::load(std::size_t node, std::size_t model, std::uint64_t token) {
  nodes_[node].node.submit(
      {.id = {kLoad + token}, .model = model_on(node, model), .options = {}, .keep_alive = {}, .parts = {}}, now_);
  due_[node] = std::max(now_, nodes_[node].node.next_event());
}

void Stage::unload(std::size_t node, std::size_t model) {
  nodes_[node].node.unload(*model_on(node, model), now_);
  due_[node] = std::max(now_, nodes_[node].node.next_event());
}

void Stage::advance(std::size_t node, Router& router) {
  const std::vector<sim::NodeEvent> events = nodes_[node].node.advance(now_);
  due_[node] = std::max(now_, nodes_[node].node.next_event());
  for (const sim::NodeEvent& event : events) take(event, router);
}

void Stage::take(const sim::NodeEvent& event, Router& router) {
  using Kind = sim::NodeEvent::Kind;
  if (event.ask.value >= kLoad) {
    if (event.kind == Kind::finished || event.kind == Kind::failed) {
      router.loaded(*this, event.ask.value - kLoad, event.kind == Kind::finished);
    }
    return;
  }
  const auto number = static_cast<std::size_t>(event.ask.value);
  Request& request = requests_[number];
  switch (event.kind) {
    case Kind::ready: request.load = event.at - request.started; break;
    case Kind::token:
      if (request.first_token) break;
      request.first_token = event.at;
      router.first_token(*this, number);
      break;
    case Kind::finished:
    case Kind::failed: {
      const bool ok = event.kind == Kind::finished;
      request.usage = event.usage;
      end(number, ok ? End::ok : End::refused);
      router.ended(*this, number, ok,
                   {.total = now_ - request.started,
                    .load = request.load,
                    .prompt_eval = event.usage.prompt_time,
                    .eval = event.usage.answer_time,
                    .prompt_tokens = event.usage.prompt,
                    .cached_tokens = event.usage.cached,
                    .eval_tokens = event.usage.answer});
      break;
    }
  }
}

void Stage::end(std::size_t number, End how) {
  Request& request = requests_[number];
  CHECK(request.end == End::open);
  request.end = how;
  request.ended = now_;
  request.question.prompt = {};
  --open_;
  workload_.ended(number, how == End::ok, now_);
}

}  // namespace drover::replay
