#include "cli/load_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "config/quantities.h"
#include "http/head_syntax.h"
#include "sim/settings.h"
#include "traces/reader.h"

namespace drover::cli {
namespace {

constexpr Duration kUsualTime = std::chrono::seconds(30);  // where nothing else ends the run
constexpr double kMaxRate = 1'000'000;

struct Api {
  std::string_view name;
  api::Route route;
};
constexpr Api kApis[] = {{"ollama", api::Route::chat},
                         {"ollama-generate", api::Route::generate},
                         {"openai", api::Route::chat_completions},
                         {"openai-completions", api::Route::completions}};

Error wrong(std::string what) { return Error{ErrorCode::config, Side::gateway, std::move(what)}; }

// Read under the name of its option.
Result<Duration> read_time(std::string_view option, const std::string& text) {
  const auto time = config::parse_duration(text);
  if (time && *time > Duration{}) return *time;
  return wrong(fmt::format("{} is {:?}; expected a time as 30s, 10m or 1h30m", option, text));
}

// `100`, or `100-400`.
Result<load::TokenRange> read_range(std::string_view option, std::string_view text) {
  const auto dash = text.find('-');
  const auto least = ascii::to_number(text.substr(0, dash));
  const auto most = dash == std::string_view::npos ? least : ascii::to_number(text.substr(dash + 1));
  if (least && most && *least >= 1 && *least <= *most && *most <= traces::kMaxTokens.value) {
    return load::TokenRange{*least, *most};
  }
  return wrong(fmt::format("{} is {:?}; expected a number of tokens as 100, or two as 100-400, from 1 to {}", option,
                           text, traces::kMaxTokens.value));
}

Result<std::pair<std::string, std::string>> read_header(std::string_view text) {
  const auto colon = text.find(':');
  const std::string_view name = text.substr(0, colon);
  const bool is_ours = std::ranges::any_of(
      std::initializer_list<std::string_view>{"Host", "Content-Length", "Transfer-Encoding", "Connection"},
      [name](std::string_view own) { return ascii::equal_fold(own, name); });
  if (colon == std::string_view::npos || !http::is_token(name) || http::has_control(text)) {
    return wrong(fmt::format("--header is {:?}; expected \"Name: value\"", text));
  }
  if (is_ours) return wrong(fmt::format("--header {} cannot be given: HTTP needs its own", name));
  return std::pair(std::string(name), std::string(ascii::trim(text.substr(colon + 1))));
}

Result<std::variant<load::OpenLoop, load::ClosedLoop, load::TraceLoop>> read_arrivals(const LoadArguments& arguments) {
  if (!arguments.trace.empty()) {
    load::TraceLoop trace{.path = arguments.trace, .speed = arguments.speed};
    if (!(trace.speed > 0) || !std::isfinite(trace.speed)) {
      return wrong(fmt::format("--speed is {}; expected more than 0", trace.speed));
    }
    if (!arguments.first.empty()) {
      const auto first = read_time("--first", arguments.first);
      if (!first) return first.error();
      trace.first = *first;
    }
    return trace;
  }
  if (!arguments.rate) return load::ClosedLoop{.users = arguments.concurrency.value_or(1)};
  if (!(*arguments.rate > 0) || *arguments.rate > kMaxRate) {
    return wrong(
        fmt::format("--rate is {}; expected requests a second, more than 0 and at most {}", *arguments.rate, kMaxRate));
  }
  return load::OpenLoop{.rate = *arguments.rate, .poisson = arguments.poisson};
}

Result<load::Settings> read_settings(const LoadArguments& arguments) {
  auto target = http::parse_base_url(arguments.url);
  if (!target) return wrong(target.error().detail);
  if (target->scheme == http::Scheme::http && (arguments.tls.insecure || !arguments.tls.ca_file.empty())) {
    return wrong(fmt::format("--ca and --insecure are for https:// addresses; {} is none", arguments.url));
  }
  const auto api = std::ranges::find(kApis, arguments.api, &Api::name);
  if (api == std::end(kApis)) {
    return wrong(
        fmt::format("--api is {:?}; expected ollama, ollama-generate, openai or openai-completions", arguments.api));
  }
  auto arrivals = read_arrivals(arguments);
  if (!arrivals) return arrivals.error();
  load::Settings settings{.target = std::move(*target),
                          .model = arguments.model,
                          .route = api->route,
                          .stream = !arguments.no_stream,
                          .arrivals = std::move(*arrivals),
                          .requests = arguments.requests,
                          .seed = arguments.seed,
                          .sim_seed = arguments.sim_seed,
                          .max_outstanding = arguments.max_outstanding};
  for (const std::string& text : arguments.headers) {
    auto header = read_header(text);
    if (!header) return header.error();
    settings.headers.push_back(std::move(*header));
  }
  for (const auto& [option, text, range] : {std::tuple("--prompt-tokens", &arguments.prompt_tokens, &settings.prompt),
                                            {"--answer-tokens", &arguments.answer_tokens, &settings.answer}}) {
    const auto read = read_range(option, *text);
    if (!read) return read.error();
    *range = *read;
  }
  if (!arguments.time.empty()) {
    const auto time = read_time("--time", arguments.time);
    if (!time) return time.error();
    settings.time = *time;
  } else if (!arguments.requests && arguments.trace.empty()) {
    settings.time = kUsualTime;
  }
  const auto timeout = read_time("--timeout", arguments.timeout);
  if (!timeout) return timeout.error();
  settings.timeout = *timeout;
  if (settings.sim_seed && !settings.model.empty() && sim::known_model(settings.model) == nullptr) {
    return wrong(fmt::format("--sim-seed says that the nodes are simulated, and none of those has a model {:?}",
                             settings.model));
  }
  return settings;
}

}  // namespace

Result<LoadPlan> read_load_plan(const LoadArguments& arguments) {
  auto settings = read_settings(arguments);
  if (!settings) return settings.error();
  LoadPlan plan{.settings = std::move(*settings), .goal = {}, .assertions = {}};
  if (!arguments.goal.empty()) {
    auto goal = load::Goal::parse(arguments.goal);
    if (!goal) return wrong(fmt::format("--goal: {}", goal.error().detail));
    plan.goal = std::move(*goal);
  }
  for (const std::string& text : arguments.assertions) {
    auto assertion = load::Assertion::parse(text);
    if (!assertion) return wrong(fmt::format("--assert: {}", assertion.error().detail));
    plan.assertions.push_back(std::move(*assertion));
  }
  return plan;
}

}  // namespace drover::cli
