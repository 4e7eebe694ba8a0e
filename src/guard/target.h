#pragma once
// Where the addresses of a node may point. Who controls a name server must not be able to turn the gateway's requests
// against the machine's own services or a cloud's metadata service.

#include <string_view>

#include "base/result.h"
#include "net/endpoint.h"

namespace drover::guard {

// `host`: as the settings name the node; `endpoint`: what it resolved to. An address that the settings write out is
// what the operator meant. A name may not resolve to this machine, unless it is `localhost`, nor to a link-local or
// metadata address. Error (config): says what it resolved to, and what to write.
Result<void> check_target(std::string_view host, const net::Endpoint& endpoint);

}  // namespace drover::guard
