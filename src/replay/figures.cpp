#include "replay/figures.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace drover::replay {
namespace {

constexpr double kShortWait = 1;  // second: of a shorter wait nobody minds how far off it was told

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

// As the load tool counts it, so that one goal means the same to both.
load::Outcome outcome_of(const Request& request) {
  load::Outcome outcome;
  outcome.due = request.arrived.time_since_epoch();
  outcome.sent = outcome.due;
  if (request.first_token) outcome.first_token = request.first_token->time_since_epoch();
  outcome.ended = request.ended.time_since_epoch();
  outcome.tokens = Tokens{request.usage.answer};
  outcome.end = request.end == End::ok ? load::End::ok : load::End::refused;
  return outcome;
}

// JSON has no infinity and no NaN: null.
Json number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

template <Summary Figures::* Of, double Summary::* Part>
double part(const Figures& figures) {
  return figures.*Of.*Part;
}
template <std::optional<Summary> Figures::* Of, double Summary::* Part>
double maybe_part(const Figures& figures) {
  return figures.*Of ? (*(figures.*Of)).*Part : kNone;
}
template <double Fairness::* Part>
double fairness_part(const Figures& figures) {
  return figures.fairness && figures.fairness->windows > 0 ? (*figures.fairness).*Part : kNone;
}
// The p95 of the tenant that asks least.
template <Summary TenantFigures::* Of>
double modest_part(const Figures& figures) {
  return figures.fairness ? (figures.fairness->tenants[figures.fairness->modest].*Of).p95 : kNone;
}
template <std::optional<Fairness::Reference> Fairness::* Where, Summary Fairness::Reference::* Of>
double reference_part(const Figures& figures) {
  if (!figures.fairness) return kNone;
  const auto& reference = (*figures.fairness).*Where;
  return reference ? ((*reference).*Of).p95 : kNone;
}
template <double Figures::Reuse::* Share>
double reuse_part(const Figures& figures) {
  return figures.reuse ? (*figures.reuse).*Share : kNone;
}

}  // namespace

Figures add_up(std::span<const Request> requests, std::uint64_t lost, const std::vector<Workload::Program>& programs,
               const load::Goal& goal) {
  Figures sum;
  std::vector<double> first, each, end, waited, told, whole;
  std::uint64_t good = 0;
  std::uint64_t tokens = 0;
  Mono last{};
  for (const Request& request : requests) {
    if (request.end == End::left_out) {
      ++sum.left_out;
      continue;
    }
    last = std::max(last, request.ended);
    ++sum.requests;
    if (request.end != End::ok) {
      for (auto* times : {&first, &end, &waited}) times->push_back(kForever);
      continue;
    }
    ++sum.ok;
    tokens += request.usage.answer;
    const load::Outcome outcome = outcome_of(request);
    good += goal.met(outcome);
    end.push_back(seconds(request.ended - request.arrived));
    const Mono begun = request.first_token.value_or(request.ended);
    first.push_back(seconds(begun - request.arrived));
    waited.push_back(std::max(0.0, seconds(begun - request.arrived - request.usage.prompt_time)));
    if (request.told && request.started > request.arrived && request.started <= requests.back().arrived) {
      const double wait = seconds(request.started - request.arrived);
      told.push_back(std::abs(seconds(*request.told) - wait) / std::max(wait, kShortWait));
    }
    if (const auto time = outcome.time_per_token()) each.push_back(seconds(*time));
  }
  for (std::uint64_t i = 0; i < lost; ++i) {
    for (auto* times : {&first, &end, &waited}) times->push_back(kForever);
  }
  sum.requests += lost;
  sum.refused = sum.requests - sum.ok;
  sum.first_token = summarise(first);
  sum.per_token = summarise(each);
  sum.end_to_end = summarise(end);
  sum.waited = summarise(waited);
  if (!told.empty()) sum.told = summarise(told);
  for (const Workload::Program& program : programs) {
    whole.push_back(program.ended == kNever ? kForever : seconds(program.ended - program.began));
  }
  if (!programs.empty()) sum.program = summarise(whole);
  sum.good = sum.requests == 0 ? 0 : static_cast<double>(good) / static_cast<double>(sum.requests);
  if (!requests.empty()) sum.span = seconds(last - requests.front().arrived);
  sum.tokens_per_s = sum.span > 0 ? static_cast<double>(tokens) / sum.span : 0;
  return sum;
}

std::span<const Figure> figures() {
  using F = Figures;
  using S = Summary;
  static constexpr std::array all{
      Figure{"requests", [](const F& f) { return static_cast<double>(f.requests); }},
      Figure{"ok", [](const F& f) { return static_cast<double>(f.ok); }},
      Figure{"refused", [](const F& f) { return static_cast<double>(f.refused); }},
      Figure{"left_out", [](const F& f) { return static_cast<double>(f.left_out); }},
      Figure{"ttft_mean", part<&F::first_token, &S::mean>},
      Figure{"ttft_p50", part<&F::first_token, &S::p50>},
      Figure{"ttft_p95", part<&F::first_token, &S::p95>},
      Figure{"ttft_p99", part<&F::first_token, &S::p99>},
      Figure{"tpot_mean", part<&F::per_token, &S::mean>},
      Figure{"tpot_p50", part<&F::per_token, &S::p50>},
      Figure{"tpot_p95", part<&F::per_token, &S::p95>},
      Figure{"tpot_p99", part<&F::per_token, &S::p99>},
      Figure{"e2e_mean", part<&F::end_to_end, &S::mean>},
      Figure{"e2e_p50", part<&F::end_to_end, &S::p50>},
      Figure{"e2e_p95", part<&F::end_to_end, &S::p95>},
      Figure{"e2e_p99", part<&F::end_to_end, &S::p99>},
      Figure{"wait_mean", part<&F::waited, &S::mean>},
      Figure{"wait_p50", part<&F::waited, &S::p50>},
      Figure{"wait_p95", part<&F::waited, &S::p95>},
      Figure{"wait_p99", part<&F::waited, &S::p99>},
      Figure{"told_off_p50", maybe_part<&F::told, &S::p50>},
      Figure{"told_off_p90", maybe_part<&F::told, &S::p90>},
      Figure{"program_mean", maybe_part<&F::program, &S::mean>},
      Figure{"program_p50", maybe_part<&F::program, &S::p50>},
      Figure{"program_p95", maybe_part<&F::program, &S::p95>},
      Figure{"good", [](const F& f) { return f.good; }},
      Figure{"tokens_per_s", [](const F& f) { return f.tokens_per_s; }},
      Figure{"loads", [](const F& f) { return static_cast<double>(f.loads); }},
      Figure{"evictions", [](const F& f) { return static_cast<double>(f.evictions); }},
      Figure{"cached", reuse_part<&F::Reuse::cached>},
      Figure{"cached_pooled", reuse_part<&F::Reuse::pooled>},
      Figure{"cached_infinite", reuse_part<&F::Reuse::infinite>},
      Figure{"cached_beyond", reuse_part<&F::Reuse::cached_beyond>},
      Figure{"cached_pooled_beyond", reuse_part<&F::Reuse::pooled_beyond>},
      Figure{"modest_e2e_p95", modest_part<&TenantFigures::end_to_end>},
      Figure{"modest_e2e_p95_first", reference_part<&Fairness::prior, &Fairness::Reference::end_to_end>},
      Figure{"modest_e2e_p95_alone", reference_part<&Fairness::alone, &Fairness::Reference::end_to_end>},
      Figure{"modest_wait_p95", modest_part<&TenantFigures::waited>},
      Figure{"modest_wait_p95_first", reference_part<&Fairness::prior, &Fairness::Reference::waited>},
      Figure{"modest_wait_p95_alone", reference_part<&Fairness::alone, &Fairness::Reference::waited>},
      Figure{"fair_windows", [](const F& f) { return f.fairness ? static_cast<double>(f.fairness->windows) : kNone; }},
      Figure{"gap_mean", fairness_part<&Fairness::gap_mean>},
      Figure{"gap_max", fairness_part<&Fairness::gap_max>},
      Figure{"span_s", [](const F& f) { return f.span; }},
  };
  return all;
}

Json to_json(const Figures& of) {
  Json json = Json::object();
  for (const Figure& figure : figures()) json[figure.name] = number(figure.of(of));
  if (!of.fairness) return json;
  Json& tenants = json["tenants"] = Json::array();
  for (const TenantFigures& tenant : of.fairness->tenants) {
    tenants.push_back({{"tenant", tenant.name},
                       {"requests", tenant.requests},
                       {"ok", tenant.ok},
                       {"tokens", tenant.tokens},
                       {"e2e_p95", number(tenant.end_to_end.p95)},
                       {"wait_p95", number(tenant.waited.p95)}});
  }
  return json;
}

}  // namespace drover::replay
