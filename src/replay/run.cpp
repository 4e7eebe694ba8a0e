#include "replay/run.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "balance/policy.h"
#include "base/check.h"
#include "replay/ideal_cache.h"
#include "replay/informed.h"
#include "replay/models.h"
#include "replay/rivals/rival_router.h"

namespace drover::replay {
namespace {

// Behind a rival's name: in a queue like ours.
constexpr std::string_view kQueued = "+queue";

constexpr std::string_view kInformed = "informed";
constexpr std::string_view kInformedPooled = "informed_pooled";

bool is_informed(std::string_view policy) { return policy == kInformed || policy == kInformedPooled; }

// One seed decides several things, none of which may shift another.
enum class Draw : std::uint64_t { fleet = 1, text, workload, policy };
std::uint64_t seed_of(std::uint64_t seed, Draw draw) {
  return Random(seed).split(static_cast<std::uint64_t>(draw)).next();
}

// The same questions, of which no two begin alike.
class Unlike final : public Workload {
 public:
  explicit Unlike(std::unique_ptr<Workload> real) : real_(std::move(real)) {}
  const std::vector<std::string>& models() const override { return real_->models(); }
  const std::vector<std::string>& tenants() const override { return real_->tenants(); }
  Mono next() const override { return real_->next(); }
  Question take() override {
    Question question = real_->take();
    question.prompt = {engine::Piece(taken_++, static_cast<std::uint32_t>(engine::token_count(question.prompt)))};
    question.answer_name.reset();
    return question;
  }
  void ended(std::size_t number, bool ok, Mono at) override { real_->ended(number, ok, at); }
  std::uint64_t lost() const override { return real_->lost(); }
  std::vector<Program> programs() const override { return real_->programs(); }

 private:
  std::unique_ptr<Workload> real_;
  engine::TokenHash taken_ = 0;
};

std::unique_ptr<Workload> make_workload(const Scenario& scenario, std::uint64_t seed) {
  SyntheticSettings settings = scenario.synthetic;
  settings.seed = seed;
  auto workload = scenario.trace ? trace_workload(*scenario.trace) : synthetic_workload(settings);
  if (!scenario.reuse) workload = std::make_unique<Unlike>(std::move(workload));
  return workload;
}

// Notes what ideal caches would have known of what is asked.
class Observed final : public Workload {
 public:
  Observed(Workload& real, const Fleet& fleet) : real_(real) {
    for (const std::string& name : real.models()) {
      const sim::ModelSettings& model = *model_named(name);
      caches_.push_back({.infinite = {}, .pooled = {fleet, model}, .context = largest_context(fleet, model)});
    }
  }
  const std::vector<std::string>& models() const override { return real_.models(); }
  const std::vector<std::string>& tenants() const override { return real_.tenants(); }
  bool tells_reuse() const override { return real_.tells_reuse(); }
  Mono next() const override { return real_.next(); }
  Question take() override {
    Question question = real_.take();
    Caches& caches = caches_[question.model];
    if (engine::token_count(question.prompt) + question.answer > caches.context) {  // which is left out
      known_.push_back({});
      return question;
    }
    known_.push_back({caches.pooled.read(question), caches.infinite.read(question)});
    if (first_.empty()) first_ = question.prompt;
    common_ = std::min<std::uint64_t>(common_, engine::common_tokens(first_, question.prompt));
    return question;
  }
  void ended(std::size_t number, bool ok, Mono at) override { real_.ended(number, ok, at); }
  std::uint64_t lost() const override { return real_.lost(); }
  std::vector<Program> programs() const override { return real_.programs(); }

  // Over all requests that were answered.
  Figures::Reuse reuse(std::span<const Request> requests) const {
    std::uint64_t all = 0, cached = 0, pooled = 0, infinite = 0, cached_beyond = 0, pooled_beyond = 0;
    const auto beyond = [&](std::uint64_t tokens) { return tokens - std::min(tokens, common_); };
    for (std::size_t i = 0; i < requests.size(); ++i) {
      if (requests[i].end != End::ok) continue;
      all += requests[i].usage.prompt;
      cached += requests[i].usage.cached;
      pooled += known_[i].pooled;
      infinite += known_[i].infinite;
      cached_beyond += beyond(requests[i].usage.cached);
      pooled_beyond += beyond(known_[i].pooled);
    }
    const auto share = [&](std::uint64_t part) {
      return all == 0 ? 0 : static_cast<double>(part) / static_cast<double>(all);
    };
    return {.cached = share(cached),
            .pooled = share(pooled),
            .infinite = share(infinite),
            .cached_beyond = share(cached_beyond),
            .pooled_beyond = share(pooled_beyond)};
  }

 private:
  struct Caches {
    InfiniteCache infinite;
    PooledCache pooled;
    std::uint64_t context;  // of the node with the most
  };
  struct Known {
    std::uint64_t pooled = 0, infinite = 0;  // tokens
  };
  static std::uint64_t largest_context(const Fleet& fleet, const sim::ModelSettings& model) {
    std::uint64_t most = 0;
    for (const sim::NodeSettings& node : fleet)
      most = std::max<std::uint64_t>(most, sim::Node(node).context_of(model, {}));
    return most;
  }
  Workload& real_;
  std::vector<Caches> caches_;                                        // by model
  std::vector<Known> known_;                                          // by question
  engine::Sequence first_{};                                          // the first prompt
  std::uint64_t common_ = std::numeric_limits<std::uint64_t>::max();  // tokens with which all prompts begin
};

// The questions of one tenant alone. Of workloads that do not wait for answers.
class OneTenant final : public Workload {
 public:
  OneTenant(Workload& all, std::size_t tenant) : all_(all), tenant_(tenant) { find(); }
  const std::vector<std::string>& models() const override { return all_.models(); }
  const std::vector<std::string>& tenants() const override { return all_.tenants(); }
  Mono next() const override { return at_; }
  Question take() override {
    Question question = std::move(question_);
    find();
    return question;
  }

 private:
  void find() {
    while ((at_ = all_.next()) != kNever) {
      question_ = all_.take();
      if (question_.tenant == tenant_) return;
    }
  }
  Workload& all_;
  std::size_t tenant_;
  Mono at_{};
  Question question_{};
};

std::unique_ptr<Router> make_router(Stage& stage, const Scenario& scenario, const Fleet& fleet,
                                    const Workload& workload, std::string_view policy, std::uint64_t seed) {
  ScheduledSettings settings = scenario.scheduled;
  if (is_informed(policy)) {
    const InformedSettings informed{.scheduler = settings.scheduler, .pooled = policy == kInformedPooled};
    return std::make_unique<Informed>(stage, fleet, workload, informed);
  }
  const Rival::Buffer queue{.most = settings.scheduler.max_queue, .longest = settings.scheduler.queue_timeout};
  const Binding binding = policy.ends_with(kQueued) ? Binding::late : Binding::early;
  if (binding == Binding::late) policy.remove_suffix(kQueued.size());
  if (auto rival = make_rival(policy)) {
    return std::make_unique<RivalRouter>(stage, std::move(rival), binding, queue, seed);
  }
  const auto kind = balance::policy_kind(policy);
  CHECK(kind.has_value());
  settings.scheduler.policy = *kind;
  return std::make_unique<Scheduled>(stage, workload.models(), workload.tenants(), settings, seed);
}

// What policy and seed make of a scenario.
struct Run {
  Run(const Scenario& of, std::string_view by, std::uint64_t number)
      : scenario(of), policy(by), seed(number), fleet(of.fleet) {
    make_true(fleet, scenario.truth, seed_of(seed, Draw::fleet));
    bytes_per_token =
        draw_bytes_per_token(workload()->models().size(), scenario.truth.spread, seed_of(seed, Draw::text));
  }

  std::unique_ptr<Workload> workload() const { return make_workload(scenario, seed_of(seed, Draw::workload)); }
  std::unique_ptr<Router> router(Stage& stage, const Workload& asked) const {
    return make_router(stage, scenario, fleet, asked, policy, seed_of(seed, Draw::policy));
  }
  // What the modest tenant would get if it came first, and if it were alone.
  void add_references(Fairness& fairness) const {
    const auto get = [&](Workload& asked, auto make) -> Fairness::Reference {
      Stage stage(fleet, bytes_per_token, asked);
      if (scenario.warm) stage.warm_up();
      stage.run(*make(stage));
      TenantFigures modest = fairness_of(stage.requests(), asked.tenants()).tenants[fairness.modest];
      return {.end_to_end = modest.end_to_end, .waited = modest.waited};
    };
    const auto all = workload();
    fairness.prior = get(*all, [&](Stage& stage) {
      const InformedSettings first{.scheduler = scenario.scheduled.scheduler, .first = fairness.modest};
      return std::make_unique<Informed>(stage, fleet, *all, first);
    });
    const auto again = workload();
    OneTenant modest(*again, fairness.modest);
    fairness.alone = get(modest, [&](Stage& stage) { return router(stage, modest); });
  }

  const Scenario& scenario;
  std::string_view policy;
  std::uint64_t seed;
  Fleet fleet;
  std::vector<double> bytes_per_token{};
};

}  // namespace

std::vector<std::string> models_of(const Scenario& scenario) { return make_workload(scenario, 0)->models(); }

Result<void> validate(const Scenario& scenario) {
  for (const std::string& name : models_of(scenario)) {
    const std::string& weights = model_named(name)->spec.weights;
    const auto holds = [&](const sim::NodeSettings& node) {
      return std::ranges::any_of(node.models, [&](const auto& held) { return held.spec.weights == weights; });
    };
    if (std::ranges::any_of(scenario.fleet, holds)) continue;
    return Error{ErrorCode::invalid, Side::gateway,
                 fmt::format("the workload asks for {}, and no node of the fleet holds it", name)};
  }
  return {};
}

std::vector<std::string> policy_names() {
  std::vector<std::string> names;
  for (const std::string_view name : balance::kPolicyNames) {
    if (name != balance::name(balance::PolicyKind::manual)) names.emplace_back(name);
  }
  for (const std::string_view name : rival_names()) {
    names.emplace_back(name);
    names.push_back(fmt::format("{}{}", name, kQueued));
  }
  names.insert(names.end(), {std::string(kInformed), std::string(kInformedPooled)});
  return names;
}

bool is_policy(std::string_view name) {
  const std::vector<std::string> names = policy_names();
  return std::ranges::find(names, name) != names.end();
}

Figures replay(const Scenario& scenario, std::string_view policy, std::uint64_t seed) {
  const Run run(scenario, policy, seed);
  const auto real = run.workload();
  std::optional<Observed> observed;
  if (real->tells_reuse()) observed.emplace(*real, run.fleet);
  Workload& workload = observed ? static_cast<Workload&>(*observed) : *real;

  Stage stage(run.fleet, run.bytes_per_token, workload);
  if (scenario.warm) stage.warm_up();
  stage.run(*run.router(stage, workload));

  Figures figures = add_up(stage.requests(), workload.lost(), workload.programs(), scenario.goal);
  if (observed) figures.reuse = observed->reuse(stage.requests());
  for (std::size_t i = 0; i < stage.nodes(); ++i) {
    figures.loads += stage.loads(i);
    figures.evictions += stage.node(i).evictions();
  }
  if (workload.tenants().size() < 2) return figures;
  figures.fairness = fairness_of(stage.requests(), workload.tenants());
  if (balance::policy_kind(policy)) run.add_references(*figures.fairness);
  return figures;
}

}  // namespace drover::replay
