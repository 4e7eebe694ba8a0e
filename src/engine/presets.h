#pragma once
// The cards that have a name.

#include <vector>

#include "engine/card.h"

namespace drover::engine {

std::vector<Card> preset_cards();

}  // namespace drover::engine
