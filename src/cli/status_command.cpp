#include "cli/status_command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <optional>

#include "base/ascii.h"
#include "cli/terminal.h"
#include "cli/views.h"
#include "cli/why_view.h"
#include "net/linux_network.h"
#include "wire/call.h"

namespace drover::cli {
namespace {

constexpr Duration kPatience = std::chrono::seconds(5);
constexpr std::string_view kStatus = "/api/status";
constexpr std::string_view kDecisions = "/api/decisions";

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

net::Task<> ask(net::Network& network, net::Endpoint admin, std::string target,
                std::optional<Result<wire::CallAnswer>>& answer) {
  wire::CallRequest request{.target = std::move(target), .host = net::to_text(admin)};
  answer = co_await wire::call(network, admin, std::move(request), network.loop().now() + kPatience);
}

net::Task<> then_stop(net::TaskGroup& asking, net::LinuxLoop& loop) {
  co_await asking.ended();
  loop.stop();
}

Result<wire::CallAnswer> ask(const net::Endpoint& admin, const std::string& target) {
  SystemClock clock;
  net::LinuxLoop loop(clock);
  net::LinuxNetwork network(loop);
  net::TaskGroup asking(loop), stopping(loop);
  std::optional<Result<wire::CallAnswer>> answer;
  asking.spawn(ask(network, admin, target, answer));
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

// What is asked, and what becomes of the answer.
struct Question {
  std::string target;
  std::string_view list;  // the array that is in every such answer
  std::string_view what;  // that an answer without it is not
  std::function<std::string(const Json&)> show;
  std::string_view regret{};  // with which the gateway's own words begin when it has no answer
};

// Asks, and prints what is to be shown.
int show_answer(const std::string& admin, const Question& question) {
  const auto endpoint = admin_endpoint(admin);
  if (!endpoint) {
    return complain(
        fmt::format("--admin is \"{}\"; expected an address as IP:PORT, for example 127.0.0.1:11436", admin), 2);
  }
  const std::string url = "http://" + net::to_text(*endpoint);
  const auto answer = ask(*endpoint, question.target);
  if (!answer) {
    return complain(fmt::format("no gateway answers on {} ({}). Start one with 'drover up', or name its admin address "
                                "with --admin.",
                                url, reason(answer.error().code)),
                    1);
  }
  const Style plain{.colour = false, .unicode = true};
  if (answer->status != 200) {
    std::string words = fit(printable(answer->body.substr(0, answer->body.find('\n')), plain), 300, plain);
    if (!question.regret.empty() && answer->body.starts_with(question.regret)) return complain(words, 1);
    return complain(fmt::format("{}{} answered {}: {}. Is this a gateway's admin address?", url, question.target,
                                answer->status, words),
                    1);
  }
  const auto document = parse_json(answer->body);
  const Json* list = document ? member(*document, question.list) : nullptr;
  if (list == nullptr || !list->is_array()) {
    return complain(fmt::format("{}{} answered with no {}. Name its admin address with --admin.", url, question.target,
                                question.what),
                    1);
  }
  const std::string text = question.show(*document);
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
  return written ? 0 : complain("cannot write to stdout", 1);
}

int show_status(const std::string& admin, const std::function<std::string(const Json&)>& show) {
  return show_answer(admin,
                     {.target = std::string(kStatus), .list = "nodes", .what = "status of a gateway", .show = show});
}

// As the gateway takes them from clients and makes them itself.
bool is_request_id(std::string_view text) {
  constexpr std::size_t kLongest = 128;
  return !text.empty() && text.size() <= kLongest &&
         std::ranges::all_of(text, [](char c) { return ascii::is_alnum(c) || std::string_view("-_.:").contains(c); });
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

int run_why(const std::string& admin, const std::string& request, bool json) {
  if (!request.empty() && !is_request_id(request)) {
    return complain(fmt::format("\"{}\" is no id of a request; expected what an answer says in x-request-id, such as "
                                "6dd07547a3b84d9",
                                printable(request, {.colour = false, .unicode = true})),
                    2);
  }
  return show_answer(admin, {.target = std::string(kDecisions) + (request.empty() ? "" : "/" + request),
                             .list = "decisions",
                             .what = "decisions of a gateway",
                             .show =
                                 [json](const Json& answer) {
                                   return json ? to_pretty_text(answer) + "\n"
                                               : why_text(answer, style_of(STDOUT_FILENO));
                                 },
                             .regret = "nothing is remembered"});
}

}  // namespace drover::cli
