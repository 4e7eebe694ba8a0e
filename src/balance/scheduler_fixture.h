#pragma once
// A fleet in a few words, for the tests of the scheduler.

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "balance/scheduler.h"

namespace drover::balance::testing {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A policy that goes by counts alone, so that a test can say who starts where.
inline SchedulerSettings by_counts() {
  SchedulerSettings settings;
  settings.policy = PolicyKind::least_connections;
  return settings;
}

// A scheduler with a clock that is moved by hand. What it decided is kept as short lines, such as "grant 7 on 1", until
// `said()` takes them.
class Fleet {
 public:
  explicit Fleet(const SchedulerSettings& settings = by_counts()) : scheduler(settings) {}

  // A healthy node with fixed slots. `most`: models that it holds at once.
  void node(std::uint64_t id, unsigned slots, double weight = 1, std::optional<unsigned> most = {},
            std::optional<CardSpeed> card = {}) {
    scheduler.update_node({.id = NodeId{id},
                           .name = fmt::format("node-{}", id),
                           .identity = id,
                           .weight = weight,
                           .slots = {.fixed = slots},
                           .max_loaded = most,
                           .card = card},
                          now, actions_);
    probe_passes(id);
    actions_.clear();
  }
  // It has these models; a star behind the name: in memory, with so many tokens of context if a number follows. Equal
  // runner keys for names of equal weights: "a=1".
  void has(std::uint64_t id, const std::vector<std::string>& models) {
    std::vector<ModelOnNode> list;
    for (std::string name : models) {
      ModelOnNode& model = list.emplace_back();
      if (const auto star = name.find('*'); star != std::string::npos) {
        model.resident = true;
        if (star + 1 < name.size()) model.context = std::stoull(name.substr(star + 1));
        name.resize(star);
      }
      const auto equals = name.find('=');
      model.model = name.substr(0, equals);
      const std::string weights = equals == std::string::npos ? name : name.substr(equals + 1);
      model.runner = RunnerKey{runners_.try_emplace(weights, runners_.size() + 1).first->second};
    }
    scheduler.observe_inventory(NodeId{id}, list, now, now, actions_);
  }
  void probe_passes(std::uint64_t id) { scheduler.probed(NodeId{id}, {}, now, actions_); }
  void probe_fails(std::uint64_t id) {
    scheduler.probed(NodeId{id}, {.failed = ErrorCode::connect_refused}, now, actions_);
  }

  // A submission to be changed at will; it arrives now.
  Submission ask(std::uint64_t request, std::string_view model) const {
    return {.request = RequestId{request}, .model = model, .now = now, .arrival = now};
  }
  // "on 1 (only_one)", with "saying 8192" or "saying nothing" where its context is fitted; "queued 3", "refused
  // queue_full".
  std::string submit(const Submission& submission) {
    const Decision decision = scheduler.submit(submission, actions_);
    if (const auto* start = std::get_if<Start>(&decision)) {
      return fmt::format("on {} ({}){}", start->node.value, start->reason, line(start->context));
    }
    if (const auto* queued = std::get_if<Queued>(&decision)) return fmt::format("queued {}", queued->position);
    return fmt::format("refused {}", name(std::get<Refused>(decision).why));
  }
  std::string submit(std::uint64_t request, std::string_view model) { return submit(ask(request, model)); }

  void ends(std::uint64_t request, std::uint64_t on, const Outcome& outcome = {}) {
    scheduler.finished(RequestId{request}, NodeId{on}, outcome, std::nullopt, now, actions_);
  }
  // With an answer whose final frame tells how long it took.
  void answers(std::uint64_t request, std::uint64_t on, const NodeDurations& durations) {
    scheduler.finished(RequestId{request}, NodeId{on}, {}, durations, now, actions_);
  }
  void fails(std::uint64_t request, std::uint64_t on, ErrorCode code) {
    ends(request, on, {.kind = Outcome::Kind::node_failed, .code = code});
  }
  void cancels(std::uint64_t request) { scheduler.cancelled(RequestId{request}, now, actions_); }
  // And has so many tokens of context then; 0: the node does not say.
  void loads(std::uint64_t token, std::uint64_t context = 0) {
    scheduler.loaded(LoadToken{token}, {.context = context}, now, actions_);
  }
  void load_fails(std::uint64_t token, ErrorCode code) {
    scheduler.loaded(LoadToken{token}, {.failed = code}, now, actions_);
  }
  void passes(Duration time) {
    now += time;
    scheduler.tick(now, actions_);
  }

  // For calls that this has no word for.
  Actions& actions() { return actions_; }
  // What was decided beside the answers since the last call, "; " between.
  std::string said() {
    std::string text;
    for (const Action& action : std::exchange(actions_, {})) {
      if (!text.empty()) text += "; ";
      text += std::visit([](const auto& kind) { return line(kind); }, action);
    }
    return text;
  }
  NodeSnapshot node_state(std::uint64_t id) const {
    for (const NodeSnapshot& node : scheduler.snapshot(now).nodes) {
      if (node.id == NodeId{id}) return node;
    }
    ADD_FAILURE() << "no node " << id;
    return {};
  }

  Scheduler scheduler;
  Mono now = Mono{} + seconds(1000);

 private:
  static std::string line(const Grant& grant) {
    return fmt::format("grant {} on {}{}", grant.request.value, grant.node.value, line(grant.context));
  }
  static std::string line(const ContextFit& fit) {
    if (!fit.num_ctx) return {};
    return *fit.num_ctx == 0 ? " saying nothing" : fmt::format(" saying {}", *fit.num_ctx);
  }
  static std::string line(const Refuse& refuse) {
    return fmt::format("refuse {} {}", refuse.request.value, name(refuse.why));
  }
  static std::string line(const Load& load) {
    std::string options = load.need.fingerprint == 0 ? "" : fmt::format(" with {}", load.need.fingerprint);
    if (load.need.context != 0) options += fmt::format(" for {} tokens", load.need.context);
    if (!load.evict.empty()) options += fmt::format(" in place of {}", load.evict);
    return fmt::format("load {}: {}{} on {}", load.token.value, load.model, options, load.node.value);
  }
  static std::string line(const Trial& trial) {
    return fmt::format("trial {}: {} on {}", trial.request.value - kFirstOwnRequest.value, trial.model,
                       trial.node.value);
  }
  static std::string line(const Unload& unload) {
    return fmt::format("unload {}: {} on {}", unload.token.value, unload.model, unload.node.value);
  }
  static std::string line(const HealthChange& change) {
    return fmt::format("{}: {} to {} ({})", change.node.value, name(change.from), name(change.to), name(change.why));
  }

  Actions actions_;
  std::map<std::string, std::uint64_t> runners_;
};

}  // namespace drover::balance::testing
