#pragma once
// The models that replayed fleets can hold: those of `drover sim`, and enough others for fleets that cannot hold all.

#include <string_view>
#include <vector>

#include "sim/settings.h"

namespace drover::replay {

const std::vector<sim::ModelSettings>& models();
const sim::ModelSettings* model_named(std::string_view name);  // nullptr: there is none; `:latest` may be left out

}  // namespace drover::replay
