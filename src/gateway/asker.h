#pragma once
// Who asks, and how urgently: what a proxy in front of the gateway says of the clients that it knows.

#include <expected>
#include <optional>
#include <string>

#include "api/dialect.h"
#include "balance/priority.h"
#include "gateway/settings.h"
#include "http/request_head.h"
#include "net/endpoint.h"

namespace drover::gateway {

struct Asker {
  std::string tenant;  // empty: nobody in particular
  std::optional<balance::Priority> priority;
};

// From `settings.tenant_header` and `x-drover-priority`, if the request came from one of `settings.trusted_proxies`;
// what others say there is not read.
std::expected<Asker, api::Refusal> asker_of(const http::RequestHead& head, const net::Endpoint& peer,
                                            const GatewaySettings& settings);

}  // namespace drover::gateway
