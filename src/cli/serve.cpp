// `drover serve`: for production. It serves the nodes that its file names, and never finds or simulates any.

#include <cstdio>

#include "cli/commands.h"
#include "cli/host.h"

namespace drover::cli {
namespace {

// The settings of the file, or nothing after its faults have been printed.
std::optional<config::DroverSettings> read_settings(const std::string& path) {
  auto settings = config::load_settings(path);
  if (settings) {
    if (const auto faults = config::check_settings(*settings); !faults.empty()) {
      fmt::print(stderr, "{}", config::to_blocks(faults));
      return std::nullopt;
    }
    if (settings->nodes.empty()) {
      fmt::print(stderr,
                 "drover: {} names no nodes; add at least one under `nodes:` (`drover up` finds them by itself)\n",
                 path);
      return std::nullopt;
    }
    return std::move(*settings);
  }
  fmt::print(stderr, "{}", config::to_blocks(settings.error()));
  return std::nullopt;
}

}  // namespace

int run_serve(const std::string& path) {
  prepare_process();
  auto settings = read_settings(path);
  if (!settings) return 2;
  const auto access_log = open_access_log(settings->access_log);
  if (!access_log) return fmt::print(stderr, "drover: {}\n", access_log.error().detail), 2;
  const auto log = make_stderr_log(Level::info);
  HostOptions options{.settings = std::move(*settings),
                      .reload = [path] { return read_settings(path); },
                      .ready =
                          [](gateway::Gateway& gateway) {
                            const Json status = gateway.status();
                            fmt::print(stderr, "drover: listening on {}, admin on {}\n", text_at(status, "listen"),
                                       text_at(status, "admin"));
                          },
                      .refreshed = {},
                      .refresh = {}};
  return run_gateway(std::move(options), *log, access_log->get());
}

int run_check(const std::string& path, bool json) {
  auto settings = config::load_settings(path);
  std::vector<config::ConfigError> faults;
  if (settings) {
    faults = config::check_settings(*settings);
  } else {
    faults = std::move(settings.error());
  }
  if (json) {
    fmt::print("{}\n", config::to_json(faults));
  } else if (faults.empty()) {
    fmt::print("{} is fine; it names {} node{}\n", path, settings->nodes.size(),
               settings->nodes.size() == 1 ? "" : "s");
  } else {
    fmt::print(stderr, "{}", config::to_blocks(faults));
  }
  return faults.empty() ? 0 : 2;
}

}  // namespace drover::cli
