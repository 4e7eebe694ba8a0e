// `drover replay`: the scheduler against simulated nodes in virtual time.

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <optional>
#include <thread>

#include "cli/commands.h"
#include "cli/replay_view.h"
#include "cli/terminal.h"
#include "config/quantities.h"
#include "replay/compare.h"
#include "replay/fleet_file.h"

namespace drover::cli {
namespace {

using namespace drover::replay;

Error invalid(std::string what) { return {ErrorCode::invalid, Side::gateway, std::move(what)}; }

std::string joined(const std::vector<std::string>& names) { return fmt::format("{}", fmt::join(names, ", ")); }

Needs needs_of(const ReplayArguments& arguments, const Scenario& scenario) {
  const bool long_prompts = scenario.trace || scenario.synthetic.kind == Synthetic::agents;
  return {.models = models_of(scenario), .context = arguments.context.value_or(long_prompts ? 32'768 : 8'192)};
}

// A preset by its name, or a file.
Result<Fleet> read_fleet(const std::string& name, const Needs& needs) {
  if (auto preset = fleet_preset(name, needs)) return std::move(*preset);
  std::ifstream file(name, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file) return invalid(fmt::format("there is no fleet {:?}; use two, eight, hundred, or a YAML file", name));
  auto fleet = parse_fleet(text, name, needs);
  if (fleet) return std::move(*fleet);
  std::vector<std::string> faults;
  for (const config::ConfigError& fault : fleet.error()) faults.push_back(config::to_text(fault));
  return invalid(fmt::format("{}", fmt::join(faults, "\ndrover: ")));
}

void set_engine(Fleet& fleet, const ReplayArguments& arguments) {
  const bool in_blocks = arguments.engine == "vllm";
  for (sim::NodeSettings& node : fleet) {
    node.engine = in_blocks ? engine::EngineKind::vllm : engine::EngineKind::llama_cpp;
  }
}

Result<Scenario> read_scenario(const ReplayArguments& arguments) {
  auto goal = load::Goal::parse(arguments.goal);
  if (!goal) return goal.error();
  Scenario scenario{.fleet = {}, .goal = std::move(*goal)};
  if (!arguments.trace.empty()) {
    auto trace = read_trace({.path = arguments.trace,
                             .limit = arguments.limit,
                             .speed = arguments.speed,
                             .rate = arguments.rate,
                             .like = arguments.like});
    if (!trace) return trace.error();
    scenario.trace = std::move(*trace);
  } else {
    const auto kind = synthetic_named(arguments.workload);
    if (!kind) {
      return invalid(
          fmt::format("there is no workload {:?}; use swap, agents or tenants, or name a --trace", arguments.workload));
    }
    const double usual = *kind == Synthetic::agents ? 0.05 : 1;  // neither idle nor far too much for two nodes
    scenario.synthetic = {.kind = *kind, .rate = arguments.rate.value_or(usual), .limit = arguments.limit};
  }
  auto fleet = read_fleet(arguments.fleet, needs_of(arguments, scenario));
  if (!fleet) return fleet.error();
  scenario.fleet = std::move(*fleet);
  set_engine(scenario.fleet, arguments);
  scenario.truth = {.spread = arguments.spread, .host_cache = !arguments.no_host_cache};
  scenario.reuse = !arguments.no_reuse;
  scenario.scheduled.gpus_known = !arguments.unknown_gpus;
  scenario.warm = arguments.warm;
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
  if (const auto valid = validate(*scenario); !valid) return refuse(valid.error());
  std::optional<Scenario> changed;
  if (!arguments.what_if.empty()) {
    changed = *scenario;
    const auto made = change_fleet(changed->fleet, arguments.what_if, needs_of(arguments, *scenario));
    if (!made) return refuse(made.error());
    set_engine(changed->fleet, arguments);
    if (const auto valid = validate(*changed); !valid) return refuse(valid.error());
  }

  const bool terminal = ::isatty(STDERR_FILENO) == 1;
  const std::size_t all = plan->policies.size() * plan->seeds * (changed ? 2 : 1);
  std::size_t ended = 0;
  const auto show = [&](std::size_t) {
    ++ended;
    if (terminal) fmt::print(stderr, "\r{} of {} replays{}", ended, all, ended == all ? "\r\033[K" : "");
  };
  Results results = compare(*scenario, *plan, show);
  if (changed) {
    std::size_t base = 0;
    for (Results::Policy& policy : compare(*changed, *plan, show).policies) {
      policy.name += ", " + arguments.what_if;
      policy.base = base++;
      results.policies.push_back(std::move(policy));
    }
  }
  ReplayReport report{.results = results, .goal = arguments.goal, .what_if = arguments.what_if};
  if (scenario->trace) report.left_out = scenario->trace->left_out;
  if (arguments.json) {
    fmt::print("{}\n", to_pretty_text(to_json(report)));
  } else {
    fmt::print("{}", to_text(report, style_of(STDOUT_FILENO)));
  }
  return std::fflush(stdout) == 0 ? 0 : 1;
}

}  // namespace drover::cli
