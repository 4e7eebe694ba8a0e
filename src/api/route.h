#pragma once
// The routes of the gateway's listener and what kind of work each is. Which path leads to which: api/routes.h.

#include <cstdint>
#include <string_view>

#include "api/dialect.h"

namespace drover::api {

enum class Route : std::uint8_t {
  // inference
  generate,
  chat,
  embed,
  embeddings,
  chat_completions,
  completions,
  openai_embeddings,
  // listings, from what probes learned
  tags,
  ps,
  models,
  model,  // /v1/models/{id}; RouteMatch::parameter is the id
  // one model's data, from memory or one holder
  show,
  // answered here, the same whatever the fleet is
  root,
  version,
  status,
  me,
  recommendations,
  // Ollama has them, the gateway does not yet: 501
  pull,
  push,
  create,
  copy,
  remove,
  blobs,
  signout,
  user_keys,
  web_search,
  web_fetch,
  responses,
  responses_compact,
  messages,
  transcriptions,
};
inline constexpr std::size_t kRouteCount = static_cast<std::size_t>(Route::transcriptions) + 1;

enum class RouteClass : std::uint8_t { inference, listing, show, local, unserved };

// How much body the route takes: none (what comes is drained), a small control message, or a prompt with its images.
enum class BodyLimit : std::uint8_t { none, small, prompt };

struct RouteTraits {
  Route route;
  Dialect dialect;
  RouteClass kind;
  BodyLimit body;
  std::string_view label;  // the path with its parameter named; for metrics and logs
};
const RouteTraits& traits(Route route);

inline Dialect dialect(Route route) { return traits(route).dialect; }
inline RouteClass kind(Route route) { return traits(route).kind; }
inline std::string_view label(Route route) { return traits(route).label; }

// Whether the route answers with a stream when `stream` is absent: Ollama's own two do, OpenAI's do not.
constexpr bool streams_by_default(Route route) { return route == Route::generate || route == Route::chat; }

// 501 in the route's dialect: names the route, and that a node must be asked itself.
Refusal not_served(Route route);

}  // namespace drover::api
