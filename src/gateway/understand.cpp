#include "gateway/understand.h"

#include "api/command.h"
#include "api/model_refusal.h"
#include "api/xxh3.h"
#include "guard/cloud.h"

namespace drover::gateway {
namespace {

// By its name, or what the name stands for; null: the fleet does not know any. Who is no prompt has no share in a
// split.
const fleet::Model* find(Exchange& exchange, const api::Understood& understood) {
  const fleet::FleetView& fleet = *exchange.published->fleet;
  const fleet::Alias* const alias = fleet.alias(understood.model);
  exchange.renamed = alias != nullptr;
  if (alias == nullptr) return fleet.find(understood.model);
  const api::Route route = exchange.match.route;
  const bool is_prompt = route != api::Route::show && api::command_of(route, understood) == api::Command::none;
  return is_prompt ? &alias->model_for(affinity_of(exchange, understood), exchange.id.value) : &alias->first();
}

net::Task<const fleet::Model*> find_anew(Exchange& exchange, const api::Understood& understood) {
  auto refreshed = std::make_shared<net::Signal>();
  exchange.worker.shared().control.refresh(exchange.loop(), refreshed);
  const Mono until = exchange.loop().now() + exchange.settings().refresh_wait;
  // In time or not: what arrived meanwhile counts.
  [[maybe_unused]] const auto waited = co_await refreshed->notified(until);
  exchange.published = exchange.worker.published();
  co_return find(exchange, understood);
}

std::optional<api::Refusal> refuse_model(const Exchange& exchange, const api::Understood& understood,
                                         const fleet::Model* model) {
  const bool remote = model != nullptr && model->remote;
  const std::string_view name = exchange.renamed ? model->name : understood.model;
  if (auto refusal = guard::refuse_cloud(name, remote, exchange.settings().allow_cloud)) return refusal;
  if (model == nullptr) return api::model_not_found(exchange.match.route, understood.model);
  return std::nullopt;
}

net::Task<Authorised> refuse(Exchange& exchange, api::Refusal refusal) {
  co_return std::unexpected(co_await answer_refusal(exchange, std::move(refusal)));
}

// `model`: as the fleet knows it; null: it does not.
net::Soon<Authorised> judge(Exchange& exchange, const api::Understood& understood, const fleet::Model* model) {
  if (auto refusal = refuse_model(exchange, understood, model)) return refuse(exchange, std::move(*refusal));
  exchange.known_model = model->name;
  return model;
}

net::Task<Authorised> authorise_anew(Exchange& exchange, const api::Understood& understood) {
  const fleet::Model* const model = co_await find_anew(exchange, understood);
  co_return co_await judge(exchange, understood, model);
}

}  // namespace

std::uint64_t affinity_of(const Exchange& exchange, const api::Understood& understood) {
  for (const auto field : {http::Known::x_session_id, http::Known::x_claude_code_session_id}) {
    if (const auto session = exchange.incoming.head->find(field)) return api::xxh3(*session);
  }
  const auto hashes = understood.prompt_hashes.all();
  return hashes.empty() ? 0 : hashes.front();
}

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

net::Soon<Authorised> authorise(Exchange& exchange, const api::Understood& understood) {
  if (auto refusal = api::refuse_unroutable(exchange.match.route, understood)) {
    return refuse(exchange, std::move(*refusal));
  }
  const fleet::Model* const model = find(exchange, understood);
  if (model == nullptr) return authorise_anew(exchange, understood);
  return judge(exchange, understood, model);
}

}  // namespace drover::gateway
