#include "gateway/local_routes.h"

#include <fmt/format.h>

#include <array>

#include "api/model_refusal.h"
#include "gateway/commands.h"
#include "gateway/node_body.h"
#include "gateway/understand.h"

namespace drover::gateway {
namespace {

constexpr std::string_view kJson = "application/json; charset=utf-8";
constexpr std::string_view kPlainJson = "application/json";

// A node answers these users of show differently: the name in its answer is the one asked for.
bool wants_its_own_show(const http::RequestHead& head) {
  return head.find(http::Known::user_agent).value_or(std::string_view{}).starts_with("GitHubCopilotChat/");
}

}  // namespace

net::Task<bool> serve_local(Exchange& exchange) {
  const fleet::FleetView& fleet = *exchange.published->fleet;
  switch (exchange.match.route) {
    case api::Route::root:
      co_return co_await answer_here(exchange, 200, "text/plain; charset=utf-8", "Ollama is running");
    case api::Route::version: co_return co_await answer_here(exchange, 200, kJson, *fleet.version());
    case api::Route::tags: co_return co_await answer_here(exchange, 200, kJson, *fleet.tags());
    case api::Route::ps: co_return co_await answer_here(exchange, 200, kJson, *fleet.ps());
    case api::Route::models: co_return co_await answer_here(exchange, 200, kPlainJson, *fleet.models());
    case api::Route::model: {
      const std::string_view id = exchange.match.parameter;
      const auto object = fleet.model_object(id);
      if (object) co_return co_await answer_here(exchange, 200, kPlainJson, *object);
      co_return co_await answer_refusal(exchange, api::model_not_found(api::Route::model, id));
    }
    case api::Route::status:
      co_return co_await answer_here(
          exchange, 200, kJson,
          fmt::format(R"({{"cloud":{{"disabled":{},"source":"config"}}}})", !exchange.settings().allow_cloud));
    case api::Route::recommendations: co_return co_await answer_here(exchange, 200, kJson, R"({"recommendations":[]})");
    case api::Route::me:
      co_return co_await answer_here(exchange, 401, kJson,
                                     R"({"error":"unauthorized","signin_url":"https://ollama.com/connect"})");
    default: co_return co_await answer_refusal(exchange, api::not_served(exchange.match.route));
  }
}

net::Task<bool> serve_show(Exchange& exchange) {
  BufferLease lease(exchange.worker.shared().buffers);
  PromptBody body(api::Route::show, {.small = exchange.settings().small_body}, lease, exchange.worker.bodies(),
                  api::Coding::identity, exchange.incoming.head->content_length());
  const auto read = co_await read_prompt(exchange, body);
  if (!read) co_return read.error();
  const api::Understood& understood = body.understood();
  const auto found = co_await authorise(exchange, understood);
  if (!found) co_return found.error();
  const fleet::Model* const model = *found;
  const bool plain = understood.verbose != api::Switch::on && understood.system.absent_or_empty() &&
                     !understood.options.filled() && !wants_its_own_show(*exchange.incoming.head);
  if (plain) {
    const auto known = exchange.published->fleet->show(*model);
    if (known && !known->body.empty()) co_return co_await answer_here(exchange, 200, kJson, known->body);
  }
  co_return co_await ask_a_holder(exchange, *model, NodeBody(exchange, body).body().text());
}

net::Task<bool> answer_unmatched(Exchange& exchange) {
  const api::RouteMatch& match = exchange.match;
  exchange.outcome = observe::Outcome::refused;
  switch (match.kind) {
    case api::MatchKind::wrong_method: {
      exchange.reason = api::Reason::method;
      const std::array<http::Field, 2> own{
          {{"Allow", match.allow}, {"x-drover-reason", api::slug(api::Reason::method)}}};
      co_return co_await answer_here(exchange, 405, api::kPlainPageType, api::kWrongMethodPage, own);
    }
    case api::MatchKind::redirect: {
      const std::string_view query = exchange.incoming.head->query();
      const std::string location = fmt::format("{}{}{}", match.location, query.empty() ? "" : "?", query);
      const std::array<http::Field, 1> own{{{"Location", location}}};
      const bool is_get = match.status == 301;
      co_return co_await answer_here(exchange, match.status, is_get ? "text/html; charset=utf-8" : "",
                                     is_get ? api::redirect_page(location) : "", own);
    }
    case api::MatchKind::not_found:
    case api::MatchKind::route: break;
  }
  exchange.reason = api::Reason::not_found;
  const std::array<http::Field, 1> own{{{"x-drover-reason", api::slug(api::Reason::not_found)}}};
  co_return co_await answer_here(exchange, 404, api::kPlainPageType, api::kNotFoundPage, own);
}

}  // namespace drover::gateway
