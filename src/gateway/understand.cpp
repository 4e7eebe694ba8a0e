#include "gateway/understand.h"

#include "api/model_refusal.h"
#include "guard/cloud.h"

namespace drover::gateway {
namespace {

net::Task<const fleet::Model*> find_anew(Exchange& exchange, std::string_view name) {
  auto refreshed = std::make_shared<net::Signal>();
  exchange.worker.shared().control.refresh(exchange.loop(), refreshed);
  const Mono until = exchange.loop().now() + exchange.settings().refresh_wait;
  // In time or not: what arrived meanwhile counts.
  [[maybe_unused]] const auto waited = co_await refreshed->notified(until);
  exchange.published = exchange.worker.published();
  co_return exchange.published->fleet->find(name);
}

std::optional<api::Refusal> refuse_model(const Exchange& exchange, const api::Understood& understood,
                                         const fleet::Model* model) {
  const bool remote = model != nullptr && model->remote;
  if (auto refusal = guard::refuse_cloud(understood.model, remote, exchange.settings().allow_cloud)) return refusal;
  if (model == nullptr) return api::model_not_found(exchange.match.route, understood.model);
  return std::nullopt;
}

}  // namespace

net::Task<std::expected<void, bool>> read_prompt(Exchange& exchange, PromptBody& body) {
  const auto read = co_await exchange.client.read_body(exchange.incoming, body, exchange.deadline);
  exchange.received = Bytes{body.text().size()};
  if (read != wire::ServerConnection::Read::complete) co_return std::unexpected(co_await answer_unread(exchange, read));
  if (auto accepted = body.finish(); !accepted) {
    co_return std::unexpected(co_await answer_refusal(exchange, std::move(accepted.error())));
  }
  exchange.model = body.understood().model;
  co_return {};
}

net::Task<std::expected<const fleet::Model*, bool>> authorise(Exchange& exchange, const api::Understood& understood) {
  auto refusal = api::refuse_unroutable(exchange.match.route, understood);
  const fleet::Model* model = nullptr;
  if (!refusal) {
    model = exchange.published->fleet->find(understood.model);
    if (model == nullptr) model = co_await find_anew(exchange, understood.model);
    refusal = refuse_model(exchange, understood, model);
  }
  if (refusal) co_return std::unexpected(co_await answer_refusal(exchange, std::move(*refusal)));
  exchange.known_model = model->name;
  co_return model;
}

}  // namespace drover::gateway
