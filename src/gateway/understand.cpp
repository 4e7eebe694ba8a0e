#include "gateway/understand.h"

#include "api/command.h"
#include "api/model_name.h"
#include "api/model_refusal.h"
#include "api/xxh3.h"
#include "guard/cloud.h"

namespace drover::gateway {
namespace {

bool is_prompt(const Exchange& exchange, const api::Understood& understood) {
  const api::Route route = exchange.match.route;
  return route != api::Route::show && api::command_of(route, understood) == api::Command::none;
}

// By its name, or what the name stands for; null: the fleet does not know any. Only prompts are shared between models.
const fleet::Model* find(Exchange& exchange, const api::Understood& understood) {
  const fleet::FleetView& fleet = *exchange.published->fleet;
  const fleet::Alias* const alias = fleet.alias(understood.model);
  exchange.renamed = alias != nullptr;
  if (alias == nullptr) return fleet.find(understood.model);
  if (!is_prompt(exchange, understood)) return &alias->first();
  return &alias->model_for(affinity_of(exchange, understood), exchange.id.value);
}

// The fallback of the route of a model, which is called so.
const fleet::Model* take_fallback(Exchange& exchange, const balance::RouteSettings& route, std::string_view name) {
  if (route.fallback.empty() || !exchange.fell_back_from.empty()) return nullptr;
  const fleet::Model* const model = exchange.published->fleet->find(route.fallback);
  if (model == nullptr || model->name == name || (model->remote && !exchange.settings().allow_cloud)) return nullptr;
  exchange.fell_back_from = name;
  exchange.known_model = model->name;
  exchange.renamed = true;
  exchange.worker.metrics().model(name).fallbacks.add();
  return model;
}

// Nobody has held the model since the gateway started: only a route that names just this one tells it from a mistake.
const fleet::Model* fall_back_unseen(Exchange& exchange, const api::Understood& understood) {
  const balance::RouteSettings& route = exchange.published->routes->of(api::model_key(understood.model)).settings;
  const bool names_it = route.model.find('*') == std::string::npos;
  return is_prompt(exchange, understood) && names_it ? take_fallback(exchange, route, route.model) : nullptr;
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
  const fleet::Model* model = co_await find_anew(exchange, understood);
  if (model == nullptr) model = fall_back_unseen(exchange, understood);
  co_return co_await judge(exchange, understood, model);
}

}  // namespace

std::optional<std::string_view> session_of(const Exchange& exchange) {
  for (const auto field : {http::Known::x_session_id, http::Known::x_claude_code_session_id}) {
    if (const auto session = exchange.incoming.head->find(field)) return session;
  }
  return std::nullopt;
}

std::uint64_t affinity_of(const Exchange& exchange, const api::Understood& understood) {
  if (const auto session = session_of(exchange)) return api::xxh3(*session);
  const auto hashes = understood.prompt_hashes.all();
  return hashes.empty() ? 0 : hashes.front();
}

const fleet::Model* fall_back(Exchange& exchange, const fleet::Model& from) {
  return take_fallback(exchange, exchange.published->routes->of(from.key).settings, from.name);
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
