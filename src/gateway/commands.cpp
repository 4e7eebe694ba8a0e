#include "gateway/commands.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "wire/call.h"

namespace drover::gateway {
namespace {

constexpr Duration kQuestionTime = std::chrono::seconds(30);

// A call that outlives whoever asked for it.
struct PatientCall {
  net::Signal done;
  std::optional<Result<wire::CallAnswer>> answer;
};

net::Task<> carry_out(Worker& worker, NodeAddress node, wire::CallRequest request, Mono deadline,
                      std::shared_ptr<PatientCall> call) {
  call->answer = co_await wire::call(worker.network(), node.endpoint, std::move(request), deadline);
  // What the node holds in memory has changed, or it could not be reached: either is news.
  worker.shared().control.look_again(node.id);
  call->done.notify();
}

std::shared_ptr<PatientCall> start_call(Exchange& exchange, const NodeAddress& node, const std::string& body,
                                        Duration time) {
  auto call = std::make_shared<PatientCall>();
  wire::CallRequest request{
      .method = "POST",
      .target = node.prefix + std::string(api::label(exchange.match.route)),
      .host = node.host,
      .body = body,
      .connect = exchange.settings().connect,
      .user_agent = std::string(exchange.incoming.head->find(http::Known::user_agent).value_or(std::string_view{}))};
  exchange.worker.run_in_background(
      carry_out(exchange.worker, node, std::move(request), after(exchange.loop().now(), time), call));
  return call;
}

net::Task<bool> answer_with(Exchange& exchange, const NodeAddress& node, const wire::CallAnswer& answer) {
  exchange.node = node.name;
  const std::array<http::Field, 1> own{{{"x-drover-node", exchange.node}}};
  co_return co_await answer_here(exchange, answer.status, answer.content_type, answer.body, own);
}

// The nodes that hold the model: healthy ones first, of those with it in memory before others, then those with the
// least to do.
std::vector<const NodeAddress*> holders_in_order(Exchange& exchange, const fleet::Model& model) {
  const auto running = exchange.published->fleet->running(model.runner);
  const auto snapshot = exchange.worker.shared().scheduler.snapshot(exchange.loop().now());
  const auto rank = [&](const NodeAddress* node) {
    const bool cold = std::ranges::find(running, node->id) == running.end();
    std::size_t in_flight = 0;
    for (const auto& state : snapshot.nodes) {
      if (state.id == node->id) in_flight = state.in_flight;
    }
    return std::tuple(node->health == balance::Health::offline, cold, in_flight, node->id);
  };
  std::vector<const NodeAddress*> nodes;
  for (const fleet::Holder& holder : model.holders) {
    if (const NodeAddress* node = exchange.published->node(holder.node)) nodes.push_back(node);
  }
  std::ranges::sort(nodes, {}, rank);
  return nodes;
}

net::Task<bool> answer_nobody(Exchange& exchange) {
  co_return co_await answer_refusal(
      exchange, api::refuse(api::Reason::no_backend, "no node that holds this model can be reached now; try again"));
}

// A wait for a node ended without its answer.
net::Task<bool> answer_in_vain(Exchange& exchange, ErrorCode why) {
  if (why == ErrorCode::cancelled) co_return co_await answer_cancelled(exchange);
  co_return co_await answer_nobody(exchange);
}

// Asks one holder after another until one has answered.
net::Task<bool> ask_in_turn(Exchange& exchange, const fleet::Model& model, std::string body, Duration time) {
  for (const NodeAddress* node : holders_in_order(exchange, model)) {
    ++exchange.attempts;
    const auto call = start_call(exchange, *node, body, time);
    const auto waited = co_await call->done.notified(exchange.deadline);
    if (!waited) co_return co_await answer_in_vain(exchange, waited.error());
    if (*call->answer) co_return co_await answer_with(exchange, *node, **call->answer);
  }
  co_return co_await answer_nobody(exchange);
}

}  // namespace

net::Task<bool> serve_load(Exchange& exchange, const fleet::Model& model, std::string body) {
  exchange.phase = observe::Phase::waiting;
  co_return co_await ask_in_turn(exchange, model, std::move(body), exchange.settings().load);
}

net::Task<bool> ask_a_holder(Exchange& exchange, const fleet::Model& model, std::string body) {
  exchange.phase = observe::Phase::waiting;
  co_return co_await ask_in_turn(exchange, model, std::move(body), kQuestionTime);
}

net::Task<bool> serve_unload(Exchange& exchange, const fleet::Model& model, std::string body) {
  exchange.phase = observe::Phase::waiting;
  std::set<NodeId> wanted;
  for (const NodeId node : exchange.published->fleet->running(model.runner)) wanted.insert(node);
  for (const fleet::Holder& holder : model.holders) wanted.insert(holder.node);
  std::vector<std::pair<const NodeAddress*, std::shared_ptr<PatientCall>>> calls;
  for (const NodeId id : wanted) {
    const NodeAddress* node = exchange.published->node(id);
    if (node == nullptr) continue;
    ++exchange.attempts;
    calls.emplace_back(node, start_call(exchange, *node, body, kQuestionTime));
  }
  const NodeAddress* answered_by = nullptr;
  const wire::CallAnswer* answer = nullptr;
  for (const auto& [node, call] : calls) {
    const auto waited = co_await call->done.notified(exchange.deadline);
    if (!waited) co_return co_await answer_in_vain(exchange, waited.error());
    const Result<wire::CallAnswer>& result = *call->answer;
    if (!result || (answer != nullptr && answer->status < 400)) continue;
    answered_by = node;
    answer = &*result;
  }
  if (answer == nullptr) co_return co_await answer_nobody(exchange);
  co_return co_await answer_with(exchange, *answered_by, *answer);
}

}  // namespace drover::gateway
