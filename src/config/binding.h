#pragma once
// The one list of all settings: their names in drover.yaml, bounds and purpose.

#include "config/binder.h"
#include "config/settings.h"

namespace drover::config {

void bind(Binder& binder, DroverSettings& settings);

}  // namespace drover::config
