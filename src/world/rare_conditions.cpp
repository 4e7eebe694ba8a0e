#include "world/rare_conditions.h"

#include <algorithm>
#include <array>

#include "base/check.h"
#include "observe/outcome.h"

namespace drover::world {
namespace {

constexpr std::array kConditions{
    RareCondition{"retry_on_second_node", "an attempt on another node than the first one"},
    RareCondition{"third_attempt", "of one request"},
    RareCondition{"last_attempt_failed", "as many attempts as may be, and no answer"},
    RareCondition{"stale_pooled_connection", "a pooled connection turned out closed, and its node was asked again"},
    RareCondition{"lost_node_requeued", "the node was lost before its answer began, another one took over"},
    RareCondition{"retry_after_node_error", "a node's 404 or 500 led to another node"},
    RareCondition{"budget_exhausted", "an error that could have been repeated was passed on"},
    RareCondition{"context_fitted", "a node was told of another context than its client had named, or of none"},
    RareCondition{"split_shared", "a request for whichever of several models went to another than the first"},
    RareCondition{"fell_back", "no node could serve the model, and another one did"},
    RareCondition{"fell_back_after_attempt", "of the model that was asked for"},
    RareCondition{"fell_back_unseen", "from a model that no node has ever had"},
    RareCondition{"waited_by_choice", "for a better node, while a slot was free"},
    RareCondition{"no_time_to_choose", "a policy that could have waited by choice, and no time for it"},
    RareCondition{"tenants_compete", "two that came in a crowd wait for the same model"},
    RareCondition{"cancel_while_queued", "a client left the queue"},
    RareCondition{"cancel_while_dialling", "a client left while its node was dialled"},
    RareCondition{"cancel_while_waiting", "a client left before the first byte"},
    RareCondition{"cancel_while_streaming", "a client left a stream"},
    RareCondition{"cancel_after_retry", "a client left during a second attempt"},
    RareCondition{"cut_waited_for_20ms", "a node was too young with a request for it to be cut at once"},
    RareCondition{"client_gone_as_answer_begins", "a client left within 5 ms of the first byte"},
    RareCondition{"half_closed", "a client ended its side and waited"},
    RareCondition{"stalled_reader", "a client took nothing for too long"},
    RareCondition{"backpressure", "a node was not read because its client was slow"},
    RareCondition{"stalled_node", "a node fell silent in its answer"},
    RareCondition{"cut_inside_a_line", "a node broke off within a line"},
    RareCondition{"cut_before_any_line", "a node broke off after its head"},
    RareCondition{"error_frame", "a cut was told in the stream"},
    RareCondition{"answer_without_terminator", "a proper end of the body, but not of the answer"},
    RareCondition{"error_in_stream", "a node's own error line"},
    RareCondition{"done_false", "one object that says itself it broke off"},
    RareCondition{"junk_from_node", "what came was no answer of the API's"},
    RareCondition{"silent_node_given_up", "no first byte, and probes failed"},
    RareCondition{"connect_timeout", "the last node dialled did not answer"},
    RareCondition{"deadline", "of a whole request"},
    RareCondition{"queue_full", ""},
    RareCondition{"queue_timeout", ""},
    RareCondition{"no_node", "none could take it"},
    RareCondition{"unknown_model", ""},
    RareCondition{"buffers_full", "all buffers together"},
    RareCondition{"slow_request", "408"},
    RareCondition{"incomplete_request", "a client left before its request was whole"},
    RareCondition{"duplicate_key", "a body that two readers could read differently"},
    RareCondition{"refused_while_stopping", "503 during the drain"},
    RareCondition{"stream_cut_by_stop", "the grace was over before the stream was"},
    RareCondition{"stop_with_streams", "SIGTERM while answers ran"},
    RareCondition{"stop_with_queue", "SIGTERM while requests waited"},
    RareCondition{"crash_with_streams", "kill -9 while answers ran"},
    RareCondition{"crash_with_queue", "kill -9 while requests waited"},
    RareCondition{"reload_with_streams", ""},
    RareCondition{"reload_during_drain", ""},
    RareCondition{"bad_reload", "a settings file with a fault in it"},
    RareCondition{"node_removed_with_work", "a reload took a node away that had requests"},
    RareCondition{"clock_step_with_work", "the wall clock jumped while requests ran"},
    RareCondition{"frozen_with_work", "a thread got no processor while requests ran"},
    RareCondition{"node_degraded", ""},
    RareCondition{"offline_by_probes", ""},
    RareCondition{"offline_by_requests", ""},
    RareCondition{"offline_by_ratio", ""},
    RareCondition{"last_node_protected", "it would be offline, but nobody else has its model"},
    RareCondition{"all_nodes_offline", ""},
    RareCondition{"recovered", ""},
    RareCondition{"recovery_interrupted", "a recovering node failed again"},
    RareCondition{"trial_passed", "the gateway's own request showed that a node was back"},
    RareCondition{"trial_failed", ""},
    RareCondition{"load_finished", ""},
    RareCondition{"load_failed", ""},
    RareCondition{"load_saturated", "a node's load queue was full"},
    RareCondition{"evicted_while_waited_for", "a model left a node's memory while requests waited for it"},
    RareCondition{"model_evicted", "the gateway had a model unloaded to make room for another"},
    RareCondition{"two_loads_at_once", "of different nodes"},
    RareCondition{"leaked_slots_freed", "nothing started on a model, and it was unloaded"},
    RareCondition{"slots_found_out", "a node's slots were raised above one"},
    RareCondition{"retries_at_their_limit", ""},
    RareCondition{"turned_away", "a connection got 503 before its request was read"},
    RareCondition{"no_descriptor_with_work", "none was left while answers ran"},
    RareCondition{"name_kept", "a node's name was unknown, and its last address was kept"},
    RareCondition{"node_moved", "a node's name led to a new address"},
    RareCondition{"probe_lied", "a node's probes began to say that it has nothing, while answers ran"},
};

// Reasons of the access log that are conditions by themselves.
struct Reason {
  std::string_view reason;
  std::string_view condition;
};
constexpr std::array kReasons{
    Reason{"client_stalled", "stalled_reader"},
    Reason{"upstream_stalled", "stalled_node"},
    Reason{"upstream_failed", "error_in_stream"},
    Reason{"bad_upstream_response", "junk_from_node"},
    Reason{"first_byte_timeout", "silent_node_given_up"},
    Reason{"connect_timeout", "connect_timeout"},
    Reason{"deadline", "deadline"},
    Reason{"queue_full", "queue_full"},
    Reason{"queue_timeout", "queue_timeout"},
    Reason{"no_backend", "no_node"},
    Reason{"model_not_found", "unknown_model"},
    Reason{"buffer_budget", "buffers_full"},
    Reason{"slow", "slow_request"},
    Reason{"incomplete", "incomplete_request"},
    Reason{"duplicate_key", "duplicate_key"},
};

bool contains(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

}  // namespace

std::span<const RareCondition> rare_conditions() {
  static const std::vector<RareCondition> all = [] {
    std::vector<RareCondition> each(kConditions.begin(), kConditions.end());
    for (const std::string_view policy : balance::kPolicyNames) each.push_back({policy, "a policy that chose a node"});
    return each;
  }();
  return all;
}

void RareConditions::meet(std::string_view name) {
  CHECK(std::ranges::find(rare_conditions(), name, &RareCondition::name) != rare_conditions().end());
  ++met_[name];
}

void RareConditions::request_arrived(const Request& request) {
  if (request.asked.tenant.starts_with(kCrowd)) crowd_.push_back(&request);
}

void RareConditions::attempt_began(const Request& request, const Attempt& attempt) {
  if (request.attempts.size() < 2) return;
  const Attempt& before = request.attempts[request.attempts.size() - 2];
  meet_if(before.node != attempt.node, "retry_on_second_node");
  meet_if(request.attempts.size() == 3, "third_attempt");
  meet_if(before.reused && before.status == 0 && before.node == attempt.node, "stale_pooled_connection");
  meet_if(before.node_left && before.node != attempt.node, "lost_node_requeued");
  meet_if(before.complete && before.status >= 400, "retry_after_node_error");
}

void RareConditions::attempt_ended(const Request& request, const Attempt& attempt) {
  meet_if(attempt.sent && attempt.num_ctx != request.asked.num_ctx, "context_fitted");
  if (attempt.cut && request.client_gone && attempt.sent) {
    meet_if(*attempt.cut > *request.client_gone + std::chrono::milliseconds(5), "cut_waited_for_20ms");
  }
  if (!attempt.complete && attempt.node_left && attempt.status == 200) {
    meet_if(attempt.payload.empty(), "cut_before_any_line");
    meet_if(!attempt.payload.empty() && !attempt.payload.ends_with('\n'), "cut_inside_a_line");
  }
  meet_if(attempt.complete && attempt.status == 200 && request.asked.kind == Asked::Kind::prompt &&
              !contains(attempt.payload, "done\":true") && contains(attempt.payload, "done\":false") &&
              !contains(attempt.payload, "\"error\""),
          "answer_without_terminator");
}

void RareConditions::answer_began(const Request& request) {
  ++streams_;
  meet_if(request.turned_away, "turned_away");
}

void RareConditions::answer_ended(const Request& request) {
  if (request.first_byte && streams_ > 0) --streams_;
  meet_if(request.node_part() < request.body.size(), "error_frame");
}

void RareConditions::logged(const Request& request) {
  const Json& line = request.lines.front();
  const std::string outcome = request.outcome();
  const std::string reason = line.value("drover.reason", "");
  const std::size_t attempts = line.value("drover.attempts", 0U);
  for (const Reason& each : kReasons) meet_if(reason == each.reason, each.condition);
  const std::string picked = line.value("drover.picked", "");
  for (const std::string_view policy : balance::kPolicyNames) meet_if(picked == policy, policy);
  const Configured& settings = court_.settings();
  meet_if(
      picked == balance::name(balance::PolicyKind::earliest_finish) && settings.scheduler.spill_delay == Duration{0},
      "no_time_to_choose");
  const std::string fell_back = line.value("drover.fallback", "");
  const std::string served = line.value("gen_ai.response.model", "");
  meet_if(request.asked.called == kSplit && fell_back.empty() && !served.empty() &&
              served != settings.models_of(kSplit).front().model,
          "split_shared");
  meet_if(!fell_back.empty() && request.relayed, "fell_back");
  meet_if(!fell_back.empty() && !request.attempts.empty() && request.attempts.front().model == fell_back,
          "fell_back_after_attempt");
  meet_if(fell_back == kNobodys, "fell_back_unseen");
  meet_if(request.asked.habit == Habit::half_closes && outcome == "cancelled", "half_closed");
  if (request.client_gone && request.first_byte) {
    const Duration apart = *request.client_gone - *request.first_byte;
    meet_if(apart < std::chrono::milliseconds(5) && apart > std::chrono::milliseconds(-5),
            "client_gone_as_answer_begins");
  }
  if (outcome == "cancelled" && request.arrived) {
    const bool asks = request.asked.kind == Asked::Kind::prompt || request.asked.kind == Asked::Kind::embedding;
    meet_if(asks && attempts == 0 && !request.first_byte, "cancel_while_queued");
    meet_if(attempts > request.attempts.size(), "cancel_while_dialling");
    meet_if(!request.attempts.empty() && !request.first_byte, "cancel_while_waiting");
    meet_if(request.first_byte.has_value(), "cancel_while_streaming");
    meet_if(request.attempts.size() > 1, "cancel_after_retry");
  }
  meet_if(outcome == "truncated" && reason.empty(), "done_false");
  meet_if(outcome == "failed" && attempts >= plan_.settings.retry.attempts && attempts > 1, "last_attempt_failed");
  if (reason == "shutting_down") {
    meet(outcome == "truncated" ? "stream_cut_by_stop" : "refused_while_stopping");
  }
  if (!request.attempts.empty() && attempts < plan_.settings.retry.attempts && plan_.nodes > attempts) {
    const Attempt& last = request.attempts.back();
    const bool repeatable =
        last.complete && (last.status == 404 || (last.status == 500 && contains(last.payload, "llama")));
    meet_if(repeatable && request.relayed, "budget_exhausted");
  }
}

void RareConditions::told(std::string_view event, std::string_view line) {
  meet_if(event == "load_finished", "load_finished");
  meet_if(event == "load_failed", "load_failed");
  meet_if(event == "model_evicted", "model_evicted");
  meet_if(event == "slot_leaked" && contains(line, "unloaded=true"), "leaked_slots_freed");
  meet_if(event == "trial" && contains(line, "verdict=passed"), "trial_passed");
  meet_if(event == "trial" && contains(line, "verdict=failed"), "trial_failed");
  if (event != "node_health") return;
  const bool offline = contains(line, "to=offline");
  meet_if(contains(line, "to=degraded"), "node_degraded");
  meet_if(offline && contains(line, "why=probes_failed"), "offline_by_probes");
  meet_if(offline && contains(line, "why=requests_failed"), "offline_by_requests");
  meet_if(offline && contains(line, "why=error_ratio"), "offline_by_ratio");
  meet_if(contains(line, "why=last_capable"), "last_node_protected");
  meet_if(contains(line, "from=recovering to=stable"), "recovered");
  meet_if(offline && contains(line, "from=recovering"), "recovery_interrupted");
}

void RareConditions::struck(Fault fault) {
  const bool streams = streams_ > 0;
  switch (fault) {
    case Fault::gateway_stop:
      meet_if(streams, "stop_with_streams");
      meet_if(waiting_ > 0, "stop_with_queue");
      stopping_ = true;
      break;
    case Fault::gateway_crash:
      meet_if(streams, "crash_with_streams");
      meet_if(waiting_ > 0, "crash_with_queue");
      streams_ = 0;
      break;
    case Fault::reload:
      meet_if(streams, "reload_with_streams");
      meet_if(stopping_, "reload_during_drain");
      break;
    case Fault::bad_reload: meet("bad_reload"); break;
    case Fault::node_removed: meet_if(streams, "node_removed_with_work"); break;
    case Fault::clock_step: meet_if(streams, "clock_step_with_work"); break;
    case Fault::frozen_worker: meet_if(streams, "frozen_with_work"); break;
    case Fault::no_descriptors: meet_if(streams, "no_descriptor_with_work"); break;
    case Fault::probe_lies: meet_if(streams, "probe_lied"); break;
    default: break;
  }
}

void RareConditions::looked(const Look& look) {
  if (std::exchange(life_, look.life) != look.life) name_lookups_.assign(look.name_lookups.size(), 0);
  const auto grew = [&](observe::NameLookup lookup) {
    const auto index = static_cast<std::size_t>(lookup);
    return look.name_lookups[index] > name_lookups_[index];
  };
  meet_if(grew(observe::NameLookup::kept), "name_kept");
  meet_if(grew(observe::NameLookup::moved), "node_moved");
  name_lookups_.assign(look.name_lookups.begin(), look.name_lookups.end());
  stopping_ = look.stopping;
  waiting_ = look.snapshot.waiting;
  std::size_t loading = 0, offline = 0;
  std::set<std::pair<std::uint64_t, std::string>> resident;
  for (const auto& node : look.snapshot.nodes) {
    loading += node.loading.has_value();
    offline += node.health == balance::Health::offline;
    meet_if(node.load_saturated, "load_saturated");
    for (const auto& runner : node.runners) {
      meet_if(runner.automatic_slots && runner.slots > 1, "slots_found_out");
      for (const std::string& model : runner.models) {
        if (runner.resident) resident.insert({node.id.value, model});
        const bool left = !runner.resident && resident_.contains({node.id.value, model});
        meet_if(left && waits(look, model), "evicted_while_waited_for");
      }
    }
  }
  resident_ = std::move(resident);
  meet_if(loading >= 2, "two_loads_at_once");
  meet_if(offline > 0 && offline == look.snapshot.nodes.size(), "all_nodes_offline");
  meet_if(look.snapshot.retries > 0 && look.snapshot.retries >= look.snapshot.retry_limit, "retries_at_their_limit");
  meet_if(look.pauses, "backpressure");
  meet_if(tenants_compete(), "tenants_compete");
  meet_if(std::ranges::any_of(look.snapshot.models, [&](const auto& model) { return waits_by_choice(look, model); }),
          "waited_by_choice");
}

bool RareConditions::tenants_compete() {
  std::erase_if(crowd_, [](const Request* request) {
    return request->over() || request->lost || !request->lines.empty() || !request->attempts.empty();
  });
  return std::ranges::any_of(crowd_, [&](const Request* request) {
    return request->asked.model == crowd_.front()->asked.model && request->asked.tenant != crowd_.front()->asked.tenant;
  });
}

// It is known of policies that estimate; others never do.
bool RareConditions::waits_by_choice(const Look& look, const balance::ModelSnapshot& model) const {
  const balance::Route& route = court_.settings().route_of(model.model);
  const auto has_room = [&](const balance::NodeSnapshot& node) {
    if (node.health != balance::Health::stable || node.draining || node.loading) return false;
    if (route.rank_of(node_name(static_cast<std::size_t>(node.id.value))) == balance::Route::kNoPlace) return false;
    return std::ranges::any_of(node.runners, [&](const balance::RunnerSnapshot& runner) {
      return runner.resident && !runner.leaked && runner.in_flight < runner.slots &&
             std::ranges::find(runner.models, model.model) != runner.models.end();
    });
  };
  return model.waiting > 0 && route.policy->estimates() && std::ranges::any_of(look.snapshot.nodes, has_room);
}

bool RareConditions::waits(const Look& look, const std::string& model) {
  return std::ranges::any_of(look.snapshot.models,
                             [&](const auto& each) { return each.model == model && each.waiting > 0; });
}

}  // namespace drover::world
