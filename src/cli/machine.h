#pragma once
// What the machine that we run on gives.

#include "gateway/setup.h"

namespace drover::cli {

// Its names, the memory of our control group or of the machine, and open descriptors: the soft limit is raised to the
// hard one first.
gateway::Machine this_machine();

}  // namespace drover::cli
