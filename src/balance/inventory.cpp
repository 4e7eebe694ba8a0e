#include "balance/inventory.h"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

namespace drover::balance {
namespace {

std::string_view model_of(const Served& served) { return served.lane->model; }

void enter_lane(Lane& lane, Node& node, Runner& runner) {
  const auto at =
      std::ranges::lower_bound(lane.places, node.spec.id, {}, [](const Place& place) { return place.node->spec.id; });
  if (at != lane.places.end() && at->node == &node) {
    at->runner = &runner;
  } else {
    lane.places.insert(at, {.node = &node, .runner = &runner, .rank = lane.route->rank_of(node.spec.name)});
    lane.places_changed();
  }
}

// The runner of a model that the poll lists. What was a runner under another key (the weights' own, before they were
// known) is still the same process: what runs there goes on counting.
Runner& runner_of(Node& node, const ModelOnNode& model, std::span<const Served> before) {
  if (const auto known = node.runners.find(model.runner); known != node.runners.end()) return known->second;
  const auto served = std::ranges::find(before, model.model, model_of);
  if (served != before.end() && !served->runner->listed) {
    auto renamed = node.runners.extract(served->runner->key);
    renamed.key() = renamed.mapped().key = model.runner;
    return node.runners.insert(std::move(renamed)).position->second;
  }
  return node.runners.try_emplace(model.runner, node, model.runner, node.spec.slots).first->second;
}

// Notes what the poll lists. Returns what the node served before.
std::vector<Served> list(Dispatcher& dispatcher, Node& node, std::span<const ModelOnNode> models) {
  std::vector<Served> before = std::exchange(node.served, {});
  for (auto& [key, runner] : node.runners) {
    runner.listed = runner.seen_resident = false;
    runner.seen_context = 0;
  }
  for (const ModelOnNode& model : models) {
    Runner& runner = runner_of(node, model, before);
    runner.listed = true;
    runner.seen_resident |= model.resident;
    runner.seen_context = std::max(runner.seen_context, model.context);
    if (model.slots_hint) runner.slots.hint(*model.slots_hint);
    node.served.push_back({.lane = &dispatcher.lane_of(model.model), .runner = &runner});
  }
  // Of a name that a node lists twice the lower runner key counts.
  std::ranges::sort(node.served, {},
                    [](const Served& served) { return std::pair(model_of(served), served.runner->key); });
  const auto twice = std::ranges::unique(node.served, {}, &Served::lane);
  node.served.erase(twice.begin(), twice.end());
  return before;
}

// Who waits there is sent away if nobody else can serve it, and else may need a load elsewhere.
void leave_lane(Dispatcher& dispatcher, Lane& lane, const Node& node, Mono now, Actions& actions) {
  std::erase_if(lane.places, [&](const Place& place) { return place.node == &node; });
  lane.places_changed();
  dispatcher.refuse_stranded(lane, now, actions);
  dispatcher.dispatch_lane(lane, now, actions);
}

// Another one than before: somebody else had it loaded anew, with options of his.
void see_context(Runner& runner) {
  if (runner.seen_context == 0) return;
  if (runner.context.tokens() != 0 && runner.seen_context != runner.context.tokens()) runner.need.reset();
  runner.context.saw(runner.seen_context, runner.need);
}

// Own knowledge leads, polls correct. What is gone while a load runs was pushed out by it, unless it was told to go:
// the node holds no more.
void set_residency(Node& node, Mono asked, Mono now) {
  bool pushed_out = false;
  for (auto& [key, runner] : node.runners) {
    const bool loading = node.load && node.load->runner == &runner;
    const bool we_know_better = loading || runner.known_at > asked || (!runner.seen_resident && runner.in_flight > 0);
    if (we_know_better) continue;
    pushed_out |= runner.resident && !runner.seen_resident && !node.makes_room(runner);
    node.set_resident(runner, runner.seen_resident);
    if (runner.resident) see_context(runner);
  }
  if (pushed_out && node.load && node.load->asked_for) {
    node.most = MostLoaded{.models = node.resident + (node.load->runner->resident ? 0 : 1), .seen = now};
  }
}

}  // namespace

void set_inventory(Dispatcher& dispatcher, Node& node, std::span<const ModelOnNode> models, Mono asked, Mono now,
                   Actions& actions) {
  node.changed();
  const std::vector<Served> before = list(dispatcher, node, models);
  set_residency(node, asked, now);
  for (const Served& served : node.served) enter_lane(*served.lane, node, *served.runner);
  for (const Served& served : before) {
    if (std::ranges::binary_search(node.served, model_of(served), {}, model_of)) continue;
    leave_lane(dispatcher, *served.lane, node, now, actions);
    dispatcher.forget_if_empty(*served.lane);
  }
  for (auto runner = node.runners.begin(); runner != node.runners.end();) {
    drop_if_unused(dispatcher, node, (runner++)->second);
  }
}

void lose_model(Dispatcher& dispatcher, Node& node, Lane& lane, Mono now, Actions& actions) {
  std::erase_if(node.served, [&](const Served& served) { return served.lane == &lane; });
  node.changed();
  leave_lane(dispatcher, lane, node, now, actions);
}

void drop_if_unused(Dispatcher& dispatcher, Node& node, Runner& runner) {
  if (runner.listed || runner.in_flight > 0 || node.makes_room(runner)) return;
  if (node.load && node.load->runner == &runner) return;
  if (runner.claimant != nullptr) dispatcher.release_claim(*runner.claimant);
  node.set_resident(runner, false);
  node.runners.erase(runner.key);
}

}  // namespace drover::balance
