#pragma once
// Who can reach a listener decides whether it may start.

#include <string_view>

#include "base/result.h"
#include "net/endpoint.h"

namespace drover::guard {

// `setting`: the name of the setting, `listen` or `admin`. Passes for loopback addresses, and for all others with
// `insecure`. Error (config): says what to write, and that keys and TLS are not there yet.
Result<void> check_exposure(std::string_view setting, const net::Endpoint& endpoint, bool insecure);

}  // namespace drover::guard
