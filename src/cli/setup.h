#pragma once
// From the settings an operator wrote to what the gateway is made of.

#include "base/result.h"
#include "config/settings.h"
#include "gateway/control.h"

namespace drover::cli {

// Errors (config): a host or origin entry that is none; it is quoted.
Result<gateway::GatewaySetup> make_setup(const config::DroverSettings& settings);

// What this machine gives: memory of our control group or of the machine, and open descriptors.
Bytes memory_limit();
std::size_t descriptor_limit();

}  // namespace drover::cli
