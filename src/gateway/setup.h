#pragma once
// From the settings an operator wrote to what the gateway is made of.

#include <string>
#include <vector>

#include "base/result.h"
#include "config/settings.h"
#include "gateway/control.h"

namespace drover::gateway {

// What the settings leave to the machine.
struct Machine {
  std::vector<std::string> names;  // under which clients may know it
  Bytes memory;                    // that this process may use
  std::size_t descriptors;         // that it may open
};

// Errors (config): a host or origin entry that is none; it is quoted.
Result<GatewaySetup> make_setup(const config::DroverSettings& settings, const Machine& machine);

}  // namespace drover::gateway
