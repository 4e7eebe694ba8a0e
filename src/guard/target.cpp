#include "guard/target.h"

#include <fmt/format.h>

namespace drover::guard {
namespace {

bool is_link_local(const net::Endpoint& endpoint) {
  const auto& ip = endpoint.ip;
  if (!endpoint.v6) return ip[0] == 169 && ip[1] == 254;  // 169.254.169.254 among them
  return ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80;
}

// fd00:ec2::254, which is no link-local address.
bool is_metadata_v6(const net::Endpoint& endpoint) {
  return endpoint == *net::parse_ip("fd00:ec2::254", endpoint.port);
}

}  // namespace

Result<void> check_target(std::string_view host, const net::Endpoint& endpoint) {
  if (host == "localhost" || net::parse_ip(host, endpoint.port)) return {};
  const bool refused =
      endpoint.is_loopback() || endpoint.is_unspecified() || is_link_local(endpoint) || is_metadata_v6(endpoint);
  if (!refused) return {};
  return Error{ErrorCode::config, Side::gateway,
               fmt::format("the name \"{}\" resolves to {}, where no node may be; if that is meant, write the address "
                           "itself into the node's url",
                           host, net::ip_text(endpoint))};
}

}  // namespace drover::guard
