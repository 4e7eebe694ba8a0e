// Tenants of one class whose requests wait for the same model share by tokens, by their weights: whenever one of them
// gets a slot, it has got no more since both began to wait than the other one, but for what nobody could know. That is
// what was in flight then, for which a newcomer owes nothing, and what is in flight now, whose tokens are guessed; and
// a request of each, and of a third one by whose account a newcomer begins.
//
// The gateway orders them by accounts (balance/line.h) which are settled when a request ends. Between two settled
// accounts the difference is a request at most, since the smaller goes first; so the bound is about twice the requests
// that run at a time, however long both wait.

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "world/oracles.h"

namespace drover::world {
namespace {

constexpr double kAnswerToken = 2;    // weighs so much more than one of a prompt
constexpr double kUsualAnswer = 120;  // tokens that an answer may be expected to have, by others of its model
constexpr double kBytesPerToken = 4;  // of a prompt whose node did not tell how many there were
constexpr double kTemplate = 20;      // tokens that a node may put around it

class FairShares final : public Witness {
 public:
  explicit FairShares(Court& court) : court_(court) {}

  void logged(const Request& request) override {
    if (request.asked.kind == Asked::Kind::prompt && request.arrived) note(request, court_.now());
  }
  void struck(Fault fault) override {
    if (fault == Fault::frozen_worker) frozen_.push_back({court_.now(), court_.frozen_until});
  }

  void at_rest() override {
    for (const Request& request : court_.ledger.requests()) {
      if (request.lost && request.lines.empty() && !request.attempts.empty()) note(request, kNever);
    }
    for (auto& [where, line] : lines_) {
      for (auto& [name, tenant] : line) note_waits(tenant);
      for (const auto& [name, tenant] : line) {
        for (const auto& [other, its] : line) {
          if (name != other) judge(line, name, other, where.second);
        }
      }
    }
  }

 private:
  struct Turn {
    const Request* request;
    Mono came;
    Mono granted;  // kNever: it got no slot
    Mono ended;
    double tokens;  // as all that it asked for; of one that broke off it is not known
    double size;    // the same, and no less than it may be expected to take
    bool whole;     // and its times are known
    bool runs_at(Mono time) const { return granted <= time && time < ended; }
  };
  struct Span {
    Mono from, to;
  };
  struct Tenant {
    double weight = 1;
    balance::Priority its_class = balance::Priority::normal;
    Mono plain_until = kNever;  // something of its own goes out of turn then: it cannot use any slot
    std::vector<Turn> turns{};
    std::vector<Span> waits{};  // in which something of it waited all the while
  };
  using Line = std::map<std::string, Tenant>;  // by name

  Duration slack() const { return court_.slack() + std::chrono::milliseconds(2); }

  void note(const Request& request, Mono ended) {
    const Asked& asked = request.asked;
    const bool ran = !request.attempts.empty();
    const std::string& model = ran && request.attempts.back().sent ? request.attempts.back().model : asked.model;
    Tenant& tenant = lines_[{request.life, model}][asked.tenant];
    const auto& known = court_.plan.settings.tenants;
    const auto its = std::ranges::find(known, asked.tenant, &balance::TenantSettings::name);
    if (its != known.end()) {
      tenant.weight = its->weight;
      tenant.its_class = its->priority;
    }
    const bool told = request.relayed && request.attempts.size() == 1;
    double prompt = static_cast<double>(asked.prompt_bytes) / kBytesPerToken;
    if (!request.lines.empty()) prompt = request.lines.front().value("gen_ai.usage.input_tokens", prompt);
    Turn turn{.request = &request,
              .came = *request.arrived,
              .granted = !ran   ? kNever
                         : told ? *request.arrived + request.queued
                                : request.attempts.front().began,
              .ended = ended,
              .tokens = prompt + kAnswerToken * asked.answer_tokens,
              .size = prompt + kTemplate + kAnswerToken * std::max<double>(asked.answer_tokens, kUsualAnswer),
              .whole = request.outcome() == "ok"};
    if (const Span* frozen = frozen_at(turn.came)) turn.came = frozen->to;
    turn.whole &= turn.granted == kNever || frozen_at(turn.granted) == nullptr;
    const bool plain = asked.called == model && asked.num_ctx == 0 && !asked.has_priority;
    const std::size_t attempts = request.lines.empty() ? 1 : request.lines.front().value("drover.attempts", 0U);
    if (!plain || attempts > std::max<std::size_t>(1, request.attempts.size())) {
      tenant.plain_until = std::min(tenant.plain_until, turn.came);
    } else if (request.attempts.size() > 1) {
      tenant.plain_until = std::min(tenant.plain_until, request.attempts[1].began);
    }
    tenant.turns.push_back(turn);
  }

  void judge(const Line& line, const std::string& name, const std::string& other_name, const std::string& model) {
    const Tenant& tenant = line.at(name);
    const Tenant& other = line.at(other_name);
    if (tenant.its_class != other.its_class) return;
    for (const Turn& turn : tenant.turns) {
      const Span* const its = turn.granted == kNever ? nullptr : wait_at(tenant, turn.granted - slack());
      const Span* const others = its == nullptr ? nullptr : wait_at(other, turn.granted);
      if (others == nullptr) continue;
      const Span both{std::max(its->from, others->from), turn.granted};
      if (both.to > std::min(tenant.plain_until, other.plain_until) || may_choose(model, both)) continue;
      const double more = served(tenant, both.from + slack(), both.to) / tenant.weight -
                          served(other, both.from, both.to + slack()) / other.weight;
      if (more <= 0) continue;
      const double bound =
          in_flight(line, both.from) + unknown(tenant, both) + unknown(other, both) + largest_of_all(line, both);
      if (more <= bound) continue;
      court_.complain(
          "fair_shares",
          fmt::format("{:.0f} tokens by weight more than '{}' since both wait for {}, from {:.3f} on; {:.0f} "
                      "may be: {} of '{}'",
                      more, other_name, model, seconds(both.from.time_since_epoch()), bound, text_of(*turn.request),
                      name));
    }
  }

  // What it was given in that time.
  static double served(const Tenant& tenant, Mono from, Mono until) {
    double tokens = 0;
    for (const Turn& turn : tenant.turns) {
      if (turn.granted >= from && turn.granted < until) tokens += turn.tokens;
    }
    return tokens;
  }
  static double in_flight(const Line& line, Mono at) {
    double tokens = 0;
    for (const auto& [name, tenant] : line) {
      for (const Turn& turn : tenant.turns) tokens += turn.runs_at(at) ? turn.size / tenant.weight : 0;
    }
    return tokens;
  }
  // Who comes back is raised to the smallest account of all, of a third one perhaps, from which each of the two may
  // differ by a request of that one.
  static double largest_of_all(const Line& line, const Span& both) {
    double largest = 0;
    for (const auto& [name, tenant] : line) {
      for (const Turn& turn : tenant.turns) {
        if (turn.granted <= both.to && turn.ended >= both.from) largest = std::max(largest, turn.size / tenant.weight);
      }
    }
    return largest;
  }
  // What runs at the end, what broke off meanwhile, and the largest of its requests.
  static double unknown(const Tenant& tenant, const Span& both) {
    double tokens = 0, largest = 0;
    for (const Turn& turn : tenant.turns) {
      if (turn.granted > both.to || turn.ended < both.from) continue;
      largest = std::max(largest, turn.size);
      if (turn.runs_at(both.to) || !turn.whole) tokens += turn.size;
    }
    return (tokens + largest) / tenant.weight;
  }

  // A policy that may wait for a better slot lets go what others get.
  bool may_choose(const std::string& model, const Span& time) const {
    return std::ranges::any_of(court_.settings_since(time.from), [&](const Configured& settings) {
      const bool estimates = settings.route_of(model).policy->estimates();
      return settings.since <= time.to && estimates && settings.scheduler.spill_delay > Duration{0};
    });
  }
  // In which a thread got no processor, and did nothing.
  const Span* frozen_at(Mono time) const {
    const auto found =
        std::ranges::find_if(frozen_, [&](const Span& each) { return each.from <= time && time <= each.to + slack(); });
    return found == frozen_.end() ? nullptr : &*found;
  }

  void note_waits(Tenant& tenant) const {
    std::vector<Span> spans;
    for (const Turn& turn : tenant.turns) {
      const Span span{turn.came + slack(), std::min(turn.granted, turn.ended) - slack()};
      if (span.from < span.to) spans.push_back(span);
    }
    std::ranges::sort(spans, {}, &Span::from);
    for (const Span& span : spans) {
      if (!tenant.waits.empty() && span.from <= tenant.waits.back().to) {
        tenant.waits.back().to = std::max(tenant.waits.back().to, span.to);
      } else {
        tenant.waits.push_back(span);
      }
    }
  }
  static const Span* wait_at(const Tenant& tenant, Mono time) {
    const auto later = std::ranges::upper_bound(tenant.waits, time, {}, &Span::from);
    return later == tenant.waits.begin() || std::prev(later)->to < time ? nullptr : &*std::prev(later);
  }

  Court& court_;
  std::map<std::pair<unsigned, std::string>, Line> lines_;  // by life of the gateway, and model
  std::vector<Span> frozen_;
};

}  // namespace

std::unique_ptr<Witness> make_fair_shares(Court& court) { return std::make_unique<FairShares>(court); }

}  // namespace drover::world
