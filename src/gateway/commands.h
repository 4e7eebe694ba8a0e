#pragma once
// Requests that are carried to nodes as whole calls, without a slot: load and unload commands, and questions about one
// model. What was begun for a client goes on when it leaves, since an aborted load helps nobody.

#include <string>

#include "fleet/fleet_view.h"
#include "gateway/exchange.h"

namespace drover::gateway {

// Places the model on one node: one that has it in memory, else the holder with the least to do. The next holder is
// tried when a node cannot be reached.
net::Task<bool> serve_load(Exchange& exchange, const fleet::Model& model, std::string body);

// Goes to every node that holds the weights. The answer is a node's own, of one that unloaded it.
net::Task<bool> serve_unload(Exchange& exchange, const fleet::Model& model, std::string body);

// The answer of one holder, as it is; the next is asked when one cannot be reached.
net::Task<bool> ask_a_holder(Exchange& exchange, const fleet::Model& model, std::string body);

}  // namespace drover::gateway
