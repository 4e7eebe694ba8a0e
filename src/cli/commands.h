#pragma once
// One function per subcommand. Each returns the exit code: 0, 1 for a failure at work, 2 for bad arguments or settings.

#include <optional>
#include <string>
#include <vector>

#include "balance/settings.h"
#include "cli/load_settings.h"

namespace drover::cli {

struct UpArguments {
  std::string config;              // empty: ./drover.yaml if there is one
  std::vector<std::string> nodes;  // URLs; replace those of the file
  std::optional<std::string> listen;
  std::optional<std::string> admin;
  std::optional<std::string> policy;
  std::optional<unsigned> workers;
  bool insecure = false;
  bool no_sim = false;
  bool plain = false;  // no live screen, even on a terminal
};
int run_up(const UpArguments& arguments);

int run_serve(const std::string& config);

// Reads a configuration and says all that is wrong with it.
int run_check(const std::string& config, bool json);

struct SimArguments {
  std::string listen = "127.0.0.1:11434";  // of the first node; the others have the ports behind it
  std::size_t nodes = 1;
  std::uint64_t seed = 1;
  double speedup = 1;
  std::optional<std::uint32_t> slots;
  bool json = false;
};
int run_sim(const SimArguments& arguments);

struct FitArguments {
  std::vector<std::string> files;    // measurements, one engine each
  std::vector<std::string> predict;  // open loops
  bool json = false;
};
int run_fit(const FitArguments& arguments);

int run_load(const LoadArguments& arguments);

struct ReplayArguments {
  std::string trace;  // empty: `workload`
  std::string workload = "swap";
  std::optional<double> rate;
  double speed = 1;
  std::vector<std::string> like;  // NAME=KNOWN
  std::uint64_t limit = 10'000;
  std::string fleet = "two";
  std::string what_if;  // a change of the fleet; empty: none
  std::optional<std::uint32_t> context;
  std::string engine = "llama";
  std::string policy{balance::name(balance::SchedulerSettings{}.policy)};
  std::vector<std::string> compare;
  std::uint64_t seed = 1;
  std::uint64_t seeds = 1;
  std::optional<std::size_t> jobs;
  std::string goal = "ttft<2s,tpot<100ms";
  double spread = 0.3;
  bool no_host_cache = false;
  bool no_reuse = false;
  bool unknown_gpus = false;
  bool warm = false;
  std::size_t max_queue = 1000;
  std::string queue_timeout = "300s";
  bool json = false;
};
int run_replay(const ReplayArguments& arguments);

struct WorldArguments {
  std::uint64_t seed = 1;
  std::uint64_t last_seed = 0;  // of a campaign; 0: one world
  double minutes = 1;
  bool swarm = false;
  std::size_t nodes = 0;  // 0: as the seed draws
  double rate = 0;
  std::vector<std::string> without;
  std::uint64_t until = 0;
  bool trace = false;
  bool shrink = false;
  bool stop = false;  // at the first failure
  std::size_t jobs = 1;
  bool json = false;
};
int run_world_command(const WorldArguments& arguments);

}  // namespace drover::cli
