// The command line: names what there is, and hands over to one function per subcommand.

#include <CLI/CLI.hpp>
#include <cstdio>

#include "cli/commands.h"
#include "cli/status_command.h"
#include "cli/version.h"

namespace drover::cli {
namespace {

CLI::App* add_load(CLI::App& app, LoadArguments& load) {
  auto* command = app.add_subcommand("load", "puts load on any Ollama or OpenAI server, and says how it bore it");
  command->add_option("url", load.url, "of the server, as http://127.0.0.1:11435")->required();
  command->add_option("--model", load.model, "default: the first one that the server lists");
  command->add_option("--api", load.api, "ollama, ollama-generate, openai or openai-completions")
      ->capture_default_str();
  command->add_flag("--no-stream", load.no_stream, "answers as a whole");
  command->add_option("--header", load.headers, "\"Name: value\" for each request; may be repeated")
      ->allow_extra_args(false);

  command->add_option("--ca", load.tls.ca_file,
                      "PEM file of whom to trust with https:// (default: whom the system trusts)");
  command->add_flag("--insecure", load.tls.insecure, "with https://, trust anybody");

  auto* rate =
      command->add_option("--rate", load.rate, "requests a second, whatever becomes of those before (open loop)");
  command->add_flag("--poisson", load.poisson, "at random moments instead of evenly")->needs(rate);
  auto* concurrency =
      command->add_option("--concurrency", load.concurrency, "requests at a time, the next when one ends (closed loop)")
          ->check(CLI::Range(1, 100'000));
  auto* trace = command->add_option("--trace", load.trace, "requests when and as large as this file has them");
  command->add_option("--speed", load.speed, "so many times as fast as the trace was")
      ->capture_default_str()
      ->needs(trace);
  command->add_option("--first", load.first, "only so much of the trace, as 10m")->needs(trace);
  rate->excludes(concurrency)->excludes(trace);
  concurrency->excludes(trace);
  command->add_option("--time", load.time, "nothing is sent later (default: 30s where nothing else ends it)");
  command->add_option("--requests", load.requests, "nothing is sent after so many")->check(CLI::PositiveNumber);
  command->add_option("--prompt-tokens", load.prompt_tokens, "of each prompt: 100, or 100-400")->capture_default_str();
  command->add_option("--answer-tokens", load.answer_tokens, "of each answer at most")->capture_default_str();
  command->add_option("--seed", load.seed, "decides sizes, texts and moments")->capture_default_str();

  command->add_option("--max-outstanding", load.max_outstanding, "requests at once; one more is dropped and counted")
      ->capture_default_str()
      ->check(CLI::Range(1, 1'000'000));
  command->add_option("--timeout", load.timeout, "for one request")->capture_default_str();
  command->add_option("--sim-seed", load.sim_seed,
                      "the nodes are those of 'drover sim' with this seed: every token is checked");
  command->add_option("--goal", load.goal, "what counts as goodput: ttft<2s,tpot<100ms");
  command
      ->add_option("--assert", load.assertions,
                   "p95(ttft)<2s, errors<1%: exit code 1 if it does not hold; may be repeated")
      ->allow_extra_args(false);
  command->add_flag("--json", load.json, "the report for scripts");
  command->add_option("--csv", load.csv, "a file for one line a request");
  command->add_flag("--plain", load.plain, "plain lines instead of the live screen");
  return command;
}

CLI::App* add_replay(CLI::App& app, ReplayArguments& replay) {
  auto* command = app.add_subcommand("replay", "what a policy makes of a workload, in virtual time");
  auto* workload =
      command->add_option("--workload", replay.workload, "made up: swap, agents or tenants")->capture_default_str();
  auto* trace = command->add_option("--trace", replay.trace, "requests when and as large as this file has them")
                    ->excludes(workload);
  auto* rate =
      command
          ->add_option("--rate", replay.rate, "requests a second at the mean (default: 1), or programs (default: 0.05)")
          ->check(CLI::PositiveNumber);
  command->add_option("--speed", replay.speed, "so many times as fast as the trace was")
      ->capture_default_str()
      ->check(CLI::PositiveNumber)
      ->needs(trace)
      ->excludes(rate);
  command->add_option("--like", replay.like, "NAME=KNOWN: which model stands for one of the trace; may be repeated")
      ->needs(trace)
      ->allow_extra_args(false);
  command->add_option("--limit", replay.limit, "no more requests than these")
      ->capture_default_str()
      ->check(CLI::Range(1, 10'000'000));
  command->add_option("--fleet", replay.fleet, "two, eight or hundred unlike nodes, or a YAML file")
      ->capture_default_str();
  command->add_option("--what-if", replay.what_if, "beside it, the same with another fleet: \"add 1 x rtx4090\"");
  command->add_option("--context", replay.context, "tokens of each slot (default: as the workload needs)")
      ->check(CLI::Range(512, 1'048'576));
  command->add_option("--engine", replay.engine, "how the nodes' caches work: llama or vllm")
      ->capture_default_str()
      ->check(CLI::IsMember({"llama", "vllm"}));

  auto* policy =
      command->add_option("--policy", replay.policy, "how a node is chosen: least_connections, rival:round_robin, ...")
          ->capture_default_str();
  command->add_option("--compare", replay.compare, "several policies, with a comma between them")
      ->delimiter(',')
      ->excludes(policy);
  command->add_option("--max-queue", replay.max_queue, "requests that wait; one more is refused")
      ->capture_default_str();
  command->add_option("--queue-timeout", replay.queue_timeout, "who waits longer is refused")->capture_default_str();

  command->add_option("--seed", replay.seed, "the first one")->capture_default_str();
  command->add_option("--seeds", replay.seeds, "so many, the same ones for all policies")
      ->capture_default_str()
      ->check(CLI::Range(1, 10'000));
  command->add_option("--jobs", replay.jobs, "replays at a time (default: one a core)")->check(CLI::Range(1, 256));
  command->add_option("--goal", replay.goal, "what counts as goodput")->capture_default_str();
  command->add_option("--spread", replay.spread, "how far machines may be from their cards, as a part")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 0.9));
  command->add_flag("--no-host-cache", replay.no_host_cache, "nodes keep prompts in their slots only");
  command->add_flag("--no-reuse", replay.no_reuse, "no prompt begins like another");
  command->add_flag("--unknown-gpus", replay.unknown_gpus, "the scheduler is not told what cards the nodes have");
  command->add_flag("--warm", replay.warm, "nodes begin with what fits of the models loaded");
  command->add_flag("--json", replay.json, "for scripts");
  return command;
}

}  // namespace
}  // namespace drover::cli

int main(int argc, char** argv) {
  using namespace drover::cli;
  CLI::App app{"Drover makes many inference servers on many GPUs look like one fast, safe Ollama.", "drover"};
  app.set_version_flag("--version", version_text());
  app.require_subcommand(0, 1);  // asked for below: a mistyped one is told by its name
  app.fallthrough(false);

  UpArguments up;
  auto* up_command = app.add_subcommand("up", "one endpoint in front of your Ollama nodes, without configuration");
  up_command->add_option("--config", up.config, "settings file (default: ./drover.yaml if there is one)");
  up_command->add_option("--node", up.nodes, "URL of a node; may be repeated; replaces the nodes of the file");
  up_command->add_option("--listen", up.listen, "address for clients (default: 127.0.0.1:11435)");
  up_command->add_option("--admin", up.admin, "address for operators (default: 127.0.0.1:11436)");
  up_command->add_option("--policy", up.policy, "how a node is chosen: least_connections, round_robin, ...");
  up_command->add_option("--workers", up.workers, "threads that serve clients (default: one a core)")
      ->check(CLI::Range(0, 1024));
  up_command->add_flag("--insecure", up.insecure,
                       "listen beyond this machine although there are no keys and no TLS yet");
  up_command->add_flag("--no-sim", up.no_sim, "never start simulated nodes");
  up_command->add_flag("--plain", up.plain, "plain lines instead of the live screen");

  std::string config;
  auto* serve_command = app.add_subcommand("serve", "the gateway for production: serves what its settings file names");
  serve_command->add_option("--config", config, "settings file")->required();

  bool json = false;
  auto* check_command = app.add_subcommand("check", "says all that is wrong with a settings file");
  check_command->add_option("config", config, "settings file")->required();
  check_command->add_flag("--json", json, "for scripts");

  SimArguments sim;
  auto* sim_command = app.add_subcommand("sim", "simulated Ollama nodes on real sockets");
  sim_command->add_option("--listen", sim.listen, "address of the first node; the others have the ports behind it")
      ->capture_default_str();
  sim_command->add_option("--nodes", sim.nodes, "how many")->capture_default_str()->check(CLI::Range(1, 100));
  sim_command->add_option("--seed", sim.seed, "decides every answer's text")->capture_default_str();
  sim_command->add_option("--speedup", sim.speedup, "so many times as fast as the real thing")->capture_default_str();
  sim_command->add_option("--slots", sim.slots, "requests that a node runs at once for one model (default: 4)");
  sim_command->add_flag("--json", sim.json, "one JSON object a node when it listens");

  FitArguments fit;
  auto* fit_command = app.add_subcommand("fit", "what an engine's steps cost, from measurements of it");
  fit_command->add_option("files", fit.files, "measurements (bench/engine/measure makes them)")->required();
  fit_command->add_option("--predict", fit.predict, "compare the model with an open loop; may be repeated");
  fit_command->add_flag("--json", fit.json, "for scripts");

  LoadArguments load;
  auto* load_command = add_load(app, load);

  ReplayArguments replay;
  auto* replay_command = add_replay(app, replay);

  WorldArguments world;
  auto* world_command =
      app.add_subcommand("world", "the whole gateway in simulated worlds, from seeds: a test of itself");
  world_command->add_option("--seed", world.seed, "of the world, or the first one of a campaign")
      ->capture_default_str();
  world_command->add_option("--to", world.last_seed, "the last seed of a campaign");
  world_command->add_option("--minutes", world.minutes, "of simulated trouble")
      ->capture_default_str()
      ->check(CLI::Range(0.01, 60.0));
  world_command->add_flag("--swarm", world.swarm, "each world has a random part of the faults only");
  world_command->add_option("--nodes", world.nodes, "how many (default: 3 to 8, by the seed)")
      ->check(CLI::Range(1, 20));
  world_command->add_option("--rate", world.rate, "requests a second (default: by the seed)")
      ->check(CLI::Range(0.1, 1000.0));
  world_command->add_option("--without", world.without, "faults and habits of clients to leave out")->delimiter(',');
  world_command->add_option("--until", world.until, "stop at this event, and show the last ones");
  world_command->add_flag("--trace", world.trace, "show every event as it happens");
  world_command->add_flag("--shrink", world.shrink, "look for a smaller world that fails in the same way");
  world_command->add_flag("--stop", world.stop, "at the first failure");
  world_command->add_option("--jobs", world.jobs, "worlds at a time")->capture_default_str()->check(CLI::Range(1, 256));
  world_command->add_flag("--json", world.json, "for scripts");

  std::string admin = "127.0.0.1:11436";
  auto* status_command = app.add_subcommand("status", "what a running gateway does");
  auto* nodes_command = app.add_subcommand("nodes", "the nodes of a running gateway");
  std::string request;
  bool last = false;
  auto* why_command = app.add_subcommand("why", "why a request went to its node, and what came of it");
  auto* which = why_command->add_option("request", request, "as its answer says in x-request-id");
  why_command->add_flag("--last", last, "the request that was decided about last")->excludes(which);
  for (auto* command : {status_command, nodes_command, why_command}) {
    command->add_option("--admin", admin, "the gateway's admin address")->capture_default_str();
    command->add_flag("--json", json, "for scripts");
  }

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? 0 : 2;
  }
  if (app.get_subcommands().empty()) {
    std::fputs("drover: name a subcommand\n\n", stderr);
    std::fputs(app.help().c_str(), stderr);
    return 2;
  }
  if (up_command->parsed()) return run_up(up);
  if (serve_command->parsed()) return run_serve(config);
  if (check_command->parsed()) return run_check(config, json);
  if (sim_command->parsed()) return run_sim(sim);
  if (fit_command->parsed()) return run_fit(fit);
  if (load_command->parsed()) return run_load(load);
  if (replay_command->parsed()) return run_replay(replay);
  if (world_command->parsed()) return run_world_command(world);
  if (status_command->parsed()) return run_status(admin, json);
  if (why_command->parsed()) {
    if (!request.empty() || last) return run_why(admin, request, json);
    std::fputs("drover: name a request, or --last\n\n", stderr);
    std::fputs(why_command->help().c_str(), stderr);
    return 2;
  }
  return run_nodes(admin, json);
}
