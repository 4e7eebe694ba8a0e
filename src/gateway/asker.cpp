#include "gateway/asker.h"

#include <fmt/format.h>

#include <algorithm>

#include "balance/tenants.h"

namespace drover::gateway {

std::expected<Asker, api::Refusal> asker_of(const http::RequestHead& head, const net::Endpoint& peer,
                                            const GatewaySettings& settings) {
  Asker asker;
  const auto is_its = [&](const net::AddressRange& range) { return range.contains(peer); };
  if (std::ranges::none_of(settings.trusted_proxies, is_its)) return asker;
  if (const auto tenant = head.find(std::string_view(settings.tenant_header)); tenant && !tenant->empty()) {
    if (!balance::is_tenant_name(*tenant)) {
      return std::unexpected(api::refuse(
          api::Reason::tenant, fmt::format("{} is no name of a tenant: it has to be of 1 to {} visible characters",
                                           settings.tenant_header, balance::kLongestTenantName)));
    }
    asker.tenant = *tenant;
  }
  if (const auto priority = head.find("x-drover-priority"); priority && !priority->empty()) {
    const auto named = std::ranges::find(balance::kPriorityNames, *priority);
    if (named == balance::kPriorityNames.end()) {
      return std::unexpected(api::refuse(api::Reason::tenant, "x-drover-priority is not high, normal or low"));
    }
    asker.priority = static_cast<balance::Priority>(named - balance::kPriorityNames.begin());
  }
  return asker;
}

}  // namespace drover::gateway
