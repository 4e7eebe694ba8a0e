// `drover sim`: simulated Ollama nodes on real sockets.

#include <fmt/format.h>
#include <signal.h>

#include <cstdio>

#include "base/json.h"
#include "cli/commands.h"
#include "cli/sim_host.h"
#include "net/signals.h"

namespace drover::cli {
namespace {

void announce(const SimHost& nodes, bool json) {
  for (const auto& node : nodes.nodes()) {
    const std::string url = "http://" + net::to_text(node.endpoint);
    if (json) {
      fmt::print("{}\n", to_text(Json{{"name", node.name}, {"url", url}, {"preset", node.card}}));
    } else {
      fmt::print("simulated node {} on {} (card {}, {} models)\n", node.name, url, node.card, node.models);
    }
  }
  std::fflush(stdout);
}

net::Task<> until_signal(net::SignalSource& signals, net::LinuxLoop& loop) {
  [[maybe_unused]] const auto signal = co_await signals.next();
  loop.stop();
}

}  // namespace

int run_sim(const SimArguments& arguments) {
  net::block_signals({SIGINT, SIGTERM});
  ::signal(SIGPIPE, SIG_IGN);
  const auto listen = net::parse_endpoint(arguments.listen);
  if (!listen) return fmt::print(stderr, "drover: {}\n", listen.error().detail), 2;
  sim::Settings settings = sim::fleet_of(arguments.nodes);
  settings.seed = arguments.seed;
  for (sim::NodeSettings& node : settings.nodes) {
    node.speedup = arguments.speedup;
    if (arguments.slots) node.slots = *arguments.slots;
  }
  if (const auto valid = sim::validate(settings); !valid)
    return fmt::print(stderr, "drover: {}\n", valid.error().detail), 2;

  SimHost nodes;
  if (const auto started = nodes.start(settings, *listen); !started) {
    return fmt::print(stderr, "drover: {}\n", started.error().detail), 1;
  }
  announce(nodes, arguments.json);

  SystemClock clock;
  net::LinuxLoop loop(clock);
  net::SignalSource signals(loop, {SIGINT, SIGTERM});
  net::TaskGroup waiting(loop);
  waiting.spawn(until_signal(signals, loop));
  loop.run();
  return 0;
}

}  // namespace drover::cli
