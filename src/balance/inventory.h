#pragma once
// Which node serves which models: how polls become places in lanes.

#include <span>

#include "balance/dispatcher.h"
#include "balance/events.h"
#include "base/clock.h"

namespace drover::balance {

// The node serves `models` and no others. Who waited for one that it serves no more is sent away, or elsewhere.
// `asked`: when the poll was sent; what we saw ourselves since then counts for more than the poll.
void set_inventory(Dispatcher& dispatcher, Node& node, std::span<const ModelOnNode> models, Mono asked, Mono now,
                   Actions& actions);

// The node turned out not to have this one model after all. Holds until the next poll.
void lose_model(Dispatcher& dispatcher, Node& node, Lane& lane, Mono now, Actions& actions);

// Forgets a runner that the node does not list and that nothing runs on.
void drop_if_unused(Dispatcher& dispatcher, Node& node, Runner& runner);

}  // namespace drover::balance
