#pragma once
// What Ollama says on each route when a request names no model, or one that cannot be had.

#include <optional>
#include <string_view>

#include "api/dialect.h"
#include "api/route.h"
#include "api/understood.h"

namespace drover::api {

// A request that every node would refuse without looking at a model: answered here, since without a model no node can
// be chosen. nullopt: it names a model (which may still be unknown).
std::optional<Refusal> refuse_unroutable(Route route, const Understood& body);

// `name` as the client wrote it. 404 in the route's words; 400 where the name is no Ollama name at all.
Refusal model_not_found(Route route, std::string_view name);

// 403: a node would send the prompt to strangers.
Refusal cloud_refused();

}  // namespace drover::api
