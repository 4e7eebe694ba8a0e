#pragma once
// What the gateway answers itself: listings from what probes have learned, and routes that are the same whatever the
// fleet is. No node is asked while a client waits, but for one shared refresh before an unknown model is a 404.

#include <string_view>

#include "fleet/fleet_view.h"
#include "gateway/exchange.h"

namespace drover::gateway {

// For a model that the fleet's view does not have: the fleet is asked anew, at most once a second for all, and the
// request waits for the answer up to `refresh_wait`. nullptr: no node has it. The pointer lives as long as
// `exchange.published`.
net::Task<const fleet::Model*> find_model_anew(Exchange& exchange, std::string_view name);

net::Task<bool> serve_local(Exchange& exchange);
// Plain ones from memory; with `verbose`, `system` or `options`, and those not known yet, from a node that holds it.
net::Task<bool> serve_show(Exchange& exchange);
// No route has this path, or not with this method: as Ollama's router answers.
net::Task<bool> answer_unmatched(Exchange& exchange);

}  // namespace drover::gateway
