#include "cli/status_command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <optional>

#include "cli/terminal.h"
#include "cli/views.h"
#include "net/linux_network.h"
#include "wire/call.h"

namespace drover::cli {
namespace {

constexpr Duration kPatience = std::chrono::seconds(5);
constexpr std::string_view kTarget = "/api/status";

int complain(std::string_view what, int code) {
  fmt::print(stderr, "drover: {}\n", what);
  return code;
}

// `IP:PORT`, and what people paste instead: a URL. The unspecified address means this machine.
std::optional<net::Endpoint> admin_endpoint(std::string_view text) {
  constexpr std::string_view kScheme = "http://";
  if (text.starts_with(kScheme)) text.remove_prefix(kScheme.size());
  if (text.ends_with('/')) text.remove_suffix(1);
  auto endpoint = net::parse_endpoint(text);
  if (!endpoint || endpoint->port == 0) return std::nullopt;
  if (!endpoint->is_unspecified()) return *endpoint;
  return net::parse_ip(endpoint->v6 ? "::1" : "127.0.0.1", endpoint->port);
}

net::Task<> ask(net::Network& network, net::Endpoint admin, std::optional<Result<wire::CallAnswer>>& answer) {
  wire::CallRequest request{.target = std::string(kTarget), .host = net::to_text(admin)};
  answer = co_await wire::call(network, admin, std::move(request), network.loop().now() + kPatience);
}

net::Task<> then_stop(net::TaskGroup& asking, net::LinuxLoop& loop) {
  co_await asking.ended();
  loop.stop();
}

Result<wire::CallAnswer> ask(const net::Endpoint& admin) {
  SystemClock clock;
  net::LinuxLoop loop(clock);
  net::LinuxNetwork network(loop);
  net::TaskGroup asking(loop), stopping(loop);
  std::optional<Result<wire::CallAnswer>> answer;
  asking.spawn(ask(network, admin, answer));
  stopping.spawn(then_stop(asking, loop));
  loop.run();
  return std::move(*answer);
}

std::string reason(ErrorCode code) {
  if (code == ErrorCode::connect_refused) return "connection refused";
  std::string words(name(code));
  std::ranges::replace(words, '_', ' ');
  return words;
}

// Asks, and prints what `show` makes of the status.
int show_status(const std::string& admin, const std::function<std::string(const Json&)>& show) {
  const auto endpoint = admin_endpoint(admin);
  if (!endpoint) {
    return complain(
        fmt::format("--admin is \"{}\"; expected an address as IP:PORT, for example 127.0.0.1:11436", admin), 2);
  }
  const std::string url = "http://" + net::to_text(*endpoint);
  const auto answer = ask(*endpoint);
  if (!answer) {
    return complain(fmt::format("no gateway answers on {} ({}). Start one with 'drover up', or name its admin address "
                                "with --admin.",
                                url, reason(answer.error().code)),
                    1);
  }
  const Style plain{.colour = false, .unicode = true};
  if (answer->status != 200) {
    return complain(fmt::format("{}{} answered {}: {}. Is this a gateway's admin address?", url, kTarget,
                                answer->status, fit(printable(answer->body, plain), 200, plain)),
                    1);
  }
  const auto status = parse_json(answer->body);
  const Json* nodes = status ? member(*status, "nodes") : nullptr;
  if (nodes == nullptr || !nodes->is_array()) {
    return complain(
        fmt::format("{}{} answered with no status of a gateway. Name its admin address with --admin.", url, kTarget),
        1);
  }
  const std::string text = show(*status);
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
  return written ? 0 : complain("cannot write to stdout", 1);
}

}  // namespace

int run_status(const std::string& admin, bool json) {
  return show_status(admin, [json](const Json& status) {
    return json ? to_pretty_text(status) + "\n" : status_text(status, style_of(STDOUT_FILENO));
  });
}

int run_nodes(const std::string& admin, bool json) {
  return show_status(admin, [json](const Json& status) {
    return json ? to_pretty_text(*member(status, "nodes")) + "\n" : nodes_text(status, style_of(STDOUT_FILENO));
  });
}

}  // namespace drover::cli
