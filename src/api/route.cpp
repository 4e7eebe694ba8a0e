#include "api/route.h"

#include <fmt/format.h>

namespace drover::api {
namespace {

using enum Dialect;
using enum RouteClass;

// In the order of the enum.
constexpr RouteTraits kRoutes[] = {
    {Route::generate, ollama, inference, BodyLimit::prompt, "/api/generate"},
    {Route::chat, ollama, inference, BodyLimit::prompt, "/api/chat"},
    {Route::embed, ollama, inference, BodyLimit::prompt, "/api/embed"},
    {Route::embeddings, ollama, inference, BodyLimit::prompt, "/api/embeddings"},
    {Route::chat_completions, openai, inference, BodyLimit::prompt, "/v1/chat/completions"},
    {Route::completions, openai, inference, BodyLimit::prompt, "/v1/completions"},
    {Route::openai_embeddings, openai, inference, BodyLimit::prompt, "/v1/embeddings"},
    {Route::tags, ollama, listing, BodyLimit::none, "/api/tags"},
    {Route::ps, ollama, listing, BodyLimit::none, "/api/ps"},
    {Route::models, openai, listing, BodyLimit::none, "/v1/models"},
    {Route::model, openai, listing, BodyLimit::none, "/v1/models/{id}"},
    {Route::show, ollama, show, BodyLimit::small, "/api/show"},
    {Route::root, ollama, local, BodyLimit::none, "/"},
    {Route::version, ollama, local, BodyLimit::none, "/api/version"},
    {Route::status, ollama, local, BodyLimit::none, "/api/status"},
    {Route::me, ollama, local, BodyLimit::none, "/api/me"},
    {Route::recommendations, ollama, local, BodyLimit::none, "/api/experimental/model-recommendations"},
    {Route::pull, ollama, unserved, BodyLimit::none, "/api/pull"},
    {Route::push, ollama, unserved, BodyLimit::none, "/api/push"},
    {Route::create, ollama, unserved, BodyLimit::none, "/api/create"},
    {Route::copy, ollama, unserved, BodyLimit::none, "/api/copy"},
    {Route::remove, ollama, unserved, BodyLimit::none, "/api/delete"},
    {Route::blobs, ollama, unserved, BodyLimit::none, "/api/blobs/{digest}"},
    {Route::signout, ollama, unserved, BodyLimit::none, "/api/signout"},
    {Route::user_keys, ollama, unserved, BodyLimit::none, "/api/user/keys/{key}"},
    {Route::web_search, ollama, unserved, BodyLimit::none, "/api/experimental/web_search"},
    {Route::web_fetch, ollama, unserved, BodyLimit::none, "/api/experimental/web_fetch"},
    {Route::responses, openai, unserved, BodyLimit::none, "/v1/responses"},
    {Route::responses_compact, openai, unserved, BodyLimit::none, "/v1/responses/compact"},
    {Route::messages, anthropic, unserved, BodyLimit::none, "/v1/messages"},
    {Route::transcriptions, openai, unserved, BodyLimit::none, "/v1/audio/transcriptions"},
};

constexpr bool in_order() {
  if (std::size(kRoutes) != kRouteCount) return false;
  for (std::size_t i = 0; i < kRouteCount; ++i) {
    if (static_cast<std::size_t>(kRoutes[i].route) != i) return false;
  }
  return true;
}
static_assert(in_order());

}  // namespace

const RouteTraits& traits(Route route) { return kRoutes[static_cast<std::size_t>(route)]; }

Refusal not_served(Route route) {
  return refuse(Reason::not_served,
                fmt::format("{} is not served by this gateway: send it to one of the nodes itself", label(route)));
}

}  // namespace drover::api
