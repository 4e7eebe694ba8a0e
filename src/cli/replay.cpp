// `drover replay`: the scheduler against simulated nodes in virtual time.

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <thread>

#include "cli/commands.h"
#include "cli/replay_view.h"
#include "cli/terminal.h"
#include "config/quantities.h"
#include "replay/compare.h"

namespace drover::cli {
namespace {

using namespace drover::replay;

Error invalid(std::string what) { return {ErrorCode::invalid, Side::gateway, std::move(what)}; }

std::string joined(const std::vector<std::string>& names) { return fmt::format("{}", fmt::join(names, ", ")); }

// Tokens of context for each slot: what the workload's prompts need.
std::uint32_t context_for(const ReplayArguments& arguments, const Scenario& scenario) {
  if (arguments.context) return *arguments.context;
  if (scenario.trace) return 32'768;
  switch (scenario.synthetic.kind) {
    case Synthetic::agents: return 32'768;
    case Synthetic::swap:
    case Synthetic::tenants: return 8'192;
  }
}

Result<Scenario> read_scenario(const ReplayArguments& arguments) {
  auto goal = load::Goal::parse(arguments.goal);
  if (!goal) return goal.error();
  Scenario scenario{.fleet = {}, .goal = std::move(*goal)};
  if (!arguments.trace.empty()) {
    auto trace = read_trace(
        {.path = arguments.trace, .limit = arguments.limit, .speed = arguments.speed, .rate = arguments.rate});
    if (!trace) return trace.error();
    scenario.trace = std::move(*trace);
  } else {
    const auto kind = synthetic_named(arguments.workload);
    if (!kind) {
      return invalid(
          fmt::format("there is no workload {:?}; use swap, agents or tenants, or name a --trace", arguments.workload));
    }
    scenario.synthetic = {.kind = *kind, .limit = arguments.limit};
    if (arguments.rate) scenario.synthetic.rate = *arguments.rate;
  }
  auto fleet = fleet_preset(arguments.fleet, models_of(scenario), context_for(arguments, scenario));
  if (!fleet) return invalid(fmt::format("there is no fleet {:?}; use two, eight or hundred", arguments.fleet));
  scenario.fleet = std::move(*fleet);
  for (sim::NodeSettings& node : scenario.fleet) {
    if (arguments.engine == "vllm") node.engine = engine::EngineKind::vllm;
  }
  scenario.truth = {.spread = arguments.spread, .host_cache = !arguments.no_host_cache};
  balance::SchedulerSettings& scheduler = scenario.scheduled.scheduler;
  scheduler.max_queue = arguments.max_queue;
  const auto timeout = config::parse_duration(arguments.queue_timeout);
  if (!timeout)
    return invalid(fmt::format("--queue-timeout is {:?}; expected a time as 300s", arguments.queue_timeout));
  scheduler.queue_timeout = *timeout;
  return scenario;
}

Result<Plan> read_plan(const ReplayArguments& arguments) {
  Plan plan{.policies = arguments.compare,
            .first_seed = arguments.seed,
            .seeds = arguments.seeds,
            .jobs = arguments.jobs.value_or(std::max(1U, std::thread::hardware_concurrency()))};
  if (plan.policies.empty()) plan.policies = {arguments.policy};
  for (const std::string& policy : plan.policies) {
    if (!is_policy(policy))
      return invalid(fmt::format("there is no policy {:?}; use one of {}", policy, joined(policy_names())));
  }
  return plan;
}

}  // namespace

int run_replay(const ReplayArguments& arguments) {
  const auto refuse = [](const Error& error) { return fmt::print(stderr, "drover: {}\n", error.detail), 2; };
  const Result<Plan> plan = read_plan(arguments);
  if (!plan) return refuse(plan.error());
  const Result<Scenario> scenario = read_scenario(arguments);
  if (!scenario) return refuse(scenario.error());

  const bool terminal = ::isatty(STDERR_FILENO) == 1;
  const std::size_t all = plan->policies.size() * plan->seeds;
  const Results results = compare(*scenario, *plan, [&](std::size_t ended) {
    if (terminal) fmt::print(stderr, "\r{} of {} replays{}", ended, all, ended == all ? "\r\033[K" : "");
  });
  if (arguments.json) {
    fmt::print("{}\n", to_pretty_text(replay_json(results)));
  } else {
    fmt::print("{}", replay_report(results, arguments.goal, style_of(STDOUT_FILENO)));
  }
  return std::fflush(stdout) == 0 ? 0 : 1;
}

}  // namespace drover::cli
