#include "cli/find_nodes.h"

#include <algorithm>

#include "fleet/probe_answers.h"
#include "net/linux_network.h"
#include "net/resolver.h"
#include "wire/call.h"

namespace drover::cli {
namespace {

constexpr Duration kPatience = std::chrono::seconds(1);

net::Task<> ask(net::Network& network, net::Resolver& resolver, http::BaseUrl url, bool& answered) {
  net::Loop& loop = network.loop();
  const Mono deadline = loop.now() + kPatience;
  const auto endpoints = co_await resolver.resolve(loop, url.host, url.port, deadline);
  if (!endpoints) co_return;
  wire::CallRequest request{.target = url.path + "/api/version", .host = http::authority(url), .max_answer = 64_KiB};
  const auto answer = co_await wire::call(network, endpoints->front(), std::move(request), deadline);
  answered = answer && answer->status == 200 && fleet::parse_version_answer(answer->body).has_value();
}

net::Task<> then_stop(net::TaskGroup& asking, net::LinuxLoop& loop) {
  co_await asking.ended();
  loop.stop();
}

}  // namespace

Result<Found> find_nodes(const std::string& ollama_host, const std::vector<net::Endpoint>& own) {
  std::vector<http::BaseUrl> places;
  const auto add = [&](const http::BaseUrl& url) {
    const fleet::Address address = fleet::address_of(url);
    const auto is_ours = [&](const net::Endpoint& endpoint) {
      return fleet::address_of(net::ip_text(endpoint), endpoint.port) == address;
    };
    const auto is_known = [&](const http::BaseUrl& place) { return fleet::address_of(place) == address; };
    if (std::ranges::none_of(own, is_ours) && std::ranges::none_of(places, is_known)) places.push_back(url);
  };
  if (!ollama_host.empty()) {
    auto url = http::parse_base_url(ollama_host);
    if (!url) return Error{ErrorCode::config, Side::gateway, "OLLAMA_HOST: " + url.error().detail};
    if (url->host == "0.0.0.0" || url->host == "::") url->host = "127.0.0.1";  // what a server binds, not where it is
    add(*url);
  }
  add(http::parse_base_url("127.0.0.1:11434").value());

  SystemClock clock;
  net::LinuxLoop loop(clock);
  net::LinuxNetwork network(loop);
  net::SystemResolver resolver;
  net::TaskGroup asking(loop), stopping(loop);
  std::vector<std::unique_ptr<bool>> answers;
  for (const http::BaseUrl& place : places) {
    answers.push_back(std::make_unique<bool>(false));
    asking.spawn(ask(network, resolver, place, *answers.back()));
  }
  stopping.spawn(then_stop(asking, loop));
  loop.run();

  Found found;
  for (std::size_t i = 0; i < places.size(); ++i) {
    found.asked.push_back(http::to_text(places[i]));
    if (!*answers[i]) continue;
    fleet::NodeSpec spec;
    spec.name = fleet::default_name(places[i]);
    spec.url = places[i];
    found.nodes.push_back(std::move(spec));
  }
  return found;
}

}  // namespace drover::cli
