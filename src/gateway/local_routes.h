#pragma once
// What the gateway answers itself: listings from what probes have learned, and routes that are the same whatever the
// fleet is. No node is asked while a client waits, but for one shared refresh before an unknown model is a 404.

#include "gateway/exchange.h"

namespace drover::gateway {

net::Task<bool> serve_local(Exchange& exchange);
// Plain ones from memory; with `verbose`, `system` or `options`, and those not known yet, from a node that holds it.
net::Task<bool> serve_show(Exchange& exchange);
// No route has this path, or not with this method: as Ollama's router answers.
net::Task<bool> answer_unmatched(Exchange& exchange);

}  // namespace drover::gateway
