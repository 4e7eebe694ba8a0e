// `drover world`: the whole gateway in simulated worlds, from seeds.

#include <fmt/format.h>

#include <cstdio>

#include "base/json.h"
#include "cli/commands.h"
#include "world/campaign.h"
#include "world/rare_conditions.h"

namespace drover::cli {
namespace {

using namespace drover::world;

// What a failure needs to be understood: knobs, the last events, the complaint, and how to see it again.
void print_failure(const Failure& failure) {
  const Complaint& complaint = *failure.verdict.complaint;
  fmt::print("seed {} failed: {}\n", failure.seed, complaint.oracle);
  fmt::print("  knobs: {}\n", describe(draw_plan(failure.seed, failure.overrides)));
  for (const std::string& line : failure.verdict.last_events) fmt::print("  {}\n", line);
  fmt::print("  {} at {:.6f} s, event {}: {}\n", complaint.oracle, seconds(complaint.at.time_since_epoch()),
             complaint.event, complaint.text);
  fmt::print("  replay: {}{}\n", replay_command(failure.seed, failure.overrides),
             complaint.event > 0 ? fmt::format(" --until {}", complaint.event) : " --trace");
  std::fflush(stdout);
}

void print_report(const Report& report) {
  fmt::print("{} worlds, {} failed\n", report.worlds, report.failed);
  fmt::print("{:.0f} simulated seconds, {} events, {} requests, {} pieces of answers, {:.1f} live streams on average\n",
             report.simulated_seconds, report.events, report.requests, report.chunks, report.live_streams);
  fmt::print("{:.1f} CPU seconds: {:.0f} events and {:.0f} simulated seconds in each; {:.2f} a world\n",
             report.cpu_seconds, static_cast<double>(report.events) / report.cpu_seconds,
             report.simulated_seconds / report.cpu_seconds, report.cpu_seconds / static_cast<double>(report.worlds));
  fmt::print("outcomes:");
  for (const auto& [outcome, count] : report.outcomes)
    fmt::print(" {} {}", outcome.empty() ? "unread" : outcome, count);
  fmt::print("\ntrace hash {:016x}\n", report.trace_hash);
  fmt::print("rare conditions, {} of {}:\n", report.met.size(), rare_conditions().size());
  for (const RareCondition& condition : rare_conditions()) {
    const std::string name(condition.name);
    const auto met = report.met.find(name);
    if (met == report.met.end()) {
      fmt::print("  {:<28} never\n", name);
    } else {
      fmt::print("  {:<28} {} times, first by seed {}\n", name, met->second, report.first_seed.at(name));
    }
  }
}

Json to_json(const Report& report) {
  return Json{{"worlds", report.worlds},
              {"failed", report.failed},
              {"events", report.events},
              {"requests", report.requests},
              {"chunks", report.chunks},
              {"live_streams", report.live_streams},
              {"simulated_seconds", report.simulated_seconds},
              {"cpu_seconds", report.cpu_seconds},
              {"trace_hash", fmt::format("{:016x}", report.trace_hash)},
              {"outcomes", report.outcomes},
              {"rare_conditions", report.met},
              {"rare_conditions_known", rare_conditions().size()}};
}

Json to_json(const Failure& failure) {
  const Complaint& complaint = *failure.verdict.complaint;
  return Json{{"seed", failure.seed},
              {"oracle", complaint.oracle},
              {"text", complaint.text},
              {"event", complaint.event},
              {"replay", replay_command(failure.seed, failure.overrides)}};
}

// One world in this process, to be looked at.
int look_at(const WorldArguments& arguments, const Overrides& overrides) {
  RunOptions options{.until = arguments.until, .show = {}};
  if (arguments.trace) options.show = [](std::string_view line) { fmt::print("{}\n", line); };
  const Verdict verdict = run_world(draw_plan(arguments.seed, overrides), options);
  if (verdict.complaint) {
    print_failure({arguments.seed, overrides, verdict});
    return 1;
  }
  if (!arguments.trace) {
    for (const std::string& line : verdict.last_events) fmt::print("{}\n", line);
  }
  return 0;
}

}  // namespace

int run_world_command(const WorldArguments& arguments) {
  const Overrides overrides{.minutes = arguments.minutes,
                            .swarm = arguments.swarm,
                            .nodes = arguments.nodes,
                            .rate = arguments.rate,
                            .without = arguments.without};
  if (const auto valid = check(overrides); !valid) return fmt::print(stderr, "drover: {}\n", valid.error().detail), 2;
  if (arguments.until > 0 || arguments.trace) return look_at(arguments, overrides);
  const CampaignOptions campaign{.first_seed = arguments.seed,
                                 .last_seed = std::max(arguments.seed, arguments.last_seed),
                                 .overrides = overrides,
                                 .jobs = arguments.jobs};
  const Report report = run_campaign(campaign, [&](const Failure& failure) {
    if (arguments.json) {
      fmt::print("{}\n", to_text(to_json(failure)));
    } else {
      print_failure(failure);
    }
    if (arguments.shrink) {
      print_failure(shrink(failure, [](const Failure& smaller) {
        fmt::print(stderr, "still fails: {}\n", replay_command(smaller.seed, smaller.overrides));
      }));
    }
    return !arguments.stop;
  });
  if (arguments.json) {
    fmt::print("{}\n", to_text(to_json(report)));
  } else {
    print_report(report);
  }
  return report.failed > 0 ? 1 : 0;
}

}  // namespace drover::cli
