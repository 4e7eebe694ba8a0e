#include "gateway/decisions.h"

#include <fmt/chrono.h>

#include <algorithm>
#include <ranges>

namespace drover::gateway {
namespace {

using balance::DecisionRecord;
using balance::Estimate;
using State = DecisionRecord::State;

std::string_view name(balance::Readiness readiness) {
  switch (readiness) {
    case balance::Readiness::absent: return "absent";
    case balance::Readiness::ready: return "ready";
    case balance::Readiness::busy: return "busy";
    case balance::Readiness::cold: return "cold";
    case balance::Readiness::occupied: return "occupied";
    case balance::Readiness::blocked: return "blocked";
  }
  return "";
}

std::string outcome_text(const balance::Outcome& outcome) {
  switch (outcome.kind) {
    case balance::Outcome::Kind::ok: return "ok";
    case balance::Outcome::Kind::client_cancelled: return "cancelled";
    case balance::Outcome::Kind::node_failed: return std::string(drover::name(outcome.code));
    case balance::Outcome::Kind::truncated: return "truncated";
  }
  return "";
}

// In UTC, to the millisecond.
std::string time_text(Wall time) {
  const auto whole = std::chrono::floor<std::chrono::seconds>(time);
  const auto rest = std::chrono::duration_cast<std::chrono::milliseconds>(time - whole).count();
  return fmt::format("{:%FT%T}.{:03}Z", whole, rest);
}

std::string node_name(const Published& published, NodeId id) {
  const NodeAddress* const node = published.node(id);
  return node == nullptr ? "(a node that was removed)" : node->name;
}

// As listings name it.
std::string model_name(const Published& published, std::string_view key) {
  const fleet::Model* const model = published.fleet->find(key);
  return std::string(model == nullptr ? key : model->name);
}

Json estimate_json(const Estimate& estimate, double weight, double goal) {
  return {{"wait_s", estimate.wait},
          {"load_s", estimate.load},
          {"prompt_s", estimate.prompt},
          {"answer_s", estimate.answer},
          {"saved_s", estimate.saved},
          {"harm_s", estimate.harm},
          {"late_s", balance::lateness(estimate.first_token(), goal)},
          {"total_s", estimate.finish()},
          {"cost_s", balance::cost(estimate, weight, goal)}};
}

Json candidates_json(const DecisionRecord& record, const Published& published) {
  Json list = Json::array();
  for (const balance::Option& option : record.seen()) {
    if (option.readiness == balance::Readiness::absent) continue;
    Json json{{"node", node_name(published, option.node)},
              {"chosen", &option == record.chosen()},
              {"readiness", name(option.readiness)},
              {"in_flight", option.in_flight},
              {"slots", option.slots},
              {"weight", option.weight}};
    if (record.estimates) json["estimate"] = estimate_json(option.estimate(record.work), option.weight, record.goal);
    list.push_back(std::move(json));
  }
  return list;
}

// By how much it took longer than expected.
void compare(Json& errors, const char* part, double took, double expected) {
  if (expected > 0) errors[part] = 100 * (took - expected) / expected;
}

void add_what_it_took(Json& json, const DecisionRecord& record) {
  const double total = seconds(record.ended - record.started);
  Json took{{"total_s", total}}, errors = Json::object();
  if (record.queued && record.queued->wait) {
    compare(errors, "wait", seconds(record.started - record.submitted), seconds(*record.queued->wait));
  }
  if (record.durations) {
    took["load_s"] = seconds(record.durations->load);
    took["prompt_s"] = seconds(record.durations->prompt_eval);
    took["answer_s"] = seconds(record.durations->eval);
  }
  const balance::Option* const chosen = record.chosen();
  if (record.estimates && chosen != nullptr && record.outcome.kind == balance::Outcome::Kind::ok) {
    const Estimate estimate = chosen->estimate(record.work);
    if (record.durations) {
      compare(errors, "prompt", seconds(record.durations->prompt_eval), estimate.prompt);
      compare(errors, "answer", seconds(record.durations->eval), estimate.answer);
    }
    compare(errors, "total", total, estimate.finish());
  }
  json["outcome"] = outcome_text(record.outcome);
  json["took"] = std::move(took);
  if (!errors.empty()) json["error_percent"] = std::move(errors);
}

// How long it waited for a slot, or has up to now.
Duration waited(const DecisionRecord& record, Mono now) {
  switch (record.state) {
    case State::waiting: return now - record.submitted;
    case State::running:
    case State::ended: return record.started - record.submitted;
    case State::left:
    case State::refused: return record.ended - record.submitted;
  }
  return {};
}

Json decision_json(const DecisionRecord& record, const Published& published, Mono now, Wall wall) {
  Json json{{"at", time_text(wall - (now - record.looked_at))},
            {"age_s", seconds(now - record.looked_at)},
            {"state", balance::name(record.state)},
            {"model", model_name(published, record.model.view())},
            {"route", published.routes->of(record.model.view()).settings.model},
            {"policy", balance::name(record.policy)},
            {"waited_s", seconds(waited(record, now))}};
  if (record.queued) {
    Json told{{"position", record.queued->position}};
    if (record.queued->wait) told["wait_s"] = seconds(*record.queued->wait);
    json["told"] = std::move(told);
  }
  if (record.state == State::refused) json["refused"] = balance::name(record.why);
  if (record.state == State::running || record.state == State::ended) {
    json["node"] = node_name(published, record.node);
    json["reason"] = record.reason;
  }
  json["candidates"] = candidates_json(record, published);
  json["candidates_in_all"] = record.usable;
  if (record.state == State::running) json["running_s"] = seconds(now - record.started);
  if (record.state == State::ended) add_what_it_took(json, record);
  return json;
}

}  // namespace

Json decisions_json(const balance::DecisionSearch& about, const Published& published, Mono now, Wall wall) {
  Json decisions = Json::array();
  for (const DecisionRecord& record : std::views::reverse(about.found)) {
    decisions.push_back(decision_json(record, published, now, wall));
  }
  return Json{{"request", about.name}, {"remembered", about.remembered}, {"decisions", std::move(decisions)}};
}

}  // namespace drover::gateway
