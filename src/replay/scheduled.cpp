#include "replay/scheduled.h"

#include <algorithm>

#include "api/model_name.h"
#include "base/check.h"
#include "engine/card.h"

namespace drover::replay {
namespace {

// As its preset says, which is not how fast it is (make_true()).
balance::CardSpeed speed_of(std::string_view card) {
  const engine::StepCosts& costs = engine::card_named(card)->costs;
  const engine::StepCosts& small = engine::card_named("small")->costs;
  return {.reading = small.row / costs.row, .writing = small.few_rows.front() / costs.few_rows.front()};
}

}  // namespace

Scheduled::Scheduled(Stage& stage, const std::vector<std::string>& models, const std::vector<std::string>& tenants,
                     const ScheduledSettings& settings, std::uint64_t seed)
    : settings_(settings), scheduler_(settings.scheduler, seed), tenants_(tenants), polls_(stage.nodes()) {
  for (const std::string& model : models) keys_.push_back(api::model_key(model));
  for (std::size_t i = 0; i < stage.nodes(); ++i) {
    const sim::NodeSettings& node = stage.settings(i);
    scheduler_.update_node({.id = NodeId{i},
                            .name = node.name,
                            .identity = i,
                            .slots = {.fixed = node.slots},
                            .max_loaded = node.max_loaded,
                            .card = settings.gpus_known ? std::optional(speed_of(node.card)) : std::nullopt},
                           stage.now(), actions_);
    observe(stage, i, stage.now());
    // Spread over the interval, as polls of a gateway that has run for a while.
    polls_[i].due =
        stage.now() + settings.poll * static_cast<std::int64_t>(i + 1) / static_cast<std::int64_t>(stage.nodes());
  }
  next_tick_ = stage.now() + settings.tick;
  next_poll_ = polls_.front().due;
  act(stage);
}

void Scheduled::arrived(Stage& stage, std::size_t number) {
  const Request& request = stage.request(number);
  too_small_.clear();
  for (std::size_t i = 0; i < stage.nodes(); ++i) {
    if (stage.model_on(i, request.question.model) != nullptr && !stage.can_serve(i, request)) {
      too_small_.push_back(NodeId{i});
    }
  }
  const std::uint64_t affinity = request.question.program ? *request.question.program + 1 : 0;
  const balance::Decision decision =
      scheduler_.submit({.request = RequestId{number},
                         .model = keys_[request.question.model],
                         .now = stage.now(),
                         .arrival = request.arrived,
                         .excluded = too_small_,
                         .affinity = affinity,
                         .tenant = tenants_.empty() ? std::string_view{} : tenants_[request.question.tenant],
                         .prompt = {.bytes = request.bytes, .prefix = stage.prefix(number), .max_answer = {}}},
                        actions_);
  if (const auto* start = std::get_if<balance::Start>(&decision)) stage.start(number, start->node.value);
  if (std::holds_alternative<balance::Refused>(decision)) stage.refuse(number);
  if (const auto* queued = std::get_if<balance::Queued>(&decision); queued != nullptr && queued->wait) {
    stage.tell(number, *queued->wait);
  }
  act(stage);
}

void Scheduled::ended(Stage& stage, std::size_t number, bool ok, const balance::NodeDurations& durations) {
  using balance::Outcome;
  const Outcome outcome =
      ok ? Outcome{} : Outcome{.kind = Outcome::Kind::node_failed, .code = ErrorCode::server_busy, .status = 503};
  scheduler_.finished(RequestId{number}, NodeId{stage.request(number).node}, outcome,
                      ok ? std::optional(durations) : std::nullopt, stage.now(), actions_);
  act(stage);
}

void Scheduled::loaded(Stage& stage, std::uint64_t token, bool ok) {
  const auto found = loads_.find(token);
  CHECK(found != loads_.end());
  observe(stage, found->second, stage.now());
  loads_.erase(found);
  const balance::LoadOutcome outcome{.failed = ok ? std::nullopt : std::optional(ErrorCode::server_busy)};
  scheduler_.loaded(balance::LoadToken{token}, outcome, stage.now(), actions_);
  act(stage);
}

Mono Scheduled::next() const { return std::min(next_tick_, next_poll_); }

void Scheduled::wake(Stage& stage) {
  const Mono now = stage.now();
  if (next_poll_ <= now) {
    for (std::size_t i = 0; i < polls_.size(); ++i) {
      if (polls_[i].due <= now) poll(stage, i);
    }
    next_poll_ = std::ranges::min(polls_, {}, &Poll::due).due;
  }
  if (next_tick_ <= now) {
    scheduler_.tick(now, actions_);
    next_tick_ = now + settings_.tick;
  }
  act(stage);
}

void Scheduled::poll(Stage& stage, std::size_t node) {
  Poll& poll = polls_[node];
  if (!poll.waits) poll.asked = stage.now();
  const Mono ready = stage.node(node).listing_ready();
  poll.waits = ready > stage.now();
  if (poll.waits) {
    poll.due = ready;
    return;
  }
  observe(stage, node, poll.asked);
  poll.due = stage.now() + settings_.poll;
}

void Scheduled::observe(Stage& stage, std::size_t node, Mono asked) {
  scheduler_.probed(NodeId{node}, {}, stage.now(), actions_);
  const std::vector<sim::Running> running = stage.node(node).running();
  listed_.clear();
  for (std::size_t i = 0; i < keys_.size(); ++i) {
    const sim::ModelSettings* model = stage.model_on(node, i);
    if (model == nullptr) continue;
    const bool resident =
        std::ranges::any_of(running, [&](const auto& each) { return each.model->spec.weights == model->spec.weights; });
    listed_.push_back({.model = keys_[i],
                       .runner = balance::RunnerKey{i},
                       .resident = resident,
                       .context = stage.node(node).context_of(*model, {})});
  }
  scheduler_.observe_inventory(NodeId{node}, listed_, asked, stage.now(), actions_);
}

std::size_t Scheduled::number_of(std::string_view model) const {
  return static_cast<std::size_t>(std::ranges::find(keys_, model) - keys_.begin());
}

void Scheduled::act(Stage& stage) {
  // What a start or a refusal brings about comes later, by an event: nothing is added meanwhile.
  for (const balance::Action& action : std::exchange(actions_, {})) {
    if (const auto* grant = std::get_if<balance::Grant>(&action)) stage.start(grant->request.value, grant->node.value);
    if (const auto* refuse = std::get_if<balance::Refuse>(&action)) stage.refuse(refuse->request.value);
    if (const auto* load = std::get_if<balance::Load>(&action)) {
      loads_[load->token.value] = load->node.value;
      if (!load->evict.empty()) stage.unload(load->node.value, number_of(load->evict));
      stage.load(load->node.value, number_of(load->model), load->token.value);
    }
  }
}

}  // namespace drover::replay
