// `drover up`: one endpoint in front of whatever Ollama nodes there are, without any configuration.

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "cli/commands.h"
#include "cli/find_nodes.h"
#include "cli/host.h"
#include "cli/screen.h"
#include "cli/sim_host.h"
#include "cli/views.h"

namespace drover::cli {
namespace {

constexpr Duration kRefresh = std::chrono::seconds(1);
constexpr Duration kPlainEvery = std::chrono::seconds(10);

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

void complain(std::string_view text) { fmt::print(stderr, "drover: {}\n", text); }

// The settings of the file, if there is one, with what the flags say on top. Faults have been printed if there is none.
std::optional<config::DroverSettings> read_settings(const UpArguments& arguments) {
  config::DroverSettings settings;
  const std::string path = arguments.config.empty() ? "drover.yaml" : arguments.config;
  if (!arguments.config.empty() || std::filesystem::exists(path)) {
    auto loaded = config::load_settings(path);
    if (!loaded) return fmt::print(stderr, "{}", config::to_blocks(loaded.error())), std::nullopt;
    settings = std::move(*loaded);
  }
  for (const auto& [text, endpoint] :
       {std::pair(arguments.listen, &settings.listen), {arguments.admin, &settings.admin}}) {
    if (!text) continue;
    const auto parsed = net::parse_endpoint(*text);
    if (!parsed) return complain(parsed.error().detail), std::nullopt;
    *endpoint = *parsed;
  }
  if (arguments.policy) {
    const auto policy = balance::policy_kind(*arguments.policy);
    if (!policy) {
      return complain(fmt::format("--policy is \"{}\"; expected one of {}", *arguments.policy,
                                  fmt::join(balance::kPolicyNames, ", "))),
             std::nullopt;
    }
    settings.policy = *policy;
  }
  if (arguments.workers) settings.workers = *arguments.workers;
  settings.insecure = settings.insecure || arguments.insecure;
  if (!arguments.nodes.empty()) {
    settings.nodes.clear();
    for (const std::string& text : arguments.nodes) {
      auto url = http::parse_base_url(text);
      if (!url) return complain("--node: " + url.error().detail), std::nullopt;
      fleet::NodeSpec spec;
      spec.name = fleet::default_name(*url);
      spec.url = std::move(*url);
      settings.nodes.push_back(std::move(spec));
    }
  }
  return settings;
}

// Nodes that nobody named: those that answer at the usual places, else simulated ones. False: there are none, and that
// has been said.
bool find_or_simulate(config::DroverSettings& settings, const UpArguments& arguments, SimHost& simulated) {
  auto found = find_nodes(variable("OLLAMA_HOST"), {settings.listen, settings.admin});
  if (!found) return complain(found.error().detail), false;
  if (!found->nodes.empty()) {
    for (const auto& node : found->nodes) fmt::print(stderr, "found an Ollama node on {}\n", http::to_text(node.url));
    settings.nodes = std::move(found->nodes);
    return true;
  }
  const std::string asked = fmt::format("{}", fmt::join(found->asked, " and "));
  if (arguments.no_sim) {
    complain(fmt::format("no Ollama node answers on {}; start one, or name one with --node URL", asked));
    return false;
  }
  const auto started = simulated.start(sim::default_fleet(), *net::parse_ip("127.0.0.1", 0));
  if (!started) return complain(started.error().detail), false;
  for (const SimHost::Node& node : simulated.nodes()) {
    fleet::NodeSpec spec;
    spec.name = node.name;
    spec.url = http::parse_base_url("http://" + net::to_text(node.endpoint)).value();
    spec.slots = node.slots;
    spec.simulated = true;
    settings.nodes.push_back(std::move(spec));
  }
  fmt::print(stderr,
             "No Ollama node answers on {}.\n"
             "So Drover started three SIMULATED nodes: their answers are made-up text, no GPU\n"
             "works. Name real ones with --node URL; --no-sim forbids simulation.\n",
             asked);
  return true;
}

// Where the access log goes while the screen owns the terminal.
std::string default_log_path() {
  const std::string state = variable("XDG_STATE_HOME");
  const std::filesystem::path folder =
      std::filesystem::path(state.empty() ? variable("HOME") + "/.local/state" : state) / "drover";
  std::error_code ignored;
  std::filesystem::create_directories(folder, ignored);
  return (folder / "access.log").string();
}

// What the operator sees: the screen on a terminal, plain lines elsewhere.
class Display {
 public:
  Display(bool live, std::string log_path) : live_(live), log_path_(std::move(log_path)) {}

  void ready(gateway::Gateway& gateway) {
    const Json status = gateway.status();
    if (live_) return;
    fmt::print(stderr, "drover: listening on {}, admin on {}\n", text_at(status, "listen"), text_at(status, "admin"));
  }

  void refresh(gateway::Gateway& gateway) {
    Json now = gateway.status();
    if (live_) {
      if (!screen_) {
        // Above the screen, and so in the terminal's history, where they can be copied whatever its size.
        for (const std::string& line : paste_lines(now)) fmt::print("  {}\n", line);
        std::fflush(stdout);
        screen_.emplace(STDOUT_FILENO);
      }
      const auto lines = screen_lines(now, before_ ? &*before_ : nullptr, kRefresh, screen_->size(), log_path_,
                                      style_of(STDOUT_FILENO));
      screen_->draw(lines);
    } else {
      if (!before_) {
        for (const std::string& line : paste_lines(now)) fmt::print(stderr, "  {}\n", line);
      }
      fmt::print(stderr, "{}\n", plain_line(now, before_ ? &*before_ : nullptr));
    }
    before_ = std::move(now);
  }

 private:
  bool live_;
  std::string log_path_;  // of the access log, if it is a file
  std::optional<LiveScreen> screen_;
  std::optional<Json> before_;
};

}  // namespace

int run_up(const UpArguments& arguments) {
  prepare_process();
  auto settings = read_settings(arguments);
  if (!settings) return 2;
  SimHost simulated;
  if (settings->nodes.empty() && !find_or_simulate(*settings, arguments, simulated)) return 1;
  if (const auto faults = config::check_settings(*settings); !faults.empty()) {
    fmt::print(stderr, "{}", config::to_blocks(faults));
    return 2;
  }
  const bool live = !arguments.plain && can_draw(STDOUT_FILENO);
  if (live && settings->access_log.defaulted) {
    settings->access_log.target = config::LogTarget::file;
    settings->access_log.path = default_log_path();
  }
  const bool log_is_file = settings->access_log.target == config::LogTarget::file;
  if (live && log_is_file) fmt::print(stderr, "access log: {}\n", settings->access_log.path);
  const auto access_log = open_access_log(settings->access_log);
  if (!access_log) return complain(access_log.error().detail), 1;
  // On the screen health shows itself; a log line would tear the picture.
  const auto log = live ? std::make_unique<NullLog>() : make_stderr_log(Level::info);

  Display display(live, log_is_file ? settings->access_log.path : std::string());
  const std::vector<fleet::NodeSpec> nodes = settings->nodes;
  HostOptions options{.settings = std::move(*settings),
                      .reload = [&]() -> std::optional<config::DroverSettings> {
                        auto again = read_settings(arguments);
                        if (again && again->nodes.empty()) again->nodes = nodes;
                        return again;
                      },
                      .ready = [&](gateway::Gateway& gateway) { display.ready(gateway); },
                      .refreshed = [&](gateway::Gateway& gateway) { display.refresh(gateway); },
                      .refresh = live ? kRefresh : kPlainEvery,
                      .leaving = [] { LiveScreen::give_back(); }};
  return run_gateway(std::move(options), *log, access_log->get());
}

}  // namespace drover::cli
